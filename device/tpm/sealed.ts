/**
 * Sealed secrets: small data that the chip gives back only under a policy. TPM 2.0 Part 3 sections 12.1 (Create) and
 * 12.7 (Unseal). A secret crosses the bus encrypted in both directions.
 */
import { objectAttributes } from '#protocol/tpm/object-attributes.ts';
import { SizedPublicArea, type PublicArea } from '#protocol/tpm/public-area.ts';

import { sized, unsized } from './answer.ts';
import { none, password, type PersistentHandle } from './handle.ts';
import { withLoadedKey, type WrappedKey } from './keys.ts';
import { satisfy, type UnsealPolicy } from './policy.ts';
import { withEncryptedPolicy, withEncryption } from './session.ts';
import type { Tpm } from './tpm.ts';

/** MAX_SYM_DATA of the reference code, which chips share. */
const secretBytesMax = 128;

/**
 * Seals a secret.
 * @param request.parent a storage key with an empty authorisation value
 * @param request.policy digest under which it opens: `pcrPolicy` or `authorizedPolicy`
 * @param request.secret at most 128 bytes: longer ones are encrypted under a sealed key
 */
export async function seal(tpm: Tpm, request: { parent: PersistentHandle; policy: Uint8Array; secret: Uint8Array }): Promise<WrappedKey> {
  if (request.secret.length < 1 || request.secret.length > secretBytesMax) {
    throw new RangeError(`The secret is ${request.secret.length} bytes; 1 to ${secretBytesMax} can be sealed`);
  }
  return tpm.exclusive(async (chip) => {
    const parent = await chip.resolve(request.parent);
    return withEncryption(chip, 'in', async (session) => {
      const sensitive = sized(new Uint8Array([0, 0, ...sized(request.secret)]));
      const [privateArea, publicArea] = await chip.esys.Create(
        parent,
        password,
        session,
        none,
        sensitive,
        SizedPublicArea.encode(sealedArea(request.policy)),
        nothing,
        noPcrs,
      );
      sensitive.fill(0);
      return { privateArea: unsized(privateArea), publicArea: unsized(publicArea) };
    });
  });
}

/**
 * Opens a sealed secret.
 * @throws TpmError where the registers are not as the policy says, or the parent is another one
 */
export async function unseal(
  tpm: Tpm,
  request: { parent: PersistentHandle; sealed: WrappedKey; policy: UnsealPolicy },
): Promise<Uint8Array> {
  return tpm.exclusive((chip) =>
    withEncryptedPolicy(chip, async (session, encrypt) => {
      await satisfy(chip, session, request.policy);
      await encrypt('out');
      return withLoadedKey(chip, request.parent, request.sealed, async (object) =>
        unsized(await chip.esys.Unseal(object, session, none, none)),
      );
    }),
  );
}

/** Empty TPM2B_DATA and TPML_PCR_SELECTION. */
const nothing = new Uint8Array(2);
const noPcrs = new Uint8Array(4);

/** A data object that nothing but its policy opens. */
function sealedArea(authPolicy: Uint8Array): PublicArea {
  return {
    type: 'keyedHash',
    nameAlgorithm: 'sha256',
    attributes: objectAttributes('fixedTPM', 'fixedParent', 'noDA'),
    authPolicy,
    parameters: { scheme: 'null' },
    unique: new Uint8Array(),
  };
}
