/** The card of somebody who has a copied certificate and keys made in software, but no chip. Specification §4.3. */
import { constants, generateKeyPairSync, privateDecrypt, sign, type KeyObject } from 'node:crypto';

import { encodeMemberCard, enrolmentQualifier, vrfKeyPurpose, type FoundingContext } from '#protocol/enrolment.ts';
import { judgeMemberKeys, type MemberKeys } from '#protocol/member-keys.ts';
import type { Member } from '#protocol/network.ts';
import { Attest, tpmGenerated } from '#protocol/tpm/attest.ts';
import { CreationData } from '#protocol/tpm/creation-data.ts';
import { PublicArea } from '#protocol/tpm/public-area.ts';
import { attestationKeyTemplate, vrfKeyTemplate } from '#protocol/tpm/templates.ts';
import { vrfKeyRootMessages } from '#protocol/tpm/vrf.ts';
import { tpmSignature } from '../attestation/forger.ts';

/** What somebody without a TPM makes of a member's certificate: everything that the new keys can sign. */
export function forgedCard(copied: Member, founding: FoundingContext): Uint8Array {
  const { crypto, salt } = founding;
  const attestation = generateKeyPairSync('ec', { namedCurve: 'P-256' });
  const vrf = generateKeyPairSync('rsa', { modulusLength: 2048 });
  const member = { ...copied, attestationKey: eccArea(attestation.publicKey), vrfKey: rsaArea(vrf.publicKey) };
  const judged = judgeMemberKeys(member, founding.authorities, founding);
  if (judged.status === 'refused') throw new Error(`the keys don't even look right: ${judged.detail}`);
  const { keys } = judged;
  const creationData = creationDataOf(keys, salt);
  const attest = attester(attestation.privateKey, keys, enrolmentQualifier(salt, member));
  const { name, qualifiedName, modulus } = keys.vrfKey;
  return encodeMemberCard({
    member,
    vrfKeyCertification: attest({ kind: 'certify', attested: { name, qualifiedName } }),
    vrfKeyCreation: {
      ...attest({ kind: 'creation', attested: { objectName: name, creationHash: crypto.sha256(creationData) } }),
      creationData,
    },
    vrfKeyRoots: vrfKeyRootMessages(crypto, modulus).map((message) => rootOf(vrf.privateKey, message)),
  });
}

type Certified = Pick<Extract<Attest['body'], { kind: 'certify' }>, 'kind' | 'attested'>;
type Created = Pick<Extract<Attest['body'], { kind: 'creation' }>, 'kind' | 'attested'>;

function attester(key: KeyObject, keys: MemberKeys, extraData: Uint8Array) {
  const clockInfo = { clock: 1n, resetCount: 1, restartCount: 0, safe: true };
  const common = { qualifiedSigner: keys.attestationKey.qualifiedName, extraData, clockInfo, firmwareVersion: 1n };
  return (about: Certified | Created): { attestation: Uint8Array; signature: Uint8Array } => {
    const attestation = Attest.encode({ magic: tpmGenerated, body: { ...common, ...about } });
    const signature = sign('sha256', attestation, { key, dsaEncoding: 'ieee-p1363' });
    return { attestation, signature: tpmSignature(new Uint8Array(signature)) };
  };
}

function creationDataOf({ endorsementKey }: MemberKeys, salt: Uint8Array): Uint8Array {
  return CreationData.encode({
    pcrSelection: [],
    pcrDigest: new Uint8Array(),
    locality: 1,
    parentNameAlgorithm: 'sha256',
    parentName: endorsementKey.name,
    parentQualifiedName: endorsementKey.qualifiedName,
    outsideInfo: vrfKeyPurpose(salt),
  });
}

function eccArea(key: KeyObject): Uint8Array {
  const { x, y } = key.export({ format: 'jwk' });
  return PublicArea.encode({ ...attestationKeyTemplate, unique: { x: fromJwk(x), y: fromJwk(y) } });
}

function rsaArea(key: KeyObject): Uint8Array {
  return PublicArea.encode({ ...vrfKeyTemplate, unique: fromJwk(key.export({ format: 'jwk' }).n) });
}

function rootOf(key: KeyObject, message: Uint8Array): Uint8Array {
  return new Uint8Array(privateDecrypt({ key, padding: constants.RSA_NO_PADDING }, message));
}

function fromJwk(number = ''): Uint8Array {
  return Uint8Array.fromBase64(number, { alphabet: 'base64url' });
}
