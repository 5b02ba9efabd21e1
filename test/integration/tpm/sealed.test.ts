/** Sealed secrets: when they open, and that the bus does not see them (§3.1). */
import assert from 'node:assert/strict';
import { createHash, generateKeyPairSync, sign, type KeyObject } from 'node:crypto';
import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { after, before, test } from 'node:test';

import { hasTpmCode } from '../../../device/tpm/error.ts';
import { keyHandles, readPersistentKey } from '../../../device/tpm/keys.ts';
import { pcrExtend, pcrEvent, pcrRead } from '../../../device/tpm/pcr.ts';
import { authorizedPolicy, pcrPolicy, type Approval } from '../../../device/tpm/policy.ts';
import { seal, unseal } from '../../../device/tpm/sealed.ts';
import { openTpm } from '../../../device/tpm/tpm.ts';
import { createNodeCrypto } from '../../../device/crypto-node.ts';
import { nameOf } from '#protocol/tpm/name.ts';
import { objectAttributes } from '#protocol/tpm/object-attributes.ts';
import { selectPcrs } from '#protocol/tpm/pcr-selection.ts';
import { PublicArea, type EccPublicArea } from '#protocol/tpm/public-area.ts';
import { Signature } from '#protocol/tpm/signature.ts';
import { mayWear, onlySoftware, openTpmUnderTest, provision, testHandles, unprovision, wearing } from './tpm-under-test.ts';

const bench = await openTpmUnderTest();
const { tpm } = bench;
const parent = testHandles.storageKey;
const selection = selectPcrs('sha256', [16]);
const secret = createHash('sha256').update('what nobody may read').digest();
const digest = new Uint8Array(32).fill(1);

before(async () => {
  if (mayWear) await provision(tpm);
});
after(async () => {
  try {
    if (mayWear) await unprovision(tpm);
  } finally {
    await bench.close();
  }
});

test('a secret opens while the registers are as they were, and no longer when one has changed', wearing, async () => {
  const sealed = await seal(tpm, { parent, policy: await pcrPolicy(tpm, selection), secret });
  assert.deepEqual(Buffer.from(await unseal(tpm, { parent, sealed, policy: { selection } })), secret);
  await pcrExtend(tpm, 16, 'sha256', digest);
  await assert.rejects(unseal(tpm, { parent, sealed, policy: { selection } }), (error) => hasTpmCode(error, 'policyFailed'));
});

test('an approval signed by the authority opens the secret in a new state, and a forged one does not', wearing, async () => {
  const authority = makeAuthority();
  const policyRef = Buffer.from('capstan release');
  const sealed = await seal(tpm, { parent, policy: authorizedPolicy(authority.name, policyRef), secret });
  await pcrExtend(tpm, 16, 'sha256', digest);
  const approval = approve(authority, await pcrPolicy(tpm, selection), policyRef);
  assert.deepEqual(Buffer.from(await unseal(tpm, { parent, sealed, policy: { selection, approval } })), secret);
  const forged = approve({ ...authority, privateKey: makeAuthority().privateKey }, approval.approvedPolicy, policyRef);
  await assert.rejects(unseal(tpm, { parent, sealed, policy: { selection, approval: forged } }), (error) => hasTpmCode(error, 'signature'));
  await pcrExtend(tpm, 16, 'sha256', digest);
  await assert.rejects(unseal(tpm, { parent, sealed, policy: { selection, approval } }), (error) => hasTpmCode(error, 'value'));
});

test('a secret of no byte or of more than 128 is refused before the chip is asked', async () => {
  for (const bytes of [0, 129]) {
    await assert.rejects(seal(tpm, { parent, policy: digest, secret: new Uint8Array(bytes) }), /1 to 128 can be sealed/);
  }
});

test('without a pinned salt key, or with another key in its place, no secret is sent', wearing, async () => {
  const stranger = await openTpm(bench.tcti);
  try {
    await assert.rejects(seal(stranger, { parent, policy: digest, secret }), /No key for salted sessions is pinned/);
    stranger.pinSaltKey(parent, new Uint8Array(34));
    await assert.rejects(seal(stranger, { parent, policy: digest, secret }), /was pinned/);
  } finally {
    await stranger.close();
  }
});

test('what is sealed and unsealed crosses the bus encrypted; an extended event crosses it in clear', onlySoftware, async () => {
  const log = join(bench.folder, 'bus.pcap');
  process.env['TCTI_PCAP_FILE'] = log;
  const watched = await openTpm(`pcap:${bench.tcti}`);
  const shown = createHash('sha256').update('what the bus may see').digest();
  try {
    const salt = await readPersistentKey(watched, parent);
    assert.ok(salt);
    watched.pinSaltKey(parent, salt.name);
    const sealed = await seal(watched, { parent, policy: await pcrPolicy(watched, selection), secret });
    assert.deepEqual(Buffer.from(await unseal(watched, { parent, sealed, policy: { selection } })), secret);
    await pcrEvent(watched, 16, shown);
  } finally {
    await watched.close();
  }
  const bus = await readFile(log);
  assert.equal(bus.includes(secret), false);
  assert.equal(bus.includes(shown), true);
});

test('registers of a bank that the chip does not keep are not answered', async () => {
  assert.equal((await pcrRead(tpm, 'sha512', [16])).size, 0);
  assert.deepEqual(
    [
      ...(
        await pcrRead(
          tpm,
          'sha256',
          Array.from({ length: 24 }, (_, index) => index),
        )
      ).keys(),
    ].length,
    24,
  );
});

test('the endorsement key is where EK Credential Profile says', onlySoftware, async () => {
  assert.ok(await readPersistentKey(tpm, keyHandles.endorsementKey));
});

interface Authority {
  readonly area: EccPublicArea;
  readonly name: Uint8Array;
  readonly privateKey: KeyObject;
}

function makeAuthority(): Authority {
  const { publicKey, privateKey } = generateKeyPairSync('ec', { namedCurve: 'P-256' });
  const { x = '', y = '' } = publicKey.export({ format: 'jwk' });
  const area: EccPublicArea = {
    type: 'ecc',
    nameAlgorithm: 'sha256',
    attributes: objectAttributes('userWithAuth', 'sign'),
    authPolicy: new Uint8Array(),
    parameters: { symmetric: { algorithm: 'null' }, scheme: { scheme: 'ecdsa', hash: 'sha256' }, curve: 'P-256', kdf: { scheme: 'null' } },
    unique: { x: Buffer.from(x, 'base64url'), y: Buffer.from(y, 'base64url') },
  };
  return { area, name: nameOf(createNodeCrypto(), area), privateKey };
}

function approve({ area, name, privateKey }: Authority, approvedPolicy: Uint8Array, policyRef: Uint8Array): Approval {
  const raw = sign('sha256', Buffer.concat([approvedPolicy, policyRef]), { key: privateKey, dsaEncoding: 'ieee-p1363' });
  const signature = Signature.encode({ scheme: 'ecdsa', hash: 'sha256', r: raw.subarray(0, 32), s: raw.subarray(32) });
  return { authority: PublicArea.encode(area), authorityName: name, approvedPolicy, policyRef, signature };
}
