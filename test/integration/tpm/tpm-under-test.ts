/**
 * The TPM that the tests of this folder talk to: a throw-away software TPM, or the chip of CAPSTAN_TEST_TCTI.
 * What wears a chip (NV writes, persistent keys, Clear) is done on a chip only with CAPSTAN_TEST_WEAR=1.
 */
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createPublicKey, verify, type KeyObject } from 'node:crypto';

import type { Attestation } from '../../../device/tpm/attestation.ts';
import type { PersistentHandle } from '../../../device/tpm/handle.ts';
import {
  createKey,
  createPrimaryKey,
  evictKey,
  keyHandles,
  persistKey,
  readPersistentKey,
  type CreatedKey,
  type ShownKey,
} from '../../../device/tpm/keys.ts';
import { startSoftwareTpm, type SoftwareTpm } from '../../../device/tpm/swtpm.ts';
import { openTpm, type Tpm } from '../../../device/tpm/tpm.ts';
import { Attest } from '#protocol/tpm/attest.ts';
import { PublicArea, type EccPublicArea, type RsaPublicArea } from '#protocol/tpm/public-area.ts';
import { Signature } from '#protocol/tpm/signature.ts';
import { attestationKeyTemplate, endorsementKeyTemplate, storageKeyTemplate, vrfKeyTemplate } from '#protocol/tpm/templates.ts';

export interface TpmUnderTest {
  readonly tpm: Tpm;
  readonly tcti: string;
  /** Undefined on a chip. */
  readonly software: SoftwareTpm | undefined;
  readonly folder: string;
  close(): Promise<void>;
}

const tctiOfChip = process.env['CAPSTAN_TEST_TCTI'];

/** Whether tests that wear a chip may run. */
export const mayWear = tctiOfChip === undefined || process.env['CAPSTAN_TEST_WEAR'] === '1';
export const wearing = { skip: mayWear ? false : 'wears the chip; set CAPSTAN_TEST_WEAR=1' };
export const onlySoftware = { skip: tctiOfChip === undefined ? false : 'needs a software TPM' };

export async function openTpmUnderTest(): Promise<TpmUnderTest> {
  const folder = await mkdtemp(join(tmpdir(), 'capstan-test-'));
  const software = tctiOfChip === undefined ? await startSoftwareTpm({ folder }) : undefined;
  const tcti = software?.tcti ?? tctiOfChip ?? '';
  const tpm = await openTpm(tcti);
  const close = async (): Promise<void> => {
    await tpm.close();
    await software?.stop();
    await rm(folder, { recursive: true, force: true });
  };
  return { tpm, tcti, software, folder, close };
}

/** Places that tests use, so that a chip's own keys stay as they are. */
export const testHandles = {
  attestationKey: 0x8100f010 as PersistentHandle,
  vrfKey: 0x8100f011 as PersistentHandle,
  storageKey: 0x8100f001 as PersistentHandle,
} as const;

export interface TestKeys {
  readonly endorsementKey: ShownKey;
  readonly attestationKey: ShownKey;
  readonly vrfKey: ShownKey;
  readonly storageKey: ShownKey;
  readonly createdVrfKey: CreatedKey;
  readonly createdAttestationKey: CreatedKey;
}

export const outsideInfo = new Uint8Array(32).fill(0x42);

/** Endorsement, attestation, VRF and storage key, the last pinned as salt key. */
export async function provision(tpm: Tpm): Promise<TestKeys> {
  const parent = keyHandles.endorsementKey;
  for (const at of Object.values(testHandles)) {
    if ((await readPersistentKey(tpm, at)) !== undefined) await evictKey(tpm, at);
  }
  const endorsementKey =
    (await readPersistentKey(tpm, parent)) ??
    (await createPrimaryKey(tpm, { hierarchy: 'endorsement', template: endorsementKeyTemplate, at: parent }));
  const createdAttestationKey = await createKey(tpm, { parent, template: attestationKeyTemplate });
  const attestationKey = await persistKey(tpm, { parent, key: createdAttestationKey, at: testHandles.attestationKey });
  const createdVrfKey = await createKey(tpm, { parent, template: vrfKeyTemplate, outsideInfo });
  const vrfKey = await persistKey(tpm, { parent, key: createdVrfKey, at: testHandles.vrfKey });
  const storageKey = await createPrimaryKey(tpm, { hierarchy: 'owner', template: storageKeyTemplate, at: testHandles.storageKey });
  tpm.pinSaltKey(testHandles.storageKey, storageKey.name);
  return { endorsementKey, attestationKey, vrfKey, storageKey, createdVrfKey, createdAttestationKey };
}

/** Leaves a chip as it was found. */
export async function unprovision(tpm: Tpm): Promise<void> {
  for (const at of Object.values(testHandles)) await evictKey(tpm, at);
}

export function eccArea(key: { publicArea: Uint8Array }): EccPublicArea {
  return areaOf(key, 'ecc') as EccPublicArea;
}

export function rsaArea(key: { publicArea: Uint8Array }): RsaPublicArea {
  return areaOf(key, 'rsa') as RsaPublicArea;
}

function areaOf({ publicArea }: { publicArea: Uint8Array }, type: 'ecc' | 'rsa'): PublicArea {
  const decoded = PublicArea.decode(publicArea);
  if (decoded.status === 'decoded' && decoded.value.type === type) return decoded.value;
  throw new Error(`no ${type} public area`);
}

/** Node's own view of a P-256 key of the chip. */
export function ecdsaKey(key: { publicArea: Uint8Array }): KeyObject {
  const { x, y } = eccArea(key).unique;
  return createPublicKey({ format: 'jwk', key: { kty: 'EC', crv: 'P-256', x: base64url(x), y: base64url(y) } });
}

/** Whether a P-256 signature of the chip over SHA-256 of `bytes` is right, by node:crypto. */
export function isSigned(key: { publicArea: Uint8Array }, bytes: Uint8Array, signature: Uint8Array): boolean {
  const decoded = Signature.decode(signature);
  if (decoded.status !== 'decoded' || decoded.value.scheme !== 'ecdsa' || decoded.value.hash !== 'sha256') return false;
  const { r, s } = decoded.value;
  const raw = Buffer.concat([Buffer.alloc(32 - r.length), r, Buffer.alloc(32 - s.length), s]);
  return verify('sha256', bytes, { key: ecdsaKey(key), dsaEncoding: 'ieee-p1363' }, raw);
}

/** What was attested; throws where the bytes are none or the signature is wrong. */
export function requireAttested(key: { publicArea: Uint8Array }, { attest, signature }: Attestation): Attest['body'] {
  if (!isSigned(key, attest, signature)) throw new Error('the attestation is not signed by that key');
  const decoded = Attest.decode(attest);
  if (decoded.status === 'malformed') throw new Error(decoded.detail);
  return decoded.value.body;
}

export function bigintOf(bytes: Uint8Array): bigint {
  return BigInt(`0x${bytes.toHex()}`);
}

function base64url(bytes: Uint8Array): string {
  return Buffer.from(bytes).toString('base64url');
}
