/** Quotes over PCRs 8 and 14: of a software TPM, and of a key in a test's hand. Specification §3.6 and §20. */
import { p256 } from '@noble/curves/nist.js';
import { bytesToNumberBE } from '@noble/curves/utils.js';
import { concatBytes } from '@noble/hashes/utils.js';
import { blobDigest } from '#protocol/digest.ts';
import { judgeMeasuredQuote } from '#protocol/measured-quote.ts';
import { Attest, type AttestBody } from '#protocol/tpm/attest.ts';
import { selectPcrs } from '#protocol/tpm/pcr-selection.ts';
import { Signature } from '#protocol/tpm/signature.ts';
import { mutated } from '../../scripts/fuzz/mutation.ts';
import { pick, type Draw } from '../../scripts/fuzz/random.ts';
import { captured, crypto, hex, type CapturedSigned } from '../unit/tpm/captured.ts';
import { caseKind } from './case-kind.ts';
import {
  keyOf,
  keyWithLeadingZero,
  order,
  otherHalf,
  pointOf,
  signingKey,
  tpmSignature,
  withPoint,
  withR,
  withS,
  type KeyFields,
  type SigningKey,
} from './signing-key.ts';

type QuoteBody = AttestBody<'quote'>;

interface QuoteInput extends KeyFields {
  readonly attestation: Uint8Array;
  /** TPMT_SIGNATURE. */
  readonly signature: Uint8Array;
  readonly qualifyingData: Uint8Array;
  readonly pcr8: Uint8Array;
  readonly pcr14: Uint8Array;
  readonly [name: string]: Uint8Array;
}

export const quoteKind = 0x8018;

const chip = signingKey('a chip in software');
const qualifyingData = blobDigest(new TextEncoder().encode('asked'));
const [pcr8, pcr14] = ['operational key', 'software'].map((name) => blobDigest(new TextEncoder().encode(name))) as [Uint8Array, Uint8Array];
const zeros = new Uint8Array(32);
const ones = new Uint8Array(32).fill(0xff);

const base: QuoteBody = {
  kind: 'quote',
  qualifiedSigner: chip.qualifiedName,
  extraData: qualifyingData,
  clockInfo: { clock: 1_000_000n, resetCount: 3, restartCount: 1, safe: true },
  firmwareVersion: 0x0007_0002_0001_0000n,
  attested: { pcrSelection: selectPcrs('sha256', [8, 14]), pcrDigest: blobDigest(concatBytes(pcr8, pcr14)) },
};
const good = signed(Attest.encode({ magic: 0xff544347, body: base }));
/** Where the fields of `good` begin. */
const at = { kind: 4, signer: 6, extraData: 42, clock: 76, safe: 92, firmware: 93, selection: 101, digest: 111 } as const;

export const quoteCases = caseKind<QuoteInput>({
  name: 'quotes',
  named: function* () {
    yield* fromSoftwareTpm();
    yield* otherSignatures();
    yield* otherKeys();
    yield* otherFields();
    yield* otherBytes();
    for (const [name, changed] of unsigned()) yield [`${name}, not signed again`, { ...good, attestation: changed }];
  },
  judge: (input) => {
    const { attestation, signature: quoteSignature, ...rest } = input;
    const shown = { quote: attestation, quoteSignature, pcrs: { pcr8: rest.pcr8, pcr14: rest.pcr14 } };
    const verdict = judgeMeasuredQuote(crypto, keyOf(input), shown, rest.qualifyingData);
    return { ...pointOf(input), verdict: wordOf(verdict, attestation, quoteKind) };
  },
  mutate: mutateQuote,
});

/**
 * What the contracts say where the protocol gives this verdict: they look at the kind before they read on, and don't read the six kinds for
 * which they have no use, so that bytes of another kind are `other-kind` there even where they are malformed as well.
 */
export function wordOf(verdict: { status: string; reason?: string }, attestation: Uint8Array, kind: number): string {
  const { reason } = verdict;
  if (reason === undefined) return verdict.status;
  const isOther = attestation.length >= 6 && ((attestation[4] ?? 0) << 8) + (attestation[5] ?? 0) !== kind;
  return reason === 'malformed' && isOther ? 'other-kind' : reason;
}

function* fromSoftwareTpm(): Iterable<readonly [string, QuoteInput]> {
  const of = ({ attestation, signature, pcrs = captured.pcrs }: CapturedSigned): QuoteInput => {
    const register = (index: number) => hex(pcrs.find((pcr) => pcr.index === index)?.value ?? zeros.toHex());
    return {
      node: blobDigest(hex(captured.endorsementKey)),
      publicArea: hex(captured.attestationKey),
      attestation: hex(attestation),
      signature: hex(signature),
      qualifyingData: hex(captured.qualifyingData),
      pcr8: register(8),
      pcr14: register(14),
    };
  };
  yield ['swtpm: a quote', of(captured.quote)];
  yield ['swtpm: for other qualifying data', { ...of(captured.quote), qualifyingData }];
  yield ['swtpm: of another node', { ...of(captured.quote), node: chip.node }];
  yield ['swtpm: certified time', of(captured.time)];
  yield ['swtpm: a certified key', of(captured.certify)];
  for (const [name, attack] of Object.entries(captured.attacks)) yield [`swtpm, attack: ${name}`, of(attack)];
}

function* otherSignatures(): Iterable<readonly [string, QuoteInput]> {
  const raw = concatBytes(good.signature.subarray(6, 38), good.signature.subarray(40));
  const with_ = (signature: Uint8Array): QuoteInput => ({ ...good, signature });
  const number = (bytes: Uint8Array) => bytesToNumberBE(bytes);
  yield ['signed', good];
  yield ['s in the other half', with_(tpmSignature(otherHalf(raw)))];
  for (const [name, value] of [
    ['0', 0n],
    ['1', 1n],
    ['the order', order],
    ['all ones', 2n ** 256n - 1n],
  ] as const) {
    yield [`r is ${name}`, with_(tpmSignature(withR(raw, value)))];
    yield [`s is ${name}`, with_(tpmSignature(withS(raw, value)))];
  }
  yield ['r and s exchanged', with_(tpmSignature(concatBytes(raw.subarray(32), raw.subarray(0, 32))))];
  const [r, s] = [raw.slice(0, 32), raw.slice(32)];
  const encoded = (scheme: 'ecdsa', hash: 'sha1' | 'sha256' | 'sha384', fields: { r: Uint8Array; s: Uint8Array }) =>
    with_(Signature.encode({ scheme, hash, ...fields }));
  yield ['r with a leading zero', encoded('ecdsa', 'sha256', { r: concatBytes(Uint8Array.of(0), r), s })];
  yield ['no r', encoded('ecdsa', 'sha256', { r: new Uint8Array(), s })];
  yield ['no s', encoded('ecdsa', 'sha256', { r, s: new Uint8Array() })];
  yield ['says SHA-1', encoded('ecdsa', 'sha1', { r, s })];
  yield ['says SHA-384', encoded('ecdsa', 'sha384', { r, s })];
  for (const scheme of ['rsassa', 'rsapss'] as const) {
    yield [`says ${scheme}`, with_(Signature.encode({ scheme, hash: 'sha256', signature: new Uint8Array(256) }))];
    yield [`says ${scheme}, cut`, with_(Signature.encode({ scheme, hash: 'sha256', signature: new Uint8Array(9) }).slice(0, -1))];
  }
  yield ['an RSA signature that is too long', with_(concatBytes(hex('0014000b0201'), new Uint8Array(513)))];
  yield ['no such scheme', with_(good.signature.with(1, 0x19))];
  yield ['no such hash', with_(good.signature.with(3, 0x0e))];
  yield ['no signature', with_(new Uint8Array())];
  yield ['a byte after the signature', with_(concatBytes(good.signature, zeros.subarray(0, 1)))];
  yield ['a byte short of the signature', with_(good.signature.slice(0, -1))];
  const short = Array.from({ length: 4_000 }, (_, clock) => attestationWith({ clockInfo: { ...base.clockInfo, clock: BigInt(clock) } }));
  const found = short.find((attestation) => number(chip.sign(attestation)) >> 504n === 0n);
  if (!found) throw new Error('no signature begins with a zero byte');
  const shortRaw = chip.sign(found);
  const shortFields = { r: shortRaw.slice(1, 32), s: shortRaw.slice(32) };
  yield [
    'r without its leading zero',
    { ...good, attestation: found, signature: Signature.encode({ scheme: 'ecdsa', hash: 'sha256', ...shortFields }) },
  ];
  yield ['r with its leading zero', { ...good, attestation: found, signature: tpmSignature(shortRaw) }];
}

function* otherKeys(): Iterable<readonly [string, QuoteInput]> {
  const { x, y } = pointOf(chip);
  const [numberX, numberY] = [bytesToNumberBE(x), bytesToNumberBE(y)];
  const prime = p256.Point.Fp.ORDER;
  const with_ = (key: KeyFields): QuoteInput => ({ ...good, node: key.node, publicArea: key.publicArea });
  yield ['another key', with_(signingKey('another chip'))];
  yield ['this key of another node', with_({ ...chip, node: blobDigest(chip.node) })];
  yield ['a point off the curve', with_(withPoint(chip, numberX, numberY ^ 1n))];
  yield ['the opposite point', with_(withPoint(chip, numberX, prime - numberY))];
  yield ['no point', with_(withPoint(chip, 0n, 0n))];
  yield ['a coordinate not below the prime', with_(withPoint(chip, prime, numberY))];
  yield ['coordinates all ones', with_(withPoint(chip, 2n ** 256n - 1n, 2n ** 256n - 1n))];
  for (const axis of ['x', 'y'] as const) {
    const stripped = keyWithLeadingZero(axis, (bytes) => bytes.slice(bytes.findIndex((byte) => byte !== 0)));
    yield [
      `a chip that leaves out leading zeros of ${axis}`,
      signedBy(stripped, attestationWith({ qualifiedSigner: stripped.qualifiedName })),
    ];
    const padded = keyWithLeadingZero(axis, (bytes) => bytes);
    yield [`a ${axis} that begins with a zero`, signedBy(padded, attestationWith({ qualifiedSigner: padded.qualifiedName }))];
    yield [`a ${axis} that begins with a zero, another signer`, signedBy(padded, attestationWith({ qualifiedSigner: chip.qualifiedName }))];
  }
}

function* otherFields(): Iterable<readonly [string, QuoteInput]> {
  const withFields = (fields: Partial<QuoteBody>): QuoteInput => signed(attestationWith(fields));
  const withAttested = (fields: Partial<QuoteBody['attested']>): QuoteInput => withFields({ attested: { ...base.attested, ...fields } });
  const name = chip.qualifiedName;
  yield ['no signer', withFields({ qualifiedSigner: new Uint8Array() })];
  yield ['a signer named by SHA-384', withFields({ qualifiedSigner: name.with(1, 0x0c) })];
  yield ['another signer', withFields({ qualifiedSigner: name.with(33, (name[33] ?? 0) ^ 1) })];
  yield ['a signer with a byte more', withFields({ qualifiedSigner: concatBytes(name, zeros.subarray(0, 1)) })];
  yield ['no qualifying data', withFields({ extraData: new Uint8Array() })];
  yield ['qualifying data with a byte more', withFields({ extraData: concatBytes(qualifyingData, zeros.subarray(0, 1)) })];
  yield ['other qualifying data', withFields({ extraData: blobDigest(qualifyingData) })];
  yield ['clock not safe', withFields({ clockInfo: { clock: 0n, resetCount: 0xffffffff, restartCount: 0xffffffff, safe: false } })];
  yield ['no PCRs', withAttested({ pcrSelection: [], pcrDigest: blobDigest(new Uint8Array()) })];
  for (const indices of [[8], [14], [8, 14, 16], [9, 14]]) {
    yield [`PCRs ${indices.join(', ')}`, withAttested({ pcrSelection: selectPcrs('sha256', indices) })];
  }
  for (const bank of ['sha1', 'sha384', 'sha512'] as const) {
    yield [`bank ${bank}`, withAttested({ pcrSelection: selectPcrs(bank, [8, 14]) })];
  }
  yield ['two banks', withAttested({ pcrSelection: [...selectPcrs('sha256', [8, 14]), ...selectPcrs('sha1', [8, 14])] })];
  yield ['the bank twice', withAttested({ pcrSelection: [...base.attested.pcrSelection, ...base.attested.pcrSelection] })];
  for (const mask of ['0041', '00410000', '00']) {
    yield [`a mask of ${mask.length / 2} bytes`, withAttested({ pcrSelection: [{ bank: 'sha256', mask: hex(mask) }] })];
  }
  yield ['no digest', withAttested({ pcrDigest: new Uint8Array() })];
  yield ['a digest with a byte more', withAttested({ pcrDigest: concatBytes(base.attested.pcrDigest, zeros.subarray(0, 1)) })];
  yield ['another digest', withAttested({ pcrDigest: blobDigest(base.attested.pcrDigest) })];
  yield ['another PCR 8', { ...good, pcr8: pcr14 }];
  yield ['another PCR 14', { ...good, pcr14: pcr8 }];
  yield ['PCRs exchanged', { ...good, pcr8: pcr14, pcr14: pcr8 }];
  for (const [word, value] of [
    ['zeros', zeros],
    ['ones', ones],
  ] as const) {
    const digestOf = (left: Uint8Array, right: Uint8Array) => withAttested({ pcrDigest: blobDigest(concatBytes(left, right)) });
    yield [`PCR 8 all ${word}`, { ...digestOf(value, pcr14), pcr8: value }];
    yield [`PCR 14 all ${word}`, { ...digestOf(pcr8, value), pcr14: value }];
  }
}

/** Bytes that no TPM makes, signed all the same. */
function* otherBytes(): Iterable<readonly [string, QuoteInput]> {
  for (const [name, changed] of unsigned()) yield [name, signed(changed)];
}

function* unsigned(): Iterable<readonly [string, Uint8Array]> {
  const bytes = good.attestation;
  const set = (offset: number, ...values: number[]) =>
    concatBytes(bytes.subarray(0, offset), Uint8Array.from(values), bytes.subarray(offset + values.length));
  const put = (offset: number, values: Uint8Array) => concatBytes(bytes.subarray(0, offset), values, bytes.subarray(offset));
  yield ['nothing', new Uint8Array()];
  yield ['the magic value alone', bytes.slice(0, 4)];
  yield ['half a kind', bytes.slice(0, 5)];
  yield ['magic off by one', set(3, 0x46)];
  yield ['magic zero', set(0, 0, 0, 0, 0)];
  for (const kind of [0x14, 0x15, 0x16, 0x17, 0x19, 0x1a, 0x1c, 0x1b, 0x98])
    yield [`kind 80${kind.toString(16)}`, set(at.kind, 0x80, kind)];
  yield ['a longer signer than there is', set(at.signer, 0, 67)];
  yield ['a signer beyond the end', set(at.signer, 0xff, 0xff)];
  yield ['a signer of 67 bytes', concatBytes(bytes.subarray(0, 6), Uint8Array.of(0, 67), new Uint8Array(67), bytes.subarray(at.extraData))];
  yield [
    'qualifying data of 67 bytes',
    concatBytes(bytes.subarray(0, at.extraData), Uint8Array.of(0, 67), new Uint8Array(67), bytes.subarray(at.clock)),
  ];
  yield ['safe is 2', set(at.safe, 2)];
  yield [
    '17 banks',
    concatBytes(
      bytes.subarray(0, at.selection),
      hex('00000011'),
      ...Array<Uint8Array>(17).fill(hex('000b03004100')),
      bytes.subarray(at.digest),
    ),
  ];
  yield [
    '16 banks',
    concatBytes(
      bytes.subarray(0, at.selection),
      hex('00000010'),
      ...Array<Uint8Array>(16).fill(hex('000b03004100')),
      bytes.subarray(at.digest),
    ),
  ];
  yield ['2^32 - 1 banks', set(at.selection, 0xff, 0xff, 0xff, 0xff)];
  yield ['no such bank', set(at.selection + 4, 0, 0x0e)];
  yield ['an empty mask', concatBytes(bytes.subarray(0, at.selection + 6), Uint8Array.of(0), bytes.subarray(at.digest))];
  yield ['a mask of 5 bytes', concatBytes(bytes.subarray(0, at.selection + 6), hex('050041000000'), bytes.subarray(at.digest))];
  yield ['a digest of 65 bytes', concatBytes(bytes.subarray(0, at.digest), Uint8Array.of(0, 65), new Uint8Array(65))];
  yield ['a byte after the last field', put(bytes.length, Uint8Array.of(0))];
  yield ['a byte short', bytes.slice(0, -1)];
  yield ['2,049 bytes', put(bytes.length, new Uint8Array(2_049 - bytes.length))];
  for (const [field, offset] of Object.entries(at)) {
    yield [`cut before ${field}`, bytes.slice(0, offset)];
    yield [`a bit of ${field} turned`, set(offset, (bytes[offset] ?? 0) ^ 1)];
  }
}

function mutateQuote(draw: Draw): QuoteInput {
  const field = draw(8);
  if (field < 4) return signed(mutated([good.attestation], draw));
  if (field === 4) return { ...good, attestation: mutated([good.attestation], draw) };
  if (field === 5) return { ...good, signature: mutated([good.signature], draw) };
  const name = pick(draw, ['node', 'qualifyingData', 'pcr8', 'pcr14'] as const);
  const value = good[name];
  return { ...good, [name]: value.with(draw(32), draw(256)) };
}

function attestationWith(fields: Partial<QuoteBody>): Uint8Array {
  return Attest.encode({ magic: 0xff544347, body: { ...base, ...fields } });
}

function signed(attestation: Uint8Array): QuoteInput {
  return signedBy(chip, attestation);
}

function signedBy({ node, publicArea, sign }: SigningKey, attestation: Uint8Array): QuoteInput {
  return { node, publicArea, attestation, signature: tpmSignature(sign(attestation)), qualifyingData, pcr8, pcr14 };
}
