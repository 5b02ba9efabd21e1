/**
 * The keys of a member and what can be known of them without its TPM: the endorsement key is certified by an authority
 * that genesis accepts, and the others have the templates of keys that are its children. Specification §3.1 and §3.2.
 */
import type { Crypto } from './crypto.ts';
import { blobDigest } from './digest.ts';
import { nodeIdOf, type Genesis, type Member } from './network.ts';
import { judgeAttestationKey, type AttestationKey } from './tpm/attestation-key.ts';
import { judgeVrfKey, type VrfKey } from './tpm/certified-key.ts';
import { judgeEndorsementCertificate, type EndorsementCertificateRefusal } from './tpm/endorsement-certificate.ts';
import { judgeEndorsementKey, type EndorsementKey } from './tpm/endorsement-key.ts';

export interface MemberKeys {
  readonly name: string;
  readonly node: Uint8Array;
  readonly endorsementKey: EndorsementKey;
  readonly attestationKey: AttestationKey;
  readonly vrfKey: VrfKey;
  /** SHA-256 of the VRF key's TPMT_PUBLIC. */
  readonly vrfKeyDigest: Uint8Array;
  readonly softwareTpm: boolean;
}

type KeyFault = 'malformed' | 'not-the-template' | 'unusable-key' | 'weak-key';
export type MemberKeysRefusal =
  | `endorsement-key-${KeyFault}`
  | `attestation-key-${KeyFault}`
  | `vrf-key-${KeyFault}`
  | `endorsement-certificate-${EndorsementCertificateRefusal}`;

export type MemberKeysVerdict =
  | { readonly status: 'accepted'; readonly keys: MemberKeys }
  | { readonly status: 'refused'; readonly reason: MemberKeysRefusal; readonly detail: string };

type Shown = Pick<Member, 'name' | 'endorsementKey' | 'endorsementCertificate' | 'endorsementIntermediates' | 'attestationKey' | 'vrfKey'>;

/** @param authorities those of genesis. @param context.atMs when the certificate must be valid */
export function judgeMemberKeys(
  member: Shown,
  authorities: Genesis['endorsementAuthorities'],
  context: { readonly crypto: Crypto; readonly atMs: number },
): MemberKeysVerdict {
  const { crypto } = context;
  const endorsement = judgeEndorsementKey(crypto, member.endorsementKey);
  if (endorsement.status === 'refused') return refused(`endorsement-key-${endorsement.reason}`, endorsement.detail);
  const chain = { certificate: member.endorsementCertificate, intermediates: member.endorsementIntermediates };
  const certificate = judgeEndorsementCertificate(crypto, endorsement.key, chain, authorities, context.atMs);
  if (certificate.status === 'refused') return refused(`endorsement-certificate-${certificate.reason}`, certificate.detail);
  const attestation = judgeAttestationKey(crypto, member.attestationKey, endorsement.key);
  if (attestation.status === 'refused') return refused(`attestation-key-${attestation.reason}`, attestation.detail);
  const vrf = judgeVrfKey(crypto, member.vrfKey, endorsement.key);
  if (vrf.status === 'refused') return refused(`vrf-key-${vrf.reason}`, vrf.detail);
  const named = { name: member.name, node: nodeIdOf(member.endorsementKey), vrfKeyDigest: blobDigest(member.vrfKey) };
  return {
    status: 'accepted',
    keys: {
      ...named,
      endorsementKey: endorsement.key,
      attestationKey: attestation.key,
      vrfKey: vrf.key,
      softwareTpm: certificate.authority.softwareTpm,
    },
  };
}

/** The key with which a member signs beacons and credentials; undefined where it hasn't the template. */
export function attestationKeyOf(member: Pick<Member, 'endorsementKey' | 'attestationKey'>, crypto: Crypto): AttestationKey | undefined {
  const known = attestationKeys.get(member);
  if (known) return known;
  const endorsement = judgeEndorsementKey(crypto, member.endorsementKey);
  if (endorsement.status === 'refused') return undefined;
  const attestation = judgeAttestationKey(crypto, member.attestationKey, endorsement.key);
  if (attestation.status === 'refused') return undefined;
  attestationKeys.set(member, attestation.key);
  return attestation.key;
}

/** A card never changes: reading its keys costs most of what one signature costs, and each judgement asks for them. */
const attestationKeys = new WeakMap<object, AttestationKey>();

function refused(reason: MemberKeysRefusal, detail: string): MemberKeysVerdict {
  return { status: 'refused', reason, detail };
}
