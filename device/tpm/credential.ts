/**
 * Credentials: a secret that only the chip with one endorsement key and one other key can open.
 * TPM 2.0 Part 1 section 24; Part 3 sections 12.5 (ActivateCredential) and 12.6 (MakeCredential).
 */
import { sized, unsized } from './answer.ts';
import { hierarchies, none, password, type PersistentHandle } from './handle.ts';
import { authorizeByEndorsement, unauthorized, withEncryptedPolicy } from './session.ts';
import { withLoaded, type Tpm } from './tpm.ts';

export interface Credential {
  /** TPM2B_ID_OBJECT. */
  readonly blob: Uint8Array;
  /** TPM2B_ENCRYPTED_SECRET. */
  readonly secret: Uint8Array;
}

/**
 * TPM2_MakeCredential; needs no authorisation, and no chip either: protocol/tpm makes the same without one.
 * @param request.endorsementKey TPMT_PUBLIC of the chip that shall open it
 * @param request.name of the key that must be loaded beside it
 * @param request.credential at most 32 bytes
 */
export async function makeCredential(
  tpm: Tpm,
  request: { endorsementKey: Uint8Array; name: Uint8Array; credential: Uint8Array },
): Promise<Credential> {
  return tpm.exclusive(async (chip) => {
    const key = await chip.esys.LoadExternal(...unauthorized, null, sized(request.endorsementKey), hierarchies.null);
    return withLoaded(chip, key, async () => {
      const [blob, secret] = await chip.esys.MakeCredential(key, ...unauthorized, sized(request.credential), sized(request.name));
      return { blob, secret };
    });
  });
}

/**
 * TPM2_ActivateCredential. The credential leaves the chip encrypted.
 * @returns the credential
 * @throws TpmError where it was made for another endorsement key or another name
 */
export async function activateCredential(
  tpm: Tpm,
  request: { endorsementKey: PersistentHandle; key: PersistentHandle; credential: Credential },
): Promise<Uint8Array> {
  return tpm.exclusive(async (chip) => {
    const [endorsementKey, key] = [await chip.resolve(request.endorsementKey), await chip.resolve(request.key)];
    return withEncryptedPolicy(chip, async (session, encrypt) => {
      await authorizeByEndorsement(chip, session);
      await encrypt('out');
      const { blob, secret } = request.credential;
      return unsized(await chip.esys.ActivateCredential(key, endorsementKey, password, session, none, blob, secret));
    });
  });
}
