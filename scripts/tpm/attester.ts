/** The key that signs what the commands show: the device's own attestation key, or one made for the moment. */
import { attestationKeyTemplate, endorsementKeyTemplate } from '#protocol/tpm/templates.ts';

import type { KeyReference } from '../../device/tpm/handle.ts';
import { createKey, keyHandles, loadKey, loadPrimaryKey, readKey, readPersistentKey, unloadKey } from '../../device/tpm/keys.ts';
import type { Tpm } from '../../device/tpm/tpm.ts';

export interface Attester {
  readonly signer: KeyReference;
  /** TPMT_PUBLIC of the signer. */
  readonly publicArea: Uint8Array;
  readonly origin: 'the attestation key of this device' | 'a key made for this answer, under the endorsement key';
}

/** Nothing is written to the chip's memory. */
export async function withAttester<T>(tpm: Tpm, work: (attester: Attester) => Promise<T>): Promise<T> {
  const own = await readPersistentKey(tpm, keyHandles.attestationKey);
  if (own !== undefined)
    return work({ signer: keyHandles.attestationKey, publicArea: own.publicArea, origin: 'the attestation key of this device' });
  return withFreshKey(tpm, async (signer) => {
    const { publicArea } = await readKey(tpm, signer);
    return work({ signer, publicArea, origin: 'a key made for this answer, under the endorsement key' });
  });
}

async function withFreshKey<T>(tpm: Tpm, work: (signer: KeyReference) => Promise<T>): Promise<T> {
  const parent = await loadPrimaryKey(tpm, { hierarchy: 'endorsement', template: endorsementKeyTemplate });
  try {
    const signer = await loadKey(tpm, { parent, key: await createKey(tpm, { parent, template: attestationKeyTemplate }) });
    return await work(signer).finally(() => unloadKey(tpm, signer));
  } finally {
    await unloadKey(tpm, parent);
  }
}
