/**
 * The public areas from which a device's keys are made, and against which everybody checks them. Specification of the
 * endorsement keys: TCG EK Credential Profile 2.5 section B.3 (templates L-1 and L-2); of the storage key: TCG TPM v2.0
 * Provisioning Guidance section 7.5.1.
 */
import { differingAttributes, objectAttributes } from './object-attributes.ts';
import { PublicArea, type EccPublicArea, type RsaPublicArea } from './public-area.ts';

const none = new Uint8Array();
const aes128Cfb = { algorithm: 'aes', keyBits: 128, mode: 'cfb' } as const;

/** PolicySecret(TPM_RH_ENDORSEMENT): SHA-256, EK Credential Profile section B.6.2 (PolicyA). */
export const endorsementPolicy: Uint8Array = Uint8Array.fromHex('837197674484b3f81a90cc8d46a5d724fd52d76e06520b64f2a1da1b331469aa');

/** EK, template L-1: RSA-2048. The one that a node's identity is made of. */
export const endorsementKeyTemplate: RsaPublicArea = {
  type: 'rsa',
  nameAlgorithm: 'sha256',
  attributes: objectAttributes('fixedTPM', 'fixedParent', 'sensitiveDataOrigin', 'adminWithPolicy', 'restricted', 'decrypt'),
  authPolicy: endorsementPolicy,
  parameters: { symmetric: aes128Cfb, scheme: { scheme: 'null' }, keyBits: 2048, exponent: 0 },
  unique: new Uint8Array(256),
};

/** EK, template L-2: P-256. Same chip as the L-1 key, so never a second seat. */
export const eccEndorsementKeyTemplate: EccPublicArea = {
  type: 'ecc',
  nameAlgorithm: 'sha256',
  attributes: endorsementKeyTemplate.attributes,
  authPolicy: endorsementPolicy,
  parameters: { symmetric: aes128Cfb, scheme: { scheme: 'null' }, curve: 'P-256', kdf: { scheme: 'null' } },
  unique: { x: new Uint8Array(32), y: new Uint8Array(32) },
};

/** AK: signs only what the TPM itself made. A child of the EK; noDA, since a power cut must not lock a machine out. */
export const attestationKeyTemplate: EccPublicArea = {
  type: 'ecc',
  nameAlgorithm: 'sha256',
  attributes: objectAttributes('fixedTPM', 'fixedParent', 'sensitiveDataOrigin', 'userWithAuth', 'noDA', 'restricted', 'sign'),
  authPolicy: none,
  parameters: {
    symmetric: { algorithm: 'null' },
    scheme: { scheme: 'ecdsa', hash: 'sha256' },
    curve: 'P-256',
    kdf: { scheme: 'null' },
  },
  unique: { x: none, y: none },
};

/** VRF key: unrestricted decryption with no scheme, which is the raw RSA operation of RFC 9381. A child of the EK. */
export const vrfKeyTemplate: RsaPublicArea = {
  type: 'rsa',
  nameAlgorithm: 'sha256',
  attributes: objectAttributes('fixedTPM', 'fixedParent', 'sensitiveDataOrigin', 'userWithAuth', 'noDA', 'decrypt'),
  authPolicy: none,
  parameters: { symmetric: { algorithm: 'null' }, scheme: { scheme: 'null' }, keyBits: 2048, exponent: 0 },
  unique: none,
};

/** Storage root key: parent of sealed objects, in the owner hierarchy. */
export const storageKeyTemplate: EccPublicArea = {
  type: 'ecc',
  nameAlgorithm: 'sha256',
  attributes: objectAttributes('fixedTPM', 'fixedParent', 'sensitiveDataOrigin', 'userWithAuth', 'noDA', 'restricted', 'decrypt'),
  authPolicy: none,
  parameters: { symmetric: aes128Cfb, scheme: { scheme: 'null' }, curve: 'P-256', kdf: { scheme: 'null' } },
  unique: { x: new Uint8Array(32), y: new Uint8Array(32) },
};

/**
 * In what a public area departs from its template; `unique`, which the TPM fills in, is not compared.
 * @returns undefined where it doesn't
 */
export function departureFrom(template: PublicArea, given: PublicArea): string | undefined {
  if (given.type !== template.type) return `the key is ${given.type}; the template says ${template.type}`;
  const attributes = differingAttributes(template.attributes, given.attributes);
  if (attributes.length > 0)
    return `${attributes.map((name) => `${name} is ${given.attributes[name] ? 'set' : 'clear'}`).join(', ')}, unlike the template`;
  const same = PublicArea.encode(withoutUnique(template)).toHex() === PublicArea.encode(withoutUnique(given)).toHex();
  return same ? undefined : 'name algorithm, policy or parameters are not those of the template';
}

function withoutUnique(area: PublicArea): PublicArea {
  return area.type === 'ecc' ? { ...area, unique: { x: none, y: none } } : { ...area, unique: none };
}
