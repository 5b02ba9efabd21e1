/** A box whose attestation key a test holds, so that it can quote whatever it likes: a verifier of receipts must see through it. */
import { createHash, generateKeyPairSync, sign } from 'node:crypto';
import { BoxCheckMessage, type BoxCheck } from '#protocol/box-messages.ts';
import { domainDigest } from '#protocol/digest.ts';
import { boxQuoteQualifier, judgeBoxKeys } from '#protocol/measured-box/box-quote.ts';
import type { BoxKeys, BoxTpmEvidence } from '#protocol/measured-box/box-tpm.ts';
import { BOX_PCRS } from '#protocol/measured-box/registers.ts';
import type { Receipt } from '#protocol/receipt.ts';
import { signMessage } from '#protocol/signed.ts';
import { softwareDigest } from '#protocol/software-state.ts';
import { Attest, tpmGenerated } from '#protocol/tpm/attest.ts';
import type { ClockInfo } from '#protocol/tpm/clock-info.ts';
import { selectPcrs } from '#protocol/tpm/pcr-selection.ts';
import { PublicArea } from '#protocol/tpm/public-area.ts';
import { Signature } from '#protocol/tpm/signature.ts';
import { attestationKeyTemplate } from '#protocol/tpm/templates.ts';
import { blobDigest } from '#protocol/digest.ts';
import { box, networkIdentity, software, text } from '../protocol/workshop.ts';
import { captured, crypto, hex } from '../tpm/captured.ts';
import { first } from './boots.ts';

const { publicKey, privateKey } = generateKeyPairSync('ec', { namedCurve: 'P-256' });
const { x = '', y = '' } = publicKey.export({ format: 'jwk' });
const unique = { x: new Uint8Array(Buffer.from(x, 'base64url')), y: new Uint8Array(Buffer.from(y, 'base64url')) };

/** The endorsement key and certificates are real ones of a software TPM; the attestation key is ours. */
export const keys: BoxKeys = {
  endorsementKey: hex(captured.endorsementKey),
  attestationKey: PublicArea.encode({ ...attestationKeyTemplate, unique }),
  certificates: [hex(captured.certificate), hex(captured.intermediate)],
};

export const softwareAuthority = { certificate: hex(captured.root), softwareTpm: true };
export const hardwareAuthority = { certificate: hex(captured.root), softwareTpm: false };

export const nonceOf = (words: string): Uint8Array => blobDigest(text(words));

/** What the box quotes. */
export interface Quoting {
  readonly clock?: Partial<ClockInfo>;
  readonly registers?: ReadonlyMap<number, Uint8Array>;
  /** Whose challenge it answers; the right one by default. */
  readonly nonce?: Uint8Array;
  readonly run?: string;
}

export function quoted(run: string, nonce: Uint8Array, how: Quoting = {}): BoxTpmEvidence {
  const judged = judgeBoxKeys(keys, [], { crypto, atMs: 0 });
  if (judged.status === 'refused') throw new Error(judged.detail);
  const beacon = domainDigest('beacon-value', networkIdentity, how.nonce ?? nonce);
  const qualifier = { network: networkIdentity, beacon, run: how.run ?? run, boxKey: box.publicKey, software: softwareDigest(software) };
  const registers = BOX_PCRS.map((pcr) => how.registers?.get(pcr) ?? first.registers.get(pcr) ?? new Uint8Array(32));
  const attestation = Attest.encode({
    magic: tpmGenerated,
    body: {
      kind: 'quote',
      qualifiedSigner: judged.keys.attestationKey.qualifiedName,
      extraData: boxQuoteQualifier(qualifier),
      clockInfo: { clock: 1_000n, resetCount: 3, restartCount: 0, safe: true, ...how.clock },
      firmwareVersion: 1n,
      attested: { pcrSelection: selectPcrs('sha256', BOX_PCRS), pcrDigest: sha256(...registers) },
    },
  });
  const plain = new Uint8Array(sign('sha256', attestation, { key: privateKey, dsaEncoding: 'ieee-p1363' }));
  const signature = Signature.encode({ scheme: 'ecdsa', hash: 'sha256', r: plain.subarray(0, 32), s: plain.subarray(32) });
  const log = { bytes: 0, digest: sha256() };
  return { quote: attestation, signature, registers, bootLog: log, imaLog: log };
}

/** A check during the run, as a receipt has it. */
export function checkOf(
  run: string,
  words: string,
  atMs: number,
  {
    tpm,
    changes = {},
    signer = box.sign,
  }: { tpm?: BoxTpmEvidence; changes?: Partial<BoxCheck>; signer?: (input: Uint8Array) => Uint8Array } = {},
): NonNullable<Receipt['measuredDuring']>[number] {
  const nonce = nonceOf(words);
  const check: BoxCheck = {
    ...{ network: networkIdentity, device: 'alpha', box: 'alpha-box', run, software: softwareDigest(software), madeAtMs: atMs },
    beacon: domainDigest('beacon-value', networkIdentity, nonce),
    ...(tpm ? { tpm } : {}),
    ...changes,
  };
  return { nonce, issuedAtMs: atMs - 10, evidence: signMessage(BoxCheckMessage, check, signer) };
}

function sha256(...parts: readonly Uint8Array[]): Uint8Array {
  return new Uint8Array(parts.reduce((hash, part) => hash.update(part), createHash('sha256')).digest());
}
