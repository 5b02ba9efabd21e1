/** Evidence captured from a software TPM, and what was judged from it. test/vectors/tpm/README.md. */
import { readFileSync } from 'node:fs';
import { judgeAttestationKey, type AttestationKey } from '#protocol/tpm/attestation-key.ts';
import type { SignedAttestation } from '#protocol/tpm/attestation.ts';
import { judgeVrfKey, type VrfKey } from '#protocol/tpm/certified-key.ts';
import { judgeEndorsementKey, type EndorsementKey } from '#protocol/tpm/endorsement-key.ts';
import { createNodeCrypto } from '../../../device/crypto-node.ts';

export const crypto = createNodeCrypto();

type Hex = string;
export type CapturedSigned = { attestation: Hex; signature: Hex; pcrs?: { index: number; value: Hex }[] };

type Attack =
  | 'forgedMagic'
  | 'nvCertified'
  | 'resettablePcrs'
  | 'morePcrs'
  | 'noPcrs'
  | 'inactiveBank'
  | 'zeroPcrs'
  | 'unrestrictedKey'
  | 'primaryKeyQuote'
  | 'ownerKeyTime'
  | 'certifiedOtherKey';

type Captured = Record<
  | 'qualifyingData'
  | 'outsideInfo'
  | 'certifyQualifyingData'
  | 'endorsementKey'
  | 'attestationKey'
  | 'vrfKey'
  | 'unrestrictedKey'
  | 'primaryKey'
  | 'ownerKey'
  | 'certificate'
  | 'intermediate'
  | 'root'
  | 'creationData',
  Hex
> &
  Record<'quote' | 'time' | 'certify' | 'certifyCreation', CapturedSigned> & {
    pcrs: { index: number; value: Hex }[];
    attacks: Record<Attack, CapturedSigned>;
  };

export const captured = vectors('evidence.json') as Captured;
export const qualifyingData = hex(captured.qualifyingData);
export const policy = { bank: 'sha256', indices: [8, 14] } as const;

export function vectors(file: string): unknown {
  return JSON.parse(readFileSync(new URL(`../../vectors/tpm/${file}`, import.meta.url), 'utf8'));
}

export function hex(text: Hex): Uint8Array {
  return Uint8Array.fromHex(text);
}

export function signed({ attestation, signature }: CapturedSigned): SignedAttestation {
  return { attestation: hex(attestation), signature: hex(signature) };
}

/** A captured quote with the register values that belong to it. */
export function quoteOf(given: CapturedSigned): SignedAttestation & { pcrs: Map<number, Uint8Array> } {
  return { ...signed(given), pcrs: new Map((given.pcrs ?? captured.pcrs).map(({ index, value }) => [index, hex(value)])) };
}

export function endorsementKey(): EndorsementKey {
  const verdict = judgeEndorsementKey(crypto, hex(captured.endorsementKey));
  if (verdict.status === 'refused') throw new Error(verdict.detail);
  return verdict.key;
}

/** Judged as a child of the endorsement key, whatever it really is. */
export function attestationKey(publicArea: Hex = captured.attestationKey): AttestationKey {
  const verdict = judgeAttestationKey(crypto, hex(publicArea), endorsementKey());
  if (verdict.status === 'refused') throw new Error(verdict.detail);
  return verdict.key;
}

export function vrfKey(): VrfKey {
  const verdict = judgeVrfKey(crypto, hex(captured.vrfKey), endorsementKey());
  if (verdict.status === 'refused') throw new Error(verdict.detail);
  return verdict.key;
}

export function reasonOf(verdict: { status: string; reason?: string }): string {
  return verdict.reason ?? verdict.status;
}

export function flipped(bytes: Uint8Array, at: number): Uint8Array {
  const index = at < 0 ? bytes.length + at : at;
  return bytes.with(index, (bytes[index] ?? 0) ^ 1);
}
