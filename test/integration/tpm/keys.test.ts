/** Keys of the chip: what they are, whose children they are, and what TPM2_Clear leaves of them (§3.1). */
import assert from 'node:assert/strict';
import { X509Certificate } from 'node:crypto';
import { after, test } from 'node:test';

import { hasTpmCode } from '../../../device/tpm/error.ts';
import { clearTpm } from '../../../device/tpm/hierarchy.ts';
import { readClock } from '../../../device/tpm/clock.ts';
import {
  createKey,
  createPrimaryKey,
  evictKey,
  keyHandles,
  persistKey,
  readPersistentKey,
  showPrimaryKey,
} from '../../../device/tpm/keys.ts';
import { certificateIndexes, nvRead } from '../../../device/tpm/nv.ts';
import { endorsementHierarchy, nameOf, qualifiedName } from '#protocol/tpm/name.ts';
import {
  attestationKeyTemplate,
  departureFrom,
  eccEndorsementKeyTemplate,
  endorsementKeyTemplate,
  storageKeyTemplate,
  vrfKeyTemplate,
} from '#protocol/tpm/templates.ts';
import { createNodeCrypto } from '../../../device/crypto-node.ts';
import {
  eccArea,
  mayWear,
  onlySoftware,
  openTpmUnderTest,
  provision,
  rsaArea,
  testHandles,
  unprovision,
  wearing,
} from './tpm-under-test.ts';

const bench = await openTpmUnderTest();
const { tpm } = bench;
const keys = mayWear ? await provision(tpm) : undefined;
after(() => bench.close());

test('the endorsement key of template L-1 is always the same, and the one that the certificate is for', async () => {
  const first = await showPrimaryKey(tpm, { hierarchy: 'endorsement', template: endorsementKeyTemplate });
  const again = await showPrimaryKey(tpm, { hierarchy: 'endorsement', template: endorsementKeyTemplate });
  assert.deepEqual(again, first);
  const certificate = await nvRead(tpm, certificateIndexes.endorsementKey);
  assert.ok(certificate);
  const { n, e } = new X509Certificate(certificate).publicKey.export({ format: 'jwk' });
  assert.equal(Buffer.from(rsaArea(first).unique).toString('base64url'), n);
  assert.equal(e, 'AQAB');
});

test('the template L-2 gives a P-256 endorsement key', async () => {
  const shown = await showPrimaryKey(tpm, { hierarchy: 'endorsement', template: eccEndorsementKeyTemplate });
  assert.equal(departureFrom(eccEndorsementKeyTemplate, eccArea(shown)), undefined);
  assert.deepEqual([eccArea(shown).unique.x.length, eccArea(shown).unique.y.length], [32, 32]);
});

test('names and qualified names are those that anybody computes from the public areas', wearing, () => {
  assert.ok(keys);
  const parent = rsaArea(keys.endorsementKey);
  assert.deepEqual(keys.endorsementKey.name, nameOf(createNodeCrypto(), parent));
  assert.deepEqual(keys.endorsementKey.qualifiedName, qualifiedName(createNodeCrypto(), endorsementHierarchy, parent));
  assert.deepEqual(
    keys.attestationKey.qualifiedName,
    qualifiedName(createNodeCrypto(), keys.endorsementKey.qualifiedName, eccArea(keys.attestationKey)),
  );
  assert.deepEqual(keys.vrfKey.qualifiedName, qualifiedName(createNodeCrypto(), keys.endorsementKey.qualifiedName, rsaArea(keys.vrfKey)));
});

test('attestation, VRF and storage key have exactly the attributes and parameters of their templates', wearing, () => {
  assert.ok(keys);
  assert.equal(departureFrom(endorsementKeyTemplate, rsaArea(keys.endorsementKey)), undefined);
  assert.equal(departureFrom(attestationKeyTemplate, eccArea(keys.attestationKey)), undefined);
  assert.equal(departureFrom(vrfKeyTemplate, rsaArea(keys.vrfKey)), undefined);
  assert.equal(departureFrom(storageKeyTemplate, eccArea(keys.storageKey)), undefined);
});

test('a persistent key is read back as it was made, and is gone after it was evicted', wearing, async () => {
  assert.ok(keys);
  assert.deepEqual(await readPersistentKey(tpm, testHandles.attestationKey), keys.attestationKey);
  await evictKey(tpm, testHandles.attestationKey);
  assert.equal(await readPersistentKey(tpm, testHandles.attestationKey), undefined);
  const request = { parent: keyHandles.endorsementKey, key: keys.createdAttestationKey, at: testHandles.attestationKey };
  assert.deepEqual(await persistKey(tpm, request), keys.attestationKey);
  await assert.rejects(persistKey(tpm, request), (error) => hasTpmCode(error, 'nvAlreadyDefined'));
});

test('a key is loaded by its own parent only', wearing, async () => {
  const child = await createKey(tpm, { parent: testHandles.storageKey, template: attestationKeyTemplate });
  const underOther = { parent: keyHandles.endorsementKey, key: child, at: 0x8100f0ff as typeof testHandles.vrfKey };
  await assert.rejects(persistKey(tpm, underOther), (error) => hasTpmCode(error, 'integrity'));
});

test('operations leave nothing loaded: a hundred in a row and at once find room in a chip with three slots', async () => {
  const shown = await Promise.all(
    Array.from({ length: 100 }, () => showPrimaryKey(tpm, { hierarchy: 'endorsement', template: eccEndorsementKeyTemplate })),
  );
  assert.equal(new Set(shown.map(({ name }) => name.toHex())).size, 1);
});

test('after TPM2_Clear children of the endorsement key load no more, while it is the same and Time goes on', onlySoftware, async () => {
  assert.ok(keys);
  const before = await readClock(tpm);
  await clearTpm(tpm, 'lockout');
  const now = await readClock(tpm);
  assert.ok(now.time >= before.time);
  assert.deepEqual([now.clockInfo.resetCount, now.clockInfo.restartCount], [0, 0]);
  assert.equal(await readPersistentKey(tpm, testHandles.attestationKey), undefined);
  const endorsementKey = await createPrimaryKey(tpm, {
    hierarchy: 'endorsement',
    template: endorsementKeyTemplate,
    at: keyHandles.endorsementKey,
  });
  assert.deepEqual(endorsementKey, keys.endorsementKey);
  const request = { parent: keyHandles.endorsementKey, key: keys.createdAttestationKey, at: testHandles.attestationKey };
  await assert.rejects(persistKey(tpm, request), (error) => hasTpmCode(error, 'integrity'));
});

test('the chip of the owner is left as it was', { skip: bench.software !== undefined || !mayWear }, () => unprovision(tpm));
