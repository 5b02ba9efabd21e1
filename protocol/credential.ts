/**
 * Credentials of attestation keys: one member's word that another's attestation key lives in the chip of its
 * endorsement key, given after TPM2_MakeCredential and TPM2_ActivateCredential between the two. Specification §3.4.
 * TPM 2.0 Part 1 section 24 (Credential Protection); what the protocol alone doesn't show, that the key is a child of
 * the endorsement key, every attestation shows by its qualified signer.
 */
import { concatBytes } from '@noble/hashes/utils.js';
import { Moment } from './beacon.ts';
import { sameBytes } from './codec.ts';
import type { Crypto } from './crypto.ts';
import { Digest, domainPrefix, hex } from './digest.ts';
import { LIMITS } from './limits.ts';
import { attestationKeyOf, type MemberKeys } from './member-keys.ts';
import { memberOf, networkId, type Network } from './network.ts';
import { bytes, fixedBytes, list, struct, type Infer } from './schema.ts';
import { openSigned, peekSigned, signedKind } from './signed.ts';

const TpmStructure = bytes({ min: 1, max: LIMITS.tpmStructureBytesMax });

/** A Name with SHA-256: the 16-bit algorithm and the digest. */
const Name = fixedBytes(34);

export const Credential = struct({
  network: Digest,
  issuer: Digest,
  subject: Digest,
  endorsementKeyName: Name,
  attestationKeyName: Name,
  /** SHA-256 of the VRF key's TPMT_PUBLIC. */
  vrfKeyDigest: Digest,
  issuedAtMs: Moment,
});
export type Credential = Infer<typeof Credential>;

/** Signed by the issuer's attestation key. */
export const CredentialMessage = signedKind('credential', Credential, LIMITS.credentialBytesMax);

/** A secret that only the chip with the subject's endorsement key and attestation key can open. */
export const Activation = struct({
  issuer: Digest,
  subject: Digest,
  /** TPM2B_ID_OBJECT. */
  credentialBlob: TpmStructure,
  /** TPM2B_ENCRYPTED_SECRET. */
  encryptedSecret: TpmStructure,
});
export type Activation = Infer<typeof Activation>;

/** Shows that the subject's chip opened the secret. */
export const Answer = struct({ issuer: Digest, subject: Digest, proof: fixedBytes(32) });
export type Answer = Infer<typeof Answer>;

/** What travels under each topic: everything that one device has for the others at the moment (§5). */
export const Activations = list(Activation, { max: LIMITS.membersMax });
export const Answers = list(Answer, { max: LIMITS.membersMax });
export const Credentials = list(bytes({ min: 1, max: LIMITS.credentialBytesMax }), { max: LIMITS.membersMax });

/** HMAC-SHA256(secret, domain ‖ network ‖ issuer ‖ subject ‖ Name of the attestation key). */
export function answerProof(
  crypto: Crypto,
  secret: Uint8Array,
  about: {
    readonly network: Uint8Array;
    readonly issuer: Uint8Array;
    readonly subject: Uint8Array;
    readonly attestationKeyName: Uint8Array;
  },
): Uint8Array {
  return crypto.hmacSha256(
    secret,
    concatBytes(domainPrefix('activation-answer'), about.network, about.issuer, about.subject, about.attestationKeyName),
  );
}

export type CredentialRefusal =
  | 'credential-malformed'
  | 'credential-of-other-network'
  | 'credential-of-other-subject'
  | 'credential-by-subject'
  | 'credential-issuer-unknown'
  | 'credential-issuer-repeated'
  | 'credential-signature-wrong'
  | 'credential-keys-differ'
  | 'credential-in-future'
  | 'too-few-credentials';

type Refused = { readonly status: 'refused'; readonly reason: CredentialRefusal; readonly detail: string };
export type CredentialVerdict = { readonly status: 'accepted'; readonly issuer: string } | Refused;
export type CredentialsVerdict = { readonly status: 'accepted'; readonly issuers: readonly string[] } | Refused;

export interface CredentialContext {
  readonly network: Network;
  readonly crypto: Crypto;
  readonly atMs: number;
}

/** Whether enough different other members vouch for these keys. A bad credential refuses all: nobody need show one. */
export function judgeCredentials(encoded: readonly Uint8Array[], subject: MemberKeys, context: CredentialContext): CredentialsVerdict {
  const issuers: string[] = [];
  for (const one of encoded) {
    const verdict = judgeCredential(one, subject, context);
    if (verdict.status === 'refused') return verdict;
    if (issuers.includes(verdict.issuer))
      return refused('credential-issuer-repeated', `two credentials are by ${verdict.issuer}; each must be by another member`);
    issuers.push(verdict.issuer);
  }
  const { credentialsMin } = context.network.genesis;
  if (issuers.length < credentialsMin)
    return refused('too-few-credentials', `${issuers.length} other members vouch for the attestation key; ${credentialsMin} must`);
  return { status: 'accepted', issuers };
}

/** Whether one other member vouches for exactly these keys. */
export function judgeCredential(encoded: Uint8Array, subject: MemberKeys, context: CredentialContext): CredentialVerdict {
  const claimed = peekSigned(CredentialMessage, encoded);
  if (claimed.status === 'malformed') return refused('credential-malformed', claimed.detail);
  const issuer = memberOf(context.network, claimed.value.issuer);
  const key = issuer && attestationKeyOf(issuer, context.crypto);
  if (!issuer || !key) return refused('credential-issuer-unknown', 'a credential was issued by nobody in the network file');
  const opened = openSigned(CredentialMessage, encoded, { algorithm: 'ecdsa-p256-sha256', point: key.point }, context.crypto);
  if (opened.status === 'refused') return refused('credential-signature-wrong', `${opened.detail}, ${issuer.name}'s`);
  return judgeClaims(opened.value, subject, context) ?? { status: 'accepted', issuer: issuer.name };
}

function judgeClaims(credential: Credential, subject: MemberKeys, context: CredentialContext): Refused | undefined {
  if (!sameBytes(credential.network, networkId(context.network)))
    return refused('credential-of-other-network', 'a credential belongs to another network');
  if (!sameBytes(credential.subject, subject.node))
    return refused('credential-of-other-subject', `a credential is for ${hex(credential.subject)}`);
  if (sameBytes(credential.issuer, subject.node))
    return refused('credential-by-subject', 'the device vouches for itself; other members must');
  if (!namesTheKeys(credential, subject)) return refused('credential-keys-differ', 'a credential names other keys than those shown');
  if (credential.issuedAtMs <= context.atMs + LIMITS.clockSkewMaxMs) return undefined;
  return refused('credential-in-future', 'a credential is dated after now');
}

function namesTheKeys(credential: Credential, subject: MemberKeys): boolean {
  return (
    sameBytes(credential.endorsementKeyName, subject.endorsementKey.name) &&
    sameBytes(credential.attestationKeyName, subject.attestationKey.name) &&
    sameBytes(credential.vrfKeyDigest, subject.vrfKeyDigest)
  );
}

function refused(reason: CredentialRefusal, detail: string): Refused {
  return { status: 'refused', reason, detail };
}
