/**
 * Enrolment: what a device shows to the founder of a network, who makes the network file of it. Specification §4.3.
 *
 * A card is bound to the founding by the genesis salt: the VRF key was made for it, and the attestation key certifies
 * that key together with everything else the card says. The card alone does not show that the keys live in a chip: a
 * copied certificate and keys made in software give one too. The founder has the attestation key activated (§4.3).
 */
import { decodeStrict, encodeStrict } from './codec.ts';
import type { Crypto } from './crypto.ts';
import { domainDigest } from './digest.ts';
import { LIMITS } from './limits.ts';
import { judgeMemberKeys, type MemberKeys, type MemberKeysRefusal } from './member-keys.ts';
import { Member, memberDigest, type Genesis } from './network.ts';
import { bytes, fixedBytes, list, struct, type Infer } from './schema.ts';
import { judgeCertification, judgeCreation, type CertificationVerdict, type CreationVerdict } from './tpm/certified-key.ts';
import { judgeVrfKeyRoots, vrfKeyRootsCount, vrfProofBytes } from './tpm/vrf.ts';

const TpmStructure = bytes({ min: 1, max: LIMITS.tpmStructureBytesMax });

/** TPMS_ATTEST and TPMT_SIGNATURE. */
const Attestation = { attestation: TpmStructure, signature: TpmStructure };

export const MemberCard = struct({
  member: Member,
  /** TPM2_Certify of the VRF key by the attestation key. */
  vrfKeyCertification: struct(Attestation),
  /** TPM2_CertifyCreation of the VRF key, and its TPMS_CREATION_DATA. */
  vrfKeyCreation: struct({ ...Attestation, creationData: TpmStructure }),
  /** e-th roots of values derived from the key: it is a permutation, so that proofs are unique. */
  vrfKeyRoots: list(fixedBytes(vrfProofBytes), { min: vrfKeyRootsCount, max: vrfKeyRootsCount }),
});
export type MemberCard = Infer<typeof MemberCard>;

/** Outside information with which the VRF key is made for a founding. */
export function vrfKeyPurpose(salt: Uint8Array): Uint8Array {
  return domainDigest('enrolment', salt);
}

/** Qualifying data of both certifications: the founding, and everything that the card says of the member. */
export function enrolmentQualifier(salt: Uint8Array, member: Member): Uint8Array {
  return domainDigest('enrolment', salt, memberDigest(member));
}

export function encodeMemberCard(card: MemberCard): Uint8Array {
  return encodeStrict(MemberCard, card);
}

type RefusalOf<Verdict> = Extract<Verdict, { status: 'refused' }> extends { reason: infer Reason extends string } ? Reason : never;

export type MemberCardRefusal =
  | 'malformed'
  | MemberKeysRefusal
  | `vrf-key-certification-${RefusalOf<CertificationVerdict>}`
  | `vrf-key-creation-${RefusalOf<CreationVerdict>}`
  | 'vrf-key-roots-wrong';

export type MemberCardVerdict =
  | { readonly status: 'accepted'; readonly member: Member; readonly keys: MemberKeys }
  | { readonly status: 'refused'; readonly reason: MemberCardRefusal; readonly detail: string };

export interface FoundingContext {
  readonly salt: Uint8Array;
  readonly authorities: Genesis['endorsementAuthorities'];
  readonly crypto: Crypto;
  readonly atMs: number;
}

/** Whether a card may become a seat of the network being founded with this salt, once its attestation key is activated. */
export function judgeMemberCard(encoded: Uint8Array, context: FoundingContext): MemberCardVerdict {
  const decoded = decodeStrict(MemberCard, encoded, LIMITS.signedBytesMax);
  if (decoded.status === 'malformed') return refused('malformed', decoded.detail);
  const { member } = decoded.value;
  const keys = judgeMemberKeys(member, context.authorities, context);
  if (keys.status === 'refused') return keys;
  return judgeVrfKey(decoded.value, keys.keys, context) ?? { status: 'accepted', member, keys: keys.keys };
}

function judgeVrfKey(card: MemberCard, keys: MemberKeys, { crypto, salt }: FoundingContext): MemberCardVerdict | undefined {
  const qualifier = enrolmentQualifier(salt, card.member);
  const certification = judgeCertification(crypto, keys.attestationKey, keys.vrfKey, card.vrfKeyCertification, qualifier);
  if (certification.status === 'refused') return refused(`vrf-key-certification-${certification.reason}`, certification.detail);
  const creation = judgeCreation(crypto, keys, card.vrfKeyCreation, qualifier, vrfKeyPurpose(salt));
  if (creation.status === 'refused') return refused(`vrf-key-creation-${creation.reason}`, creation.detail);
  if (judgeVrfKeyRoots(crypto, keys.vrfKey.modulus, card.vrfKeyRoots) === 'well-formed') return undefined;
  return refused('vrf-key-roots-wrong', 'the VRF key does not show the roots of its own values: its proofs might not be unique');
}

function refused(reason: MemberCardRefusal, detail: string): MemberCardVerdict {
  return { status: 'refused', reason, detail };
}
