/** A device and its TPM over restarts, resets and mishaps. Specification §3.1, §3.3, §4.3. */
import assert from 'node:assert/strict';
import { mkdtemp, readFile, rm, stat, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, afterEach, before, beforeEach, test } from 'node:test';

import { decodeStrict, encodeStrict } from '#protocol/codec.ts';
import { blobDigest } from '#protocol/digest.ts';
import { encodeMemberCard, judgeMemberCard, MemberCard } from '#protocol/enrolment.ts';
import { eventExtension, expectedRegisters } from '#protocol/measured-boot.ts';
import { LIMITS } from '#protocol/limits.ts';
import { endorsementKeyTemplate } from '#protocol/tpm/templates.ts';
import { judgeVrfProof } from '#protocol/tpm/vrf.ts';
import { BootRecord } from '../../../device/identity/boot-record.ts';
import { makeCard } from '../../../device/identity/card.ts';
import { connectTpm } from '../../../device/identity/connect.ts';
import { needsRestart } from '../../../device/identity/identity-error.ts';
import { openIdentity, type Identity } from '../../../device/identity/identity.ts';
import { readRegisters } from '../../../device/identity/measurement.ts';
import { hierarchies } from '../../../device/tpm/handle.ts';
import { createPrimaryKey, evictKey, keyHandles } from '../../../device/tpm/keys.ts';
import { pcrExtend } from '../../../device/tpm/pcr.ts';
import { emptyPassword } from '../../../device/tpm/session.ts';
import { startSoftwareTpm, type SoftwareTpm } from '../../../device/tpm/swtpm.ts';
import type { Tpm } from '../../../device/tpm/tpm.ts';
import { cardRequest, crypto, measurements, salt } from '../attestation/bench.ts';

let folder: string;
let tpm: SoftwareTpm;
let opened: Identity[] = [];
before(async () => {
  folder = await mkdtemp(join(tmpdir(), 'capstan-identity-'));
  tpm = await start('tpm');
});
beforeEach(async () => {
  await tpm.kill();
  tpm = await start('tpm');
});
afterEach(async () => {
  for (const identity of opened) await identity.close().catch(() => undefined);
  opened = [];
});
after(async () => {
  await tpm.kill();
  await rm(folder, { recursive: true, force: true });
});

function start(name: string): Promise<SoftwareTpm> {
  return startSoftwareTpm({ folder: join(folder, name), authorityFolder: join(folder, 'authority') });
}

async function open(changes: Partial<Parameters<typeof openIdentity>[0]> = {}): Promise<Identity> {
  const identity = await openIdentity({ tcti: tpm.tcti, folder: join(folder, 'state'), measurements, crypto, ...changes });
  opened.push(identity);
  return identity;
}

async function withTpm<T>(work: (chip: Tpm) => Promise<T>): Promise<T> {
  const chip = await connectTpm(tpm.tcti);
  try {
    return await work(chip);
  } finally {
    await chip.close();
  }
}

async function reset(): Promise<void> {
  await tpm.kill();
  tpm = await start('tpm');
}

test('a restart of the program finds its keys and its operational key, and extends nothing (§3.3)', async () => {
  const first = await open();
  await first.close();
  const registers = await withTpm(readRegisters);
  const second = await open();
  assert.deepEqual(
    [second.node, second.operationalKey, second.keys.attestationKey],
    [first.node, first.operationalKey, first.keys.attestationKey],
  );
  assert.deepEqual(await second.ask(readRegisters), registers);
  assert.deepEqual(registers, expectedRegisters(second.eventLog, second.operationalKey));
  const words = new TextEncoder().encode('words');
  assert.ok(crypto.verifyEd25519(second.operationalKey, words, second.sign(words)));
});

test('a reset of the TPM gives a new operational key, and nothing else new (§3.1)', async () => {
  const first = await open();
  await first.close();
  await reset();
  const second = await open();
  assert.notDeepEqual(second.operationalKey, first.operationalKey);
  assert.deepEqual([second.node, second.keys.attestationKey.name], [first.node, first.keys.attestationKey.name]);
  assert.equal(second.resetCount, first.resetCount + 1);
});

test('changed firmware under the same reset is refused until the TPM is reset (§3.3)', async () => {
  const changed = { ...measurements, firmware: blobDigest(Uint8Array.of(8)) };
  await (await open()).close();
  await assert.rejects(open({ measurements: changed }), {
    code: 'ERR_TPM_RESET_NEEDED',
    message: /The firmware is not the one that was measured.*restart the board/,
  });
  await reset();
  assert.deepEqual((await open({ measurements: changed })).eventLog[0]?.digest, changed.firmware);
});

test('registers that something else extended are refused (§3.3)', async () => {
  await (await open()).close();
  await withTpm((chip) => pcrExtend(chip, 14, 'sha256', blobDigest(Uint8Array.of(1))));
  await assert.rejects(open(), { code: 'ERR_TPM_RESET_NEEDED' });
  await reset();
  await withTpm((chip) => pcrExtend(chip, 8, 'sha256', blobDigest(Uint8Array.of(1))));
  await assert.rejects(open(), { code: 'ERR_TPM_RESET_NEEDED' });
});

test('a program killed in the middle of measuring goes on from where the registers are (§3.3)', async () => {
  const first = await open();
  await first.close();
  await reset();
  const file = join(folder, 'state', 'boot.cbor');
  const record = decodeStrict(BootRecord, new Uint8Array(await readFile(file)), 65_536);
  assert.ok(record.status === 'decoded');
  await writeFile(file, encodeStrict(BootRecord, { ...record.value, resetCount: first.resetCount + 1 }));
  await withTpm(async (chip) => {
    for (const event of first.eventLog.slice(0, 2)) await pcrExtend(chip, 14, 'sha256', eventExtension(event));
  });
  const second = await open();
  assert.deepEqual(second.operationalKey, first.operationalKey);
  assert.deepEqual(await second.ask(readRegisters), expectedRegisters(first.eventLog, first.operationalKey));
});

test('another chip under the same state is refused, and says so (§3.1)', async () => {
  await (await open()).close();
  const other = await start('other');
  try {
    await assert.rejects(open({ tcti: other.tcti }), { code: 'ERR_TPM_CHANGED', message: /is another chip \(node [0-9a-f]{16}\)/ });
  } finally {
    await other.kill();
  }
});

test('a key that poses as the endorsement key, of the same template but not this chip’s one, is refused (§3.1)', async () => {
  const posing = await start('posing');
  try {
    const chip = await connectTpm(posing.tcti);
    await evictKey(chip, keyHandles.endorsementKey);
    const template = { ...endorsementKeyTemplate, unique: new Uint8Array(256).fill(1) };
    await createPrimaryKey(chip, { hierarchy: 'endorsement', template, at: keyHandles.endorsementKey });
    await chip.close();
    await assert.rejects(open({ tcti: posing.tcti, folder: join(folder, 'posing-state') }), {
      code: 'ERR_TPM_CHANGED',
      message: /is not this chip's endorsement key/,
    });
  } finally {
    await posing.kill();
  }
});

test('a missing TPM is an error, never another one that happens to answer', async () => {
  await assert.rejects(open({ tcti: `swtpm:path=${join(folder, 'nothing')}` }), { code: 'ERR_TPM' });
  await assert.rejects(open({ tcti: '' }));
});

test('nobody else may read the state', async () => {
  await open();
  for (const name of ['identity.cbor', 'boot.cbor']) assert.equal((await stat(join(folder, 'state', name))).mode & 0o777, 0o600);
});

test('nobody can use the platform hierarchy once the device has started (§3.1)', async () => {
  const identity = await open();
  const byPlatform = identity.ask((chip) => chip.exclusive(({ esys }) => esys.ClockSet(hierarchies.platform, ...emptyPassword, 1n << 40n)));
  await assert.rejects(byPlatform, { code: 'ERR_TPM' });
});

test('a TPM that goes away, or is reset under the program, ends it: it has to measure itself anew (§3.3)', async () => {
  const identity = await open();
  const about = { network: identity.node, beacon: Uint8Array.of(1), beaconValue: identity.node, credentials: [] };
  await tpm.kill();
  await assert.rejects(identity.makeEvidence(about), (error) => needsRestart(error) && codeOf(error) === 'ERR_TPM_LOST');
  tpm = await start('tpm');
  await assert.rejects(identity.makeEvidence(about), (error) => needsRestart(error) && codeOf(error) === 'ERR_TPM_WAS_RESET');
});

test('a card is made for one founding; the VRF key in it survives a restart and proves (§4.3, §3.9)', async () => {
  const first = await open();
  const card = await makeCard(first, cardRequest('alpha'));
  const context = {
    salt,
    authorities: tpm.caCertificates.map((certificate) => ({ certificate, softwareTpm: true })),
    crypto,
    atMs: Date.now(),
  };
  const verdict = judgeMemberCard(card, context);
  assert.ok(verdict.status === 'accepted', JSON.stringify(verdict));
  await first.close();

  const second = await open();
  const alpha = new TextEncoder().encode('epoch 1, height 7');
  const proof = await second.proveVrf(alpha);
  assert.equal(judgeVrfProof(crypto, verdict.keys.vrfKey.modulus, alpha, proof).status, 'accepted');
  const again = judgeMemberCard(await makeCard(second, cardRequest('alpha')), context);
  assert.ok(
    again.status === 'accepted' && Buffer.from(again.member.vrfKey).equals(verdict.member.vrfKey),
    'the same founding has the same key',
  );

  const otherSalt = salt.toReversed();
  const outcome = judgeMemberCard(card, { ...context, salt: otherSalt });
  assert.equal(outcome.status === 'refused' && outcome.reason, 'vrf-key-certification-other-qualifying-data');
  const other = judgeMemberCard(await makeCard(second, { ...cardRequest('alpha'), salt: otherSalt }), { ...context, salt: otherSalt });
  assert.ok(other.status === 'accepted');
  assert.notDeepEqual(other.member.vrfKey, verdict.member.vrfKey, 'another founding has another key');
});

test('a card in which anything of the member was changed is refused (§4.3)', async () => {
  const identity = await open();
  const card = await makeCard(identity, cardRequest('alpha'));
  const context = {
    salt,
    authorities: tpm.caCertificates.map((certificate) => ({ certificate, softwareTpm: true })),
    crypto,
    atMs: Date.now(),
  };
  const at = Buffer.from(card).indexOf('mqtts://alpha');
  const changed = card.slice();
  changed.set(new TextEncoder().encode('mqtts://other'), at);
  const verdict = judgeMemberCard(changed, context);
  assert.equal(verdict.status === 'refused' && verdict.reason, 'vrf-key-certification-other-qualifying-data');
});

test('a VRF key that was made for another founding is refused, though it is certified for this one (§4.3)', async () => {
  const identity = await open();
  await makeCard(identity, cardRequest('alpha'));
  const otherSalt = salt.toReversed();
  assert.ok(identity.vrfKey);
  const posing = {
    keys: identity.keys,
    vrfKey: { ...identity.vrfKey, salt: otherSalt },
    ask: identity.ask.bind(identity),
    applyVrfKey: identity.applyVrfKey.bind(identity),
  } as unknown as Identity;
  const card = await makeCard(posing, { ...cardRequest('alpha'), salt: otherSalt });
  const authorities = tpm.caCertificates.map((certificate) => ({ certificate, softwareTpm: true }));
  const verdict = judgeMemberCard(card, { salt: otherSalt, authorities, crypto, atMs: Date.now() });
  assert.equal(verdict.status === 'refused' && verdict.reason, 'vrf-key-creation-other-outside-info');
});

test('a VRF key that does not show its roots is refused: its proofs might not be unique (§4.3)', async () => {
  const identity = await open();
  const decoded = decodeStrict(MemberCard, await makeCard(identity, cardRequest('alpha')), LIMITS.signedBytesMax);
  assert.ok(decoded.status === 'decoded');
  const vrfKeyRoots = decoded.value.vrfKeyRoots.toReversed();
  const context = {
    salt,
    authorities: tpm.caCertificates.map((certificate) => ({ certificate, softwareTpm: true })),
    crypto,
    atMs: Date.now(),
  };
  const verdict = judgeMemberCard(encodeMemberCard({ ...decoded.value, vrfKeyRoots }), context);
  assert.equal(verdict.status === 'refused' && verdict.reason, 'vrf-key-roots-wrong');
});

test('a device that is not enrolled has no VRF key', async () => {
  const identity = await open({ folder: join(folder, 'fresh') });
  await assert.rejects(identity.proveVrf(new Uint8Array(1)), { code: 'ERR_NOT_ENROLLED' });
});

function codeOf(error: unknown): unknown {
  return error instanceof Error && 'code' in error ? error.code : undefined;
}
