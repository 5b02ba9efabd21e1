/** Certified time with a signature of which there is one form: what chips sign for layer 1. Specification §11.1 and §20. */
import { concatBytes } from '@noble/hashes/utils.js';
import { judgeTimeCertificate } from '#protocol/chain/wait-certificate.ts';
import { blobDigest } from '#protocol/digest.ts';
import { Attest, type AttestBody } from '#protocol/tpm/attest.ts';
import { Signature } from '#protocol/tpm/signature.ts';
import { mutated } from '../../scripts/fuzz/mutation.ts';
import { pick, type Draw } from '../../scripts/fuzz/random.ts';
import { captured, crypto, hex } from '../unit/tpm/captured.ts';
import { caseKind } from './case-kind.ts';
import { wordOf } from './quote-cases.ts';
import { isUpper, keyOf, order, otherHalf, pointOf, signingKey, withR, withS, type KeyFields } from './signing-key.ts';

type TimeBody = AttestBody<'time'>;

interface TimeInput extends KeyFields {
  readonly attestation: Uint8Array;
  /** r ‖ s. */
  readonly signature: Uint8Array;
  readonly qualifyingData: Uint8Array;
  readonly [name: string]: Uint8Array;
}

const timeKind = 0x8019;
const chip = signingKey('a chip that tells the time');
const qualifyingData = blobDigest(new TextEncoder().encode('anchor'));
const clockInfo = { clock: 5n, resetCount: 0x01020304, restartCount: 0x05060708, safe: true };
const firmwareVersion = 0x1122_3344_5566_7788n;
const timeInfo = { time: 123_456_789n, clockInfo };
const base: TimeBody = {
  kind: 'time',
  qualifiedSigner: chip.qualifiedName,
  extraData: qualifyingData,
  clockInfo,
  firmwareVersion,
  attested: { timeInfo, firmwareVersion },
};
const good = certificateWith({});

export const timeCases = caseKind<TimeInput>({
  name: 'times',
  named: function* () {
    yield* fromSoftwareTpm();
    yield* otherSignatures();
    yield* otherFields();
    yield* otherBytes();
  },
  judge: (input) => {
    const certificate = { attestation: input.attestation, signature: input.signature };
    const verdict = judgeTimeCertificate(crypto, keyOf(input), certificate, input.qualifyingData);
    const read = verdict.status === 'accepted' ? verdict : { timeMs: 0, resetCount: 0, restartCount: 0 };
    const { timeMs, resetCount, restartCount } = read;
    return { ...pointOf(input), verdict: wordOf(verdict, input.attestation, timeKind), timeMs, resetCount, restartCount };
  },
  mutate,
});

function* fromSoftwareTpm(): Iterable<readonly [string, TimeInput]> {
  const { attestation, signature } = captured.time;
  const decoded = Signature.decode(hex(signature));
  if (decoded.status !== 'decoded' || decoded.value.scheme !== 'ecdsa') throw new Error('the captured time has no ECDSA signature');
  const raw = concatBytes(decoded.value.r, decoded.value.s);
  const shown = {
    node: blobDigest(hex(captured.endorsementKey)),
    publicArea: hex(captured.attestationKey),
    attestation: hex(attestation),
    signature: isUpper(raw) ? otherHalf(raw) : raw,
    qualifyingData: hex(captured.qualifyingData),
  };
  yield ['swtpm: certified time', shown];
  yield ['swtpm: s in the upper half', { ...shown, signature: otherHalf(shown.signature) }];
  yield ['swtpm: for other qualifying data', { ...shown, qualifyingData }];
  yield ['swtpm: a quote', { ...shown, attestation: hex(captured.quote.attestation) }];
}

function* otherSignatures(): Iterable<readonly [string, TimeInput]> {
  yield ['signed', good];
  yield ['s in the upper half', { ...good, signature: otherHalf(good.signature) }];
  yield ['nothing signed', { ...good, signature: new Uint8Array(64) }];
  for (const [name, value] of [
    ['0', 0n],
    ['1', 1n],
    ['the order', order],
  ] as const) {
    yield [`r is ${name}`, { ...good, signature: withR(good.signature, value) }];
    yield [`s is ${name}`, { ...good, signature: withS(good.signature, value) }];
  }
  yield ['another key', { ...good, publicArea: signingKey('another chip').publicArea }];
  yield ['another node', { ...good, node: blobDigest(good.node) }];
}

function* otherFields(): Iterable<readonly [string, TimeInput]> {
  const withInner = (fields: Partial<typeof clockInfo>) =>
    certificateWith({ attested: { timeInfo: { ...timeInfo, clockInfo: { ...clockInfo, ...fields } }, firmwareVersion } });
  const withTime = (time: bigint) => certificateWith({ attested: { timeInfo: { ...timeInfo, time }, firmwareVersion } });
  yield ['another signer', certificateWith({ qualifiedSigner: signingKey('another chip').qualifiedName })];
  yield ['other qualifying data', certificateWith({ extraData: blobDigest(qualifyingData) })];
  yield ['no qualifying data', certificateWith({ extraData: new Uint8Array() })];
  yield ['reset count obfuscated', withInner({ resetCount: 1 })];
  yield ['restart count obfuscated', withInner({ restartCount: 1 })];
  yield ['firmware version obfuscated', certificateWith({ firmwareVersion: 1n })];
  yield ['another Clock inside', withInner({ clock: 6n, safe: false })];
  yield ['Time of 2^53 - 1 ms', withTime(2n ** 53n - 1n)];
  yield ['Time of 2^53 ms', withTime(2n ** 53n)];
  yield ['Time of 2^64 - 1 ms', withTime(2n ** 64n - 1n)];
  const upper = withTime(2n ** 53n);
  yield ['Time of 2^53 ms, s in the upper half', { ...upper, signature: otherHalf(upper.signature) }];
}

function* otherBytes(): Iterable<readonly [string, TimeInput]> {
  const bytes = good.attestation;
  const with_ = (changed: Uint8Array): TimeInput => ({ ...good, attestation: changed, signature: lowSigned(changed) });
  yield ['magic off by one', with_(bytes.with(3, 0x46))];
  yield ['kind of a quote', with_(bytes.with(5, 0x18))];
  yield ['a byte after the last field', with_(concatBytes(bytes, Uint8Array.of(0)))];
  yield ['a byte short', with_(bytes.slice(0, -1))];
  yield ['outer safe is 2', with_(bytes.with(92, 2))];
  yield ['inner safe is 2', with_(bytes.with(bytes.length - 9, 2))];
  for (let end = 0; end < bytes.length; end += 7) yield [`cut to ${end} bytes`, with_(bytes.slice(0, end))];
  for (let offset = 0; offset < bytes.length; offset += 5) {
    const changed = bytes.with(offset, (bytes[offset] ?? 0) ^ 1);
    yield [`a bit of byte ${offset} turned`, with_(changed)];
    yield [`a bit of byte ${offset} turned, not signed again`, { ...good, attestation: changed }];
  }
}

function mutate(draw: Draw): TimeInput {
  const field = draw(6);
  if (field < 4) {
    const attestation = mutated([good.attestation], draw);
    return { ...good, attestation, signature: field === 0 ? good.signature : lowSigned(attestation) };
  }
  const name = pick(draw, ['node', 'qualifyingData', 'signature'] as const);
  const value = good[name];
  return { ...good, [name]: value.with(draw(value.length), draw(256)) };
}

function certificateWith(fields: Partial<TimeBody>): TimeInput {
  const attestation = Attest.encode({ magic: 0xff544347, body: { ...base, ...fields } });
  return { node: chip.node, publicArea: chip.publicArea, attestation, signature: lowSigned(attestation), qualifyingData };
}

function lowSigned(attestation: Uint8Array): Uint8Array {
  const signature = chip.sign(attestation);
  return isUpper(signature) ? otherHalf(signature) : signature;
}
