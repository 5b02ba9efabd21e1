/**
 * Activation of an attestation key for the founder of a network, who has nobody's credentials to go by yet: a secret that
 * another chip closed for the certified endorsement key and the attestation key is opened only by the chip that has both. Specification §4.3; TPM 2.0 Part 1 section 24.
 */
import { sameBytes } from '#protocol/codec.ts';
import type { MemberKeys } from '#protocol/member-keys.ts';
import type { Member } from '#protocol/network.ts';
import { activateCredential, makeCredential, type Credential } from '../tpm/credential.ts';
import { keyHandles } from '../tpm/keys.ts';
import type { Tpm } from '../tpm/tpm.ts';

export interface Applicant {
  readonly member: Member;
  /** As they were judged with the member's card. */
  readonly keys: MemberKeys;
  readonly tpm: Tpm;
}

/**
 * @param closer another device: the applicant's own chip would learn the secret
 * @param secret random, 32 bytes, for these two only
 * @throws Error that says why the applicant gets no seat
 */
export async function requireActivation(applicant: Applicant, closer: Applicant, secret: Uint8Array): Promise<void> {
  const { name, endorsementKey } = applicant.member;
  const closed = await makeCredential(closer.tpm, { endorsementKey, name: applicant.keys.attestationKey.name, credential: secret });
  const opened = await openClosed(applicant, closed).catch((cause: unknown) => {
    const why = cause instanceof Error ? cause.message : String(cause);
    throw new Error(`device ${name} gets no seat: its TPM can't open what ${closer.member.name} closed for the keys on its card: ${why}`, {
      cause,
    });
  });
  if (!sameBytes(opened, secret))
    throw new Error(`device ${name} gets no seat: what it opened is not what ${closer.member.name} closed for the keys on its card`);
}

async function openClosed({ tpm, keys }: Applicant, credential: Credential): Promise<Uint8Array> {
  tpm.pinSaltKey(keyHandles.endorsementKey, keys.endorsementKey.name);
  const { endorsementKey, attestationKey } = keyHandles;
  return activateCredential(tpm, { endorsementKey, key: attestationKey, credential });
}
