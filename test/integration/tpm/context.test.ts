/** The connection to a TPM: order, refusals, loss and recovery; the software TPM as a program. */
import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { X509Certificate } from 'node:crypto';
import { existsSync } from 'node:fs';
import { mkdir, mkdtemp, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { once } from 'node:events';
import { after, test } from 'node:test';
import { setTimeout as sleep } from 'node:timers/promises';

import { loadAddon } from '../../../device/addon.ts';
import { describeTpm } from '../../../device/tpm/capability.ts';
import { readClock } from '../../../device/tpm/clock.ts';
import { hasTpmCode, isTpmError } from '../../../device/tpm/error.ts';
import { hierarchies, none, password, type KeyHandle, type SessionHandle } from '../../../device/tpm/handle.ts';
import { clearTpm, setPlatformAuthRandom, shutdownTpm } from '../../../device/tpm/hierarchy.ts';
import { createPrimaryKey, keyHandles, readPersistentKey, showPrimaryKey } from '../../../device/tpm/keys.ts';
import { certificateIndexes, nvRead } from '../../../device/tpm/nv.ts';
import { tpmRandom } from '../../../device/tpm/signing.ts';
import { startSoftwareTpm } from '../../../device/tpm/swtpm.ts';
import { openTpm } from '../../../device/tpm/tpm.ts';
import { storageKeyTemplate, vrfKeyTemplate } from '#protocol/tpm/templates.ts';
import { onlySoftware, openTpmUnderTest } from './tpm-under-test.ts';

const bench = await openTpmUnderTest();
after(() => bench.close());

test('random bytes are as many as asked for, and others each time', async () => {
  const [first, second] = [await tpmRandom(bench.tpm, 64), await tpmRandom(bench.tpm, 64)];
  assert.deepEqual([first.length, second.length], [64, 64]);
  assert.notDeepEqual(first, second);
  await assert.rejects(tpmRandom(bench.tpm, 65), /1 to 64 can be/);
});

test('a software TPM is recognised as one', onlySoftware, async () => {
  const { kind, manufacturer, persistentFree } = await describeTpm(bench.tpm);
  assert.deepEqual([kind, manufacturer], ['software-tpm', 'IBM']);
  assert.ok(persistentFree > 3);
});

test('calls of one connection are answered in their order', async () => {
  const esys = await loadAddon().open(bench.tcti);
  const order: number[] = [];
  await Promise.all(
    Array.from({ length: 50 }, (_, index) =>
      esys.GetRandom(none, none, none, 1 + (index % 8)).then((bytes) => {
        order.push(index);
        assert.equal(bytes.length, 2 + 1 + (index % 8));
      }),
    ),
  );
  assert.deepEqual(
    order,
    Array.from({ length: 50 }, (_, index) => index),
  );
  await esys.close();
});

test('the program goes on while the chip works', onlySoftware, async () => {
  let turns = 0;
  const timer = setInterval(() => {
    turns += 1;
  }, 1);
  await showPrimaryKey(bench.tpm, { hierarchy: 'owner', template: vrfKeyTemplate });
  clearInterval(timer);
  assert.ok(turns >= 5, `${turns} turns of the event loop during the making of an RSA key`);
});

test('a handle that was flushed, of another connection, of another kind or made up is refused before the chip is asked', async () => {
  const [esys, other] = [await loadAddon().open(bench.tcti), await loadAddon().open(bench.tcti)];
  const session = await esys.StartAuthSession(none, none, none, none, none, null, 1, Uint8Array.of(0, 0x10), 0x0b);
  const isRefused = (error: unknown): boolean =>
    isTpmError(error) && error.layer === 'addon' && error.rc === 0x00070018 && !error.contextLost;
  await assert.rejects(other.PolicyGetDigest(session, none, none, none), isRefused);
  await assert.rejects(esys.Unseal(session as unknown as KeyHandle, password, none, none), isRefused);
  await assert.rejects(esys.TRSess_GetAttributes(hierarchies.owner as unknown as SessionHandle), isRefused);
  await assert.rejects(esys.TR_FromTPMPublic(0x01c00002, password as never, none, none), isRefused);
  await esys.FlushContext(session);
  await assert.rejects(esys.PolicyGetDigest(session, none, none, none), isRefused);
  await Promise.all([esys.close(), other.close()]);
});

test('bytes that are no such structure are refused before the chip is asked, however slightly wrong', async () => {
  const esys = await loadAddon().open(bench.tcti);
  const isMalformed = (error: unknown): boolean => isTpmError(error) && error.layer === 'mu' && !error.contextLost;
  for (const selection of [[], [0, 0, 0, 1], [0, 0, 0, 0, 0], [0, 0, 0, 17, 0, 0x0b, 3, 0, 0, 0], [0xff, 0xff, 0xff, 0xff]]) {
    await assert.rejects(esys.PCR_Read(none, none, none, Uint8Array.from(selection)), isMalformed);
  }
  await assert.rejects(
    esys.PCR_Read(none, none, none, new Uint16Array(4) as never),
    (error) => isTpmError(error) && error.layer === 'addon',
  );
  await assert.rejects(esys.PCR_Read(none, none, none, null as never), (error) => isTpmError(error) && error.layer === 'addon');
  await assert.rejects((esys.PCR_Read as () => Promise<unknown>).call(esys), /Takes 4 arguments, not 0/);
  assert.throws(() => esys.close.call({} as never), TypeError);
  await esys.close();
});

test('a closed connection refuses, and closing again is refused too', async () => {
  const esys = await loadAddon().open(bench.tcti);
  const last = esys.GetRandom(none, none, none, 4);
  await esys.close();
  assert.equal((await last).length, 6);
  await assert.rejects(esys.GetRandom(none, none, none, 4), /The TPM context is closed/);
  await assert.rejects(esys.close(), /The TPM context is closed/);
});

test('what a connection leaves loaded is flushed when it is closed', onlySoftware, async () => {
  for (let round = 0; round < 5; round++) {
    const esys = await loadAddon().open(bench.tcti);
    for (let slot = 0; slot < 3; slot++) await esys.StartAuthSession(none, none, none, none, none, null, 0, Uint8Array.of(0, 0x10), 0x0b);
    await esys.close();
  }
});

test('once the platform hierarchy has a random authorisation, nobody can use it, and a second lock says so', onlySoftware, async () => {
  const name = (await createPrimaryKey(bench.tpm, { hierarchy: 'owner', template: storageKeyTemplate, at: keyHandles.storageKey })).name;
  bench.tpm.pinSaltKey(keyHandles.storageKey, name);
  assert.equal(await setPlatformAuthRandom(bench.tpm), 'set');
  assert.equal(await setPlatformAuthRandom(bench.tpm), 'set-before');
  await assert.rejects(clearTpm(bench.tpm, 'platform'), (error) => hasTpmCode(error, 'badAuthorisation'));
});

test(
  'a reset is counted; after a shutdown the clock is safe, after a power cut it is not, and the connection is made anew',
  onlySoftware,
  async () => {
    const folder = await mkdtemp(join(tmpdir(), 'capstan-test-'));
    try {
      const first = await startSoftwareTpm({ folder });
      const tpm = await openTpm(first.tcti);
      const endorsementKey = await readPersistentKey(tpm, keyHandles.endorsementKey);
      const before = await readClock(tpm);
      await shutdownTpm(tpm);
      await first.stop();
      await assert.rejects(readClock(tpm), (error) => isTpmError(error) && error.layer === 'tcti' && error.contextLost);
      const second = await startSoftwareTpm({ folder });
      const orderly = await readClock(tpm);
      assert.deepEqual([orderly.clockInfo.resetCount - before.clockInfo.resetCount, orderly.clockInfo.safe], [1, true]);
      assert.deepEqual(await readPersistentKey(tpm, keyHandles.endorsementKey), endorsementKey);
      await second.kill();
      const third = await startSoftwareTpm({ folder });
      await readClock(tpm).catch(() => undefined); // a socket that noticed the cut refuses once
      const cut = await readClock(tpm);
      assert.deepEqual([cut.clockInfo.resetCount - orderly.clockInfo.resetCount, cut.clockInfo.safe], [1, false]);
      await tpm.close();
      await third.stop();
    } finally {
      await rm(folder, { recursive: true, force: true });
    }
  },
);

test(
  'a software TPM in a deep folder gets a socket elsewhere, says where, and shares the authority it is given',
  onlySoftware,
  async () => {
    const root = await mkdtemp(join(tmpdir(), 'capstan-test-'));
    const folder = join(root, 'deep'.repeat(20), 'deep'.repeat(20));
    const authorityFolder = join(root, 'authority');
    await mkdir(folder, { recursive: true });
    const software = await startSoftwareTpm({ folder, authorityFolder });
    try {
      assert.ok(Buffer.byteLength(`${software.socket}.ctrl`) <= 107 && !software.socket.startsWith(root));
      assert.equal((await readFile(join(folder, 'tcti'), 'utf8')).trim(), software.tcti);
      const tpm = await openTpm(software.tcti);
      const certificate = new X509Certificate((await nvRead(tpm, certificateIndexes.endorsementKey)) ?? new Uint8Array());
      const authorities = software.caCertificates.map((bytes) => new X509Certificate(bytes));
      const issuer = authorities.find((authority) => certificate.checkIssued(authority));
      assert.ok(issuer && certificate.verify(issuer.publicKey));
      await tpm.close();
    } finally {
      await software.stop();
      assert.equal(existsSync(join(folder, 'tcti')), false);
      await rm(root, { recursive: true, force: true });
    }
  },
);

test('a software TPM dies with the program that started it, even when that is killed', onlySoftware, async () => {
  const folder = await mkdtemp(join(tmpdir(), 'capstan-test-'));
  const owner = new URL('../../../device/tpm/swtpm.ts', import.meta.url);
  const source = `const { startSoftwareTpm } = await import(${JSON.stringify(owner.href)}); console.log((await startSoftwareTpm({ folder: ${JSON.stringify(folder)} })).pid); setInterval(() => {}, 1e6);`;
  const parent = spawn(process.execPath, ['--input-type=module', '--eval', source], { stdio: ['ignore', 'pipe', 'inherit'] });
  const [line] = (await once(parent.stdout, 'data')) as [Buffer];
  const pid = Number(line.toString());
  assert.ok(isAlive(pid));
  parent.kill('SIGKILL');
  await once(parent, 'exit');
  for (let turn = 0; turn < 200 && isAlive(pid); turn++) await sleep(10);
  assert.equal(isAlive(pid), false);
  await rm(folder, { recursive: true, force: true });
});

/** A process that ended but that nobody waited for yet is dead. */
function isAlive(pid: number): boolean {
  try {
    process.kill(pid, 0);
    return existsSync(`/proc/${pid}/exe`);
  } catch {
    return false;
  }
}
