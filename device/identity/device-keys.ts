/**
 * The keys by which a device is known: found in the chip or made once, and held to what the state folder remembers.
 * Specification §3.1; handles and templates: device/tpm/keys.ts, protocol/tpm/templates.ts.
 */
import { sameBytes } from '#protocol/codec.ts';
import { Digest, hex } from '#protocol/digest.ts';
import { LIMITS } from '#protocol/limits.ts';
import { nodeIdOf } from '#protocol/network.ts';
import { bytes, fixedBytes, oneOf, optional, struct, type Infer } from '#protocol/schema.ts';
import { attestationKeyTemplate, endorsementKeyTemplate, storageKeyTemplate, vrfKeyTemplate } from '#protocol/tpm/templates.ts';

import type { PersistentHandle } from '../tpm/handle.ts';
import {
  createKey,
  createPrimaryKey,
  evictKey,
  keyHandles,
  persistKey,
  readPersistentKey,
  showPrimaryKey,
  type ShownKey,
} from '../tpm/keys.ts';
import { certificateIndexes, nvRead } from '../tpm/nv.ts';
import type { Tpm } from '../tpm/tpm.ts';
import { IdentityError } from './identity-error.ts';

const TpmStructure = bytes({ min: 1, max: LIMITS.tpmStructureBytesMax });

/** The VRF key, with what TPM2_CertifyCreation needs to show for which founding it was made. */
const EnrolledVrfKey = struct({
  salt: fixedBytes(16),
  publicArea: TpmStructure,
  creationData: TpmStructure,
  creationHash: Digest,
  creationTicket: TpmStructure,
});
export type EnrolledVrfKey = Infer<typeof EnrolledVrfKey>;

/** Remembered in the state folder: who this device is. */
export const IdentityRecord = struct({
  version: oneOf(1),
  node: Digest,
  /** TPMT_PUBLIC. */
  attestationKey: TpmStructure,
  vrfKey: optional(EnrolledVrfKey),
});
export type IdentityRecord = Infer<typeof IdentityRecord>;

export interface DeviceKeys {
  readonly node: Uint8Array;
  readonly endorsementKey: ShownKey;
  /** DER. */
  readonly endorsementCertificate: Uint8Array;
  readonly attestationKey: ShownKey;
}

/**
 * The device's keys; makes those that a new chip lacks.
 * @throws IdentityError where the chip, or a key in it, is another one than remembered
 */
export async function openDeviceKeys(tpm: Tpm, remembered: IdentityRecord | undefined): Promise<DeviceKeys> {
  const endorsementKey = await requireEndorsementKey(tpm, remembered !== undefined);
  const node = nodeIdOf(endorsementKey.publicArea);
  if (remembered && !sameBytes(remembered.node, node)) throw otherChip(tpm, remembered.node, node);
  tpm.pinSaltKey(keyHandles.endorsementKey, endorsementKey.name);
  const attestationKey = remembered ? await requireAttestationKey(tpm, remembered) : await makeAttestationKey(tpm);
  const storageKey = await readPersistentKey(tpm, keyHandles.storageKey);
  if (!storageKey) await createPrimaryKey(tpm, { hierarchy: 'owner', template: storageKeyTemplate, at: keyHandles.storageKey });
  return { node, endorsementKey, endorsementCertificate: await requireCertificate(tpm), attestationKey };
}

/** Makes a VRF key for a founding, in the place of an earlier one. */
export async function makeVrfKey(tpm: Tpm, salt: Uint8Array, outsideInfo: Uint8Array): Promise<EnrolledVrfKey> {
  const created = await createKey(tpm, { parent: keyHandles.endorsementKey, template: vrfKeyTemplate, outsideInfo });
  await makeRoom(tpm, keyHandles.vrfKey);
  await persistKey(tpm, { parent: keyHandles.endorsementKey, key: created, at: keyHandles.vrfKey });
  const { publicArea, creationData, creationHash, creationTicket } = created;
  return { salt, publicArea, creationData, creationHash, creationTicket };
}

/** @throws IdentityError where the VRF key in the chip isn't the one that was enrolled */
export async function requireVrfKey(tpm: Tpm, enrolled: EnrolledVrfKey): Promise<ShownKey> {
  const kept = await readPersistentKey(tpm, keyHandles.vrfKey);
  if (kept && sameBytes(kept.publicArea, enrolled.publicArea)) return kept;
  throw keysLost('VRF key');
}

/**
 * One chip and one template give one key: what stands at its place must be that one. Making it again to compare takes a
 * discrete chip many seconds, so it is done at the first start; later the node id tells.
 */
async function requireEndorsementKey(tpm: Tpm, known: boolean): Promise<ShownKey> {
  const kept = await readPersistentKey(tpm, keyHandles.endorsementKey);
  if (!kept) return createPrimaryKey(tpm, { hierarchy: 'endorsement', template: endorsementKeyTemplate, at: keyHandles.endorsementKey });
  if (known) return kept;
  const made = await showPrimaryKey(tpm, { hierarchy: 'endorsement', template: endorsementKeyTemplate });
  if (sameBytes(kept.name, made.name)) return kept;
  throw new IdentityError(
    'ERR_TPM_CHANGED',
    `The key at 0x${keyHandles.endorsementKey.toString(16)} is not this chip's endorsement key of template L-1; clear the TPM, or take that key away`,
  );
}

async function requireAttestationKey(tpm: Tpm, remembered: IdentityRecord): Promise<ShownKey> {
  const kept = await readPersistentKey(tpm, keyHandles.attestationKey);
  if (kept && sameBytes(kept.publicArea, remembered.attestationKey)) return kept;
  throw keysLost('attestation key');
}

/** What an earlier life of the chip left at the key's place belongs to nobody: no network knows it under this state. */
async function makeAttestationKey(tpm: Tpm): Promise<ShownKey> {
  await makeRoom(tpm, keyHandles.attestationKey);
  const created = await createKey(tpm, { parent: keyHandles.endorsementKey, template: attestationKeyTemplate });
  return persistKey(tpm, { parent: keyHandles.endorsementKey, key: created, at: keyHandles.attestationKey });
}

/** Looks again, because a key that could not be taken away must not be mistaken for the one that takes its place. */
async function makeRoom(tpm: Tpm, at: PersistentHandle): Promise<void> {
  if (!(await readPersistentKey(tpm, at))) return;
  await evictKey(tpm, at);
  if (await readPersistentKey(tpm, at)) throw new Error(`The key at 0x${at.toString(16)} is still there after it was taken away`);
}

async function requireCertificate(tpm: Tpm): Promise<Uint8Array> {
  const content = await nvRead(tpm, certificateIndexes.endorsementKey);
  const certificate = content && withoutPadding(content);
  if (certificate && certificate.length <= LIMITS.certificateBytesMax) return certificate;
  const found = content ? 'something that is no certificate' : 'nothing';
  throw new IdentityError(
    'ERR_TPM_CERTIFICATE',
    `The TPM has ${found} at NV index 0x${certificateIndexes.endorsementKey.toString(16)}; the certificate of its RSA-2048 endorsement key must be there`,
  );
}

/** Vendors write certificates into larger indexes: the length stands in the certificate's own header (X.690 §8.1.3). */
function withoutPadding(content: Uint8Array): Uint8Array | undefined {
  const [tag, form, high = 0, low = 0] = content;
  const length = 4 + high * 256 + low;
  return tag === 0x30 && form === 0x82 && length <= content.length ? content.slice(0, length) : undefined;
}

function otherChip(tpm: Tpm, expected: Uint8Array, found: Uint8Array): IdentityError {
  return new IdentityError(
    'ERR_TPM_CHANGED',
    `The TPM at ${tpm.tcti} is another chip (node ${hex(found).slice(0, 16)}) than the one this device was set up with (node ${hex(expected).slice(0, 16)}); put that one back, or start with an empty state folder and enrol anew`,
  );
}

function keysLost(key: string): IdentityError {
  return new IdentityError(
    'ERR_TPM_KEYS_LOST',
    `The ${key} that this device was set up with is no longer in its TPM: it was cleared, or the key was taken away; start with an empty state folder and enrol anew`,
  );
}
