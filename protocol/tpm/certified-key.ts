/**
 * The VRF key, certified by the attestation key: it is in this chip, a child of this endorsement key, made for this
 * beacon. TPM 2.0 Part 3 sections 18.2 (TPM2_Certify) and 18.3 (TPM2_CertifyCreation).
 */
import { equalBytes } from '@noble/curves/utils.js';
import type { Crypto } from '../crypto.ts';
import type { AttestationKey } from './attestation-key.ts';
import { judgeAttestation, refused, type AttestationRefusal, type Refused, type SignedAttestation } from './attestation.ts';
import { CreationData } from './creation-data.ts';
import { judgeModulus, type EndorsementKey } from './endorsement-key.ts';
import { nameOf, qualifiedName } from './name.ts';
import { PublicArea } from './public-area.ts';
import { departureFrom, vrfKeyTemplate } from './templates.ts';

export interface VrfKey {
  name: Uint8Array;
  /** As a child of the endorsement key it was judged with. */
  qualifiedName: Uint8Array;
  /** 256 bytes, big-endian; the exponent is 65537. */
  modulus: Uint8Array;
}

export type VrfKeyVerdict = { status: 'accepted'; key: VrfKey } | Refused<'malformed' | 'not-the-template' | 'unusable-key' | 'weak-key'>;

/** @param publicArea TPMT_PUBLIC */
export function judgeVrfKey(crypto: Crypto, publicArea: Uint8Array, endorsementKey: EndorsementKey): VrfKeyVerdict {
  const decoded = PublicArea.decode(publicArea);
  if (decoded.status === 'malformed') return refused('malformed', decoded.detail);
  const area = decoded.value;
  const departure = departureFrom(vrfKeyTemplate, area);
  if (departure !== undefined || area.type !== 'rsa') return refused('not-the-template', `VRF key: ${departure ?? 'not RSA'}`);
  const unusable = judgeModulus(area.unique);
  if (unusable !== undefined) return { status: 'refused', ...unusable };
  const names = { name: nameOf(crypto, area), qualifiedName: qualifiedName(crypto, endorsementKey.qualifiedName, area) };
  return { status: 'accepted', key: { ...names, modulus: area.unique } };
}

export type CertificationVerdict = { status: 'accepted' } | Refused<AttestationRefusal | 'other-key' | 'other-parent'>;

/** Judges what TPM2_Certify returned for the VRF key. */
export function judgeCertification(
  crypto: Crypto,
  attestationKey: AttestationKey,
  vrfKey: VrfKey,
  signed: SignedAttestation,
  qualifyingData: Uint8Array,
): CertificationVerdict {
  const attestation = judgeAttestation(crypto, 'certify', attestationKey, signed, qualifyingData);
  if (attestation.status === 'refused') return attestation;
  const { attested } = attestation.body;
  if (!equalBytes(attested.name, vrfKey.name)) return refused('other-key', 'the TPM certified another key');
  if (!equalBytes(attested.qualifiedName, vrfKey.qualifiedName)) {
    return refused('other-parent', 'the certified key is not a child of the endorsement key');
  }
  return { status: 'accepted' };
}

export interface CertifiedCreation extends SignedAttestation {
  /** TPMS_CREATION_DATA. */
  creationData: Uint8Array;
}

export type CreationVerdict =
  { status: 'accepted' } | Refused<AttestationRefusal | 'other-key' | 'other-parent' | 'other-creation-data' | 'other-outside-info'>;

/**
 * Judges what TPM2_CertifyCreation returned for the VRF key.
 * @param outsideInfo what was given when the key was made; a recent beacon shows that it is not older
 */
export function judgeCreation(
  crypto: Crypto,
  keys: { attestationKey: AttestationKey; endorsementKey: EndorsementKey; vrfKey: VrfKey },
  signed: CertifiedCreation,
  qualifyingData: Uint8Array,
  outsideInfo: Uint8Array,
): CreationVerdict {
  const attestation = judgeAttestation(crypto, 'creation', keys.attestationKey, signed, qualifyingData);
  if (attestation.status === 'refused') return attestation;
  const { objectName, creationHash } = attestation.body.attested;
  if (!equalBytes(objectName, keys.vrfKey.name)) return refused('other-key', 'the TPM certified the creation of another key');
  if (!equalBytes(crypto.sha256(signed.creationData), creationHash)) {
    return refused('other-creation-data', 'the creation data is not what the TPM hashed');
  }
  return judgeCircumstances(keys.endorsementKey, signed.creationData, outsideInfo);
}

function judgeCircumstances(endorsementKey: EndorsementKey, creationData: Uint8Array, outsideInfo: Uint8Array): CreationVerdict {
  const decoded = CreationData.decode(creationData);
  if (decoded.status === 'malformed') return refused('malformed', decoded.detail);
  const { parentName, parentQualifiedName, outsideInfo: given } = decoded.value;
  if (!equalBytes(parentName, endorsementKey.name) || !equalBytes(parentQualifiedName, endorsementKey.qualifiedName)) {
    return refused('other-parent', 'the key was not made under the endorsement key');
  }
  if (!equalBytes(given, outsideInfo)) {
    return refused('other-outside-info', `the key was made for ${given.toHex()}; ${outsideInfo.toHex()} is expected`);
  }
  return { status: 'accepted' };
}
