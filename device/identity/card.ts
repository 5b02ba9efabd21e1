/** The card by which a device is enrolled: everything the founder of a network needs to give it a seat. Specification §4.3. */
import { encodeMemberCard, enrolmentQualifier, vrfKeyPurpose } from '#protocol/enrolment.ts';
import type { Crypto } from '#protocol/crypto.ts';
import type { Member } from '#protocol/network.ts';
import { sameBytes } from '#protocol/codec.ts';
import { PublicArea } from '#protocol/tpm/public-area.ts';
import { vrfKeyRootMessages } from '#protocol/tpm/vrf.ts';

import { requireDecoded } from '../tpm/answer.ts';
import { certify, certifyCreation, type Attestation } from '../tpm/attestation.ts';
import { keyHandles } from '../tpm/keys.ts';
import { makeVrfKey, type EnrolledVrfKey } from './device-keys.ts';
import type { Identity } from './identity.ts';

export interface CardRequest {
  /** Of the genesis that is being made, 16 bytes. */
  readonly salt: Uint8Array;
  readonly name: string;
  /** `mqtts://host:port` of the listener for peers. */
  readonly peersUrl: string;
  /** Authority of this device's certificates towards peers, DER. */
  readonly peersAuthority: Uint8Array;
  /** Between the endorsement key's certificate and the authority that genesis names, DER. */
  readonly endorsementIntermediates: readonly Uint8Array[];
  readonly crypto: Crypto;
}

/** Makes the card: encoded `MemberCard`. A device that was enrolled with this salt shows the same VRF key again. */
export async function makeCard(identity: Identity, request: CardRequest): Promise<Uint8Array> {
  const vrfKey = await vrfKeyFor(identity, request.salt);
  const member = memberOf(identity, vrfKey, request);
  const qualifyingData = enrolmentQualifier(request.salt, member);
  const keys = { signer: keyHandles.attestationKey, subject: keyHandles.vrfKey, qualifyingData };
  const certification = await identity.ask((tpm) => certify(tpm, keys));
  const creation = await identity.ask((tpm) => certifyCreation(tpm, { ...keys, created: vrfKey }));
  return encodeMemberCard({
    member,
    vrfKeyCertification: shown(certification),
    vrfKeyCreation: { ...shown(creation), creationData: vrfKey.creationData },
    vrfKeyRoots: await rootsOf(identity, vrfKey, request.crypto),
  });
}

async function vrfKeyFor(identity: Identity, salt: Uint8Array): Promise<EnrolledVrfKey> {
  if (identity.vrfKey && sameBytes(identity.vrfKey.salt, salt)) return identity.vrfKey;
  const made = await identity.ask((tpm) => makeVrfKey(tpm, salt, vrfKeyPurpose(salt)));
  await identity.rememberVrfKey(made);
  return made;
}

function memberOf(identity: Identity, vrfKey: EnrolledVrfKey, request: CardRequest): Member {
  return {
    name: request.name,
    peersUrl: request.peersUrl,
    peersAuthority: request.peersAuthority,
    endorsementCertificate: identity.keys.endorsementCertificate,
    endorsementIntermediates: [...request.endorsementIntermediates],
    endorsementKey: identity.keys.endorsementKey.publicArea,
    attestationKey: identity.keys.attestationKey.publicArea,
    vrfKey: vrfKey.publicArea,
  };
}

/** One after the other: a chip does one at a time. */
async function rootsOf(identity: Identity, vrfKey: EnrolledVrfKey, crypto: Crypto): Promise<Uint8Array[]> {
  const area = requireDecoded(PublicArea, vrfKey.publicArea);
  if (area.type !== 'rsa') throw new Error('The TPM made a VRF key that is not an RSA key');
  const roots: Uint8Array[] = [];
  for (const message of vrfKeyRootMessages(crypto, area.unique)) roots.push(await identity.applyVrfKey(message));
  return roots;
}

function shown({ attest, signature }: Attestation): { attestation: Uint8Array; signature: Uint8Array } {
  return { attestation: attest, signature };
}
