/** Certified time: how long this TPM has had power, and which start this is. TPM 2.0 Part 3 section 18.7 (TPM2_GetTime). */
import type { Crypto } from '../crypto.ts';
import type { AttestationKey } from './attestation-key.ts';
import { judgeAttestation, refused, type AttestationRefusal, type Refused, type SignedAttestation } from './attestation.ts';
import type { AttestBody } from './attest.ts';
import type { ClockInfo } from './clock-info.ts';

export interface CertifiedTime {
  /** ms since the TPM got power; no command sets it, though its rate can be raised by 20 %. */
  timeMs: bigint;
  /** `clock` in ms can be set forward by the owner. */
  clockInfo: ClockInfo;
  firmwareVersion: bigint;
}

export type CertifiedTimeVerdict = { status: 'accepted'; time: CertifiedTime } | Refused<AttestationRefusal | 'obfuscated-clock'>;

/** Takes the inner fields, which are plain for every key. */
export function judgeCertifiedTime(
  crypto: Crypto,
  key: AttestationKey,
  signed: SignedAttestation,
  qualifyingData: Uint8Array,
): CertifiedTimeVerdict {
  const attestation = judgeAttestation(crypto, 'time', key, signed, qualifyingData);
  if (attestation.status === 'refused') return attestation;
  if (!outerAgrees(attestation.body)) {
    return refused('obfuscated-clock', 'outer and inner counters differ, as they do for a key outside the endorsement hierarchy');
  }
  const { timeInfo, firmwareVersion } = attestation.body.attested;
  return { status: 'accepted', time: { timeMs: timeInfo.time, clockInfo: timeInfo.clockInfo, firmwareVersion } };
}

/** The outer ones are obfuscated for keys of the owner and null hierarchies (Part 1 section 36.7). */
function outerAgrees({ clockInfo, firmwareVersion, attested }: AttestBody<'time'>): boolean {
  const inner = attested.timeInfo.clockInfo;
  return (
    clockInfo.resetCount === inner.resetCount &&
    clockInfo.restartCount === inner.restartCount &&
    firmwareVersion === attested.firmwareVersion
  );
}
