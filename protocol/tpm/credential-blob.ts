/** What MakeCredential returns and ActivateCredential takes. TPM 2.0 Part 2 sections 11.4.3 and 12.4. */
import { LIMITS } from '../limits.ts';
import { remainingBytes, sized, sizedBytes, struct, structure, type ValueOf } from './wire.ts';

const idObject = sized(
  struct({ integrityHmac: sizedBytes(LIMITS.tpmDigestBytesMax), encryptedIdentity: remainingBytes(LIMITS.tpmNameBytesMax) }),
);

/** TPM2B_ID_OBJECT: the credential, encrypted and bound to the name of one object. */
export type CredentialBlob = ValueOf<typeof idObject>;
export const CredentialBlob = structure('TPM2B_ID_OBJECT', LIMITS.tpmStructureBytesMax, idObject);

/** TPM2B_ENCRYPTED_SECRET: the seed, encrypted to the endorsement key. */
export const EncryptedSecret = structure('TPM2B_ENCRYPTED_SECRET', LIMITS.tpmStructureBytesMax, sizedBytes(LIMITS.tpmRsaBytesMax));
