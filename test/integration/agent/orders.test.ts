/** Whom a box believes (protocol/README.md §6.2) and what it says of itself (§6.3). */
import assert from 'node:assert/strict';
import { afterEach, beforeEach, describe, test } from 'node:test';
import { encodeBulk } from '#protocol/codec.ts';
import { domainDigest } from '#protocol/digest.ts';
import { BlobNeed } from '#protocol/blob-transfer.ts';
import { AcknowledgementMessage, AssignmentMessage } from '#protocol/box-messages.ts';
import { encodeManifest } from '#protocol/manifest.ts';
import { signMessage } from '#protocol/signed.ts';
import { openAgentBench, software, type AgentBench } from './agent-bench.ts';
import { networkId, newKey, until } from './memory-device.ts';

describe('a box follows its device and nobody else (§6.2)', () => {
  let bench: AgentBench;
  beforeEach(() => {
    bench = openAgentBench();
  });
  afterEach(() => bench.close());

  const manifest = () => bench.device.manifest({ runtime: 'shell', entry: 'a' }, [bench.device.file('a', 'x')]);
  const ignored = (reason: string, times = 1) =>
    until(
      () => bench.lines.filter((line) => line.includes('ignored') && line.includes(`reason=${reason}`)).length >= times,
      `${times} × ${reason}`,
    );
  const nothingHappened = () => {
    assert.deepEqual(bench.executor.started, []);
    assert.deepEqual(bench.device.states, []);
    assert.deepEqual(bench.device.evidence, []);
  };

  test('an order before the device has shown evidence is ignored', async () => {
    bench.device.introduce = () => undefined;
    await bench.start();
    bench.device.assign(manifest());
    bench.device.challenge(`${'a'.repeat(32)}.1`);
    await ignored('no-trusted-device', 2);
    nothingHappened();
  });

  test('evidence of another member of the network does not make its key the key of this device', async () => {
    bench.device.introduce = () => undefined;
    await bench.start();
    Reflect.deleteProperty(bench.device, 'introduce');
    bench.device.introduce('bravo');
    await ignored('other-device');
    bench.device.assign(manifest());
    await ignored('no-trusted-device');
    nothingHappened();
  });

  test('orders with a foreign signature, addressee, domain or form are ignored, each with a line and a count', async () => {
    const { device } = bench;
    await bench.start();
    const stranger = newKey();
    const run = `${'a'.repeat(32)}.1`;
    device.assign(manifest(), {}, stranger);
    device.challenge(run, {}, stranger);
    device.cancel(run, stranger);
    device.acknowledge(run, stranger);
    await ignored('bad-signature', 4);
    device.assign(manifest(), { box: 'box-2' });
    device.assign(manifest(), { device: 'bravo' });
    device.challenge(run, { network: new Uint8Array(32) });
    await ignored('misaddressed', 3);
    device.say(
      'assign',
      signMessage(AcknowledgementMessage, { network: networkId, device: device.name, box: device.box, run }, device.key.sign),
    );
    await ignored('bad-signature', 5);
    device.say('assign', new TextEncoder().encode('\u001b[31mred'));
    await ignored('malformed');
    device.say('need', encodeBulk(BlobNeed, { digest: new Uint8Array(3), offset: 0, bytes: 1 }));
    await ignored('not-as-declared');
    assert.match(bench.lines.at(-1) ?? '', / count=10$/);
    assert.ok(
      bench.lines.every((line) => /^[\x20-\x7e]+$/.test(line)),
      'no foreign character reaches the log as it is',
    );
    nothingHappened();
  });

  test('an order that the broker kept is ignored', async () => {
    const { device } = bench;
    await bench.start();
    const run = `${'a'.repeat(32)}.1`;
    const assignment = {
      network: networkId,
      device: device.name,
      box: device.box,
      run,
      capsule: 'a'.repeat(32),
      attempt: 1,
      manifest: encodeManifest(manifest()),
      assignedAtMs: Date.now(),
    };
    device.say('assign', signMessage(AssignmentMessage, assignment, device.key.sign), true);
    await ignored('retained');
    nothingHappened();
  });

  test('an assignment that is too old or of the future is answered as unknown with the reason, a challenge not at all', async () => {
    const { device } = bench;
    await bench.start();
    for (const offMs of [-6 * 60_000, 60_000]) {
      const run = device.assign(manifest(), { assignedAtMs: Date.now() + offMs });
      const answer = await until(() => device.states.find((state) => state.run === run));
      assert.equal(answer.state, 'unknown');
      assert.match(answer.note ?? '', /untimely/);
      device.challenge(run, { issuedAtMs: Date.now() + offMs });
    }
    await ignored('untimely', 2);
    assert.deepEqual(device.evidence, []);
    assert.deepEqual(bench.executor.started, []);
  });

  test('an assignment whose run is named after another capsule or attempt, or whose manifest is no manifest, is refused', async () => {
    const { device } = bench;
    await bench.start();
    const runs = [
      device.assign(manifest(), { capsule: 'b'.repeat(32), run: `${'c'.repeat(32)}.1` }),
      device.assign(manifest(), { capsule: 'd'.repeat(32), run: `${'d'.repeat(32)}.2` }),
      device.assign(manifest(), { manifest: Uint8Array.of(0xa0) }),
    ];
    for (const run of runs) assert.equal((await until(() => device.states.find((state) => state.run === run))).state, 'unknown');
    assert.deepEqual(bench.executor.started, []);
  });

  test('after a rotation the new key counts and the one before it, not the one before that', async () => {
    const { device } = bench;
    await bench.start();
    const keys = [device.key, newKey(), newKey()] as const;
    for (const key of keys) device.introduce(device.name, key);
    await until(() => bench.lines.filter((line) => line.includes('device-trusted')).length === 3);
    const runs = keys.map((key) => device.assign(manifest(), {}, key));
    await until(() => device.reports.length === 2);
    await ignored('bad-signature');
    assert.deepEqual(device.reports.map((encoded) => device.requireReport(encoded).run).sort(), runs.slice(1).sort());
  });

  test('a challenge is answered with evidence that names network, device, box, run and the challenge (§6.3)', async () => {
    const { device } = bench;
    await bench.start();
    const run = `${'a'.repeat(32)}.1`;
    const nonce = device.challenge(run);
    const { madeAtMs, ...evidence } = await until(() => device.evidence[0]);
    assert.deepEqual(evidence, {
      network: networkId,
      device: 'alpha',
      box: 'box-1',
      run,
      beacon: domainDigest('beacon-value', networkId, nonce),
      software,
    });
    assert.ok(Math.abs(madeAtMs - Date.now()) < 10_000);
  });
});
