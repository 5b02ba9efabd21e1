/** A box with a TPM and the device that measures it: what must be accepted, and each way of lying that must not be. Specification §6.5, §6.6. */
import assert from 'node:assert/strict';
import { randomBytes } from 'node:crypto';
import { readdirSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout } from 'node:timers/promises';
import { after, before, describe, test } from 'node:test';
import { domainDigest } from '#protocol/digest.ts';
import { LIMITS } from '#protocol/limits.ts';
import { freeze, newReferenceValues } from '#protocol/measured-box/learning.ts';
import { endorsementDigest } from '../../../device/hpc/box-standing.ts';
import { referencesDigest } from '../../../device/hpc/reference-file.ts';
import { crypto, imaEntries, second, steady, violation } from '../../unit/measured-box/boots.ts';
import { DEVICE_LIMITS } from '../../../device/limits.ts';
import { softwareSigner } from '../../unit/protocol/workshop.ts';
import { Machine, network, software, World } from './world.ts';

const RUN = `${'ab'.repeat(16)}.1`;
const OTHER_RUN = `${'cd'.repeat(16)}.1`;
/** Of which no device has judged the beginning. */
const LATE_RUN = `${'ef'.repeat(16)}.1`;

describe('a box with a TPM', { timeout: 300_000 }, () => {
  let world: World;
  before(async () => {
    world = await World.open(steady.logs);
  });
  after(() => world.close());

  test('opens the secret that was closed for its chip, and stays self-reported without reference values (§6.3)', async () => {
    assert.ok(world.desk.activationFor('box'), world.lines.join('\n'));
    assert.equal(await world.measure(RUN, 'before'), 'accepted');
    assert.match(world.lines.join('\n'), /^boxActivated /m);
    assert.equal(world.desk.activationFor('box'), undefined);
    assert.deepEqual(world.desk.standingOf(RUN)?.level, 'self-reported');
  });

  test('is software-tpm, never more, once its reference values are learned and frozen (§6.3)', async () => {
    world.references.write('box', newReferenceValues(endorsementOf(world.machine), 'listed'));
    assert.equal(await world.measure(RUN, 'before'), 'accepted');
    assert.equal(world.desk.standingOf(RUN)?.level, 'self-reported', 'while learning');
    const learned = world.references.read('box');
    assert.ok(learned && learned.registers.length > 0);
    world.references.write('box', freeze(learned));
    for (const when of ['before', 'within', 'within'] as const) assert.equal(await world.measure(RUN, when), 'accepted');
    const standing = world.desk.standingOf(RUN);
    assert.equal(standing?.level, 'software-tpm');
    assert.deepEqual(standing.tpm.references, referencesDigest(freeze(learned)));
  });

  test('that answers with the quote of another run, nonce or software is refused (§6.5)', async () => {
    const nonce = new Uint8Array(randomBytes(32));
    const beacon = domainDigest('beacon-value', network, nonce);
    const asked = { network, beacon, run: OTHER_RUN, boxKey: world.box.signingKey, software, nonce };
    const tpm = await world.machine.tpm?.answer(asked);
    assert.match(await world.judge({ run: RUN, nonce, tpm }, 'before'), /qualifying data/);
    assert.match(await world.judge({ run: OTHER_RUN, nonce: new Uint8Array(32), tpm }, 'before'), /qualifying data/);
    const other = await world.machine.tpm?.answer({ ...asked, software: new Uint8Array(32) });
    assert.match(await world.judge({ run: OTHER_RUN, nonce, tpm: other }, 'before'), /qualifying data/);
  });

  test('that shows no quote after its TPM was activated is refused, also by a device that was restarted (§6.5)', async () => {
    const answer = { run: RUN, nonce: new Uint8Array(32), tpm: undefined };
    assert.match(await world.judge(answer, 'before'), /shows no quote/);
    world.restartDevice();
    assert.match(await world.judge(answer, 'before'), /shows no quote/);
    await world.greet(world.machine);
  });

  test('whose log lacks what was measured, or is of another boot, is refused with the register (§6.5)', async () => {
    const { logs } = world.machine;
    await world.machine.showLogs({ ...logs, boot: second.logs.boot });
    assert.match(await world.measure(RUN, 'before'), /PCR 9 is .* the boot log makes it/);
    await world.machine.showLogs({ ...logs, ima: logs.ima.subarray(0, 400) });
    assert.match(await world.measure(RUN, 'before'), /ima-log-(differs|malformed)/);
    await world.machine.showLogs(logs);
    assert.equal(await world.measure(RUN, 'before'), 'accepted');
  });

  test('whose log goes on with entries that no quote covers is refused, and none of it stays on the disk (§6.5)', async () => {
    const { logs } = world.machine;
    const kept = (): string[] => readdirSync(join(world.folder, 'box-logs'));
    assert.ok(kept().length > 0, 'of the last logs that were accepted');
    const invented = Buffer.alloc(LIMITS.imaUncoveredBytesMax + 1);
    await world.machine.showLogs({ ...logs, ima: new Uint8Array(Buffer.concat([logs.ima, invented])) });
    assert.match(await world.measure(RUN, 'before'), /262145 bytes of the IMA log follow what the quote covers/);
    assert.deepEqual(kept(), []);
    await world.machine.showLogs(logs);
    assert.equal(await world.measure(RUN, 'before'), 'accepted');
  });

  test('that withholds its logs has eight answers waiting, one log asked for, and is judged once it hands them over (§6.5)', async () => {
    const runs = Array.from({ length: 12 }, (_, index) => `${index.toString(16).padStart(32, '0')}.1`);
    world.restartDevice();
    await world.greet(world.machine);
    await world.logs.sweep(() => false, Number.POSITIVE_INFINITY);
    world.withholds = true;
    const outcomes: string[] = [];
    const answers = [];
    for (const run of runs) answers.push(await world.answer(run));
    for (const answer of answers) void world.judge(answer, 'outside').then((outcome) => outcomes.push(outcome));
    for (let waited = 0; waited < 100 && world.asked.length === 0; waited += 1) await setTimeout(50);
    assert.deepEqual([outcomes, new Set(world.asked).size], [[], 1]);
    world.withholds = false;
    world.aheadMs += 11_000;
    world.desk.timePassed();
    for (let waited = 0; waited < 100 && outcomes.length < 8; waited += 1) await setTimeout(50);
    await setTimeout(200);
    assert.deepEqual(outcomes, Array(8).fill('accepted'));
    world.aheadMs = 0;
  });

  test('swapped behind the cable, with the same signing key, is refused (§6.5)', async () => {
    const swapped = new Machine(join(world.folder, 'swapped'), join(world.folder, 'authority'));
    try {
      await swapped.boot(steady.logs);
      await world.greet(swapped);
      assert.match(await world.measure(RUN, 'before', swapped), /another TPM/);
      // Its hello still shows the keys of the box that it replaces: then its quotes are by another key.
      await world.greet(world.machine);
      world.serving = swapped;
      assert.match(await world.measure(RUN, 'before', swapped), /quote-(signature-wrong|other-signer)/);
    } finally {
      await world.greet(world.machine);
      await swapped.stop();
    }
  });

  test('that shows the TPM of another paired box is refused until that box is removed (§6.5)', async () => {
    const second = { name: 'second', signingKey: softwareSigner(new Uint8Array(randomBytes(32))).publicKey };
    world.paired = [world.box, second];
    await world.greet(world.machine, second);
    assert.ok(world.desk.activationFor('second'), world.lines.join('\n'));
    assert.match(await world.measure(OTHER_RUN, 'before', world.machine, second), /shows the TPM of box, and one TPM stands for one box/);
    assert.equal(await world.measure(RUN, 'before'), 'accepted', 'the box whose it is');
    world.paired = [second];
    assert.equal(await world.measure(OTHER_RUN, 'before', world.machine, second), 'accepted');
    world.paired = [world.box, second];
    assert.match(await world.measure(RUN, 'before'), /shows the TPM of second/);
    world.paired = [world.box];
  });

  test('that shows other keys with every hello has one secret closed a minute, and none for keys that it shows no more (§6.5)', async () => {
    const restless = { name: 'restless', signingKey: softwareSigner(new Uint8Array(randomBytes(32))).publicKey };
    const other = new Machine(join(world.folder, 'restless'), join(world.folder, 'authority'));
    try {
      await other.boot(steady.logs);
      const before = world.secretsClosed;
      const hellos = [world.machine, other, world.machine, other].map(({ tpm }) => tpm?.keys);
      for (const keys of hellos) {
        world.desk.introduced(restless, keys);
        await setTimeout(200);
      }
      assert.equal(world.secretsClosed - before, 1);
      assert.equal(world.desk.activationFor('restless'), undefined);
      world.aheadMs += DEVICE_LIMITS.activationEveryMs;
      world.desk.introduced(restless, other.tpm?.keys);
      for (let waited = 0; waited < 50 && !world.desk.activationFor('restless'); waited += 1) await setTimeout(100);
      assert.ok(world.desk.activationFor('restless'));
      assert.equal(world.secretsClosed - before, 2);
    } finally {
      world.aheadMs = 0;
      await other.stop();
    }
  });

  test('whose agent was replaced after the measurement is refused at the next check, with the file (§6.6)', async () => {
    assert.equal(await world.measure(RUN, 'before'), 'accepted');
    await world.machine.measureFile(fileEntry('/opt/capstan/agent.js', crypto.sha256(new TextEncoder().encode('another agent'))));
    assert.match(await world.measure(RUN, 'within'), /\/opt\/capstan\/agent\.js \(sha256:[0-9a-f]{64}\) is not known \(file-unknown\)/);
  });

  test('whose kernel recorded a violation is refused, though its log gives it the path and digest of a known file (§6.5)', async () => {
    await restart(world, steady.logs);
    const known = imaEntries(steady.logs.ima)[5] ?? assert.fail();
    await world.machine.measureFile(violation(known));
    assert.match(await world.measure(RUN, 'before'), /\/usr\/lib\/box\/program-3, by the log.*\(file-violation\)/);
  });

  test('that ran a program by the name of boot_aggregate is refused (§6.5)', async () => {
    await restart(world, steady.logs);
    await world.machine.measureFile(fileEntry('boot_aggregate', crypto.sha256(new Uint8Array(1))));
    assert.match(await world.measure(RUN, 'before'), /^boot_aggregate .* is not known \(file-unknown\)/);
  });

  test('that extends a register during the run is refused with the register (§6.5)', async () => {
    await restart(world, steady.logs);
    assert.equal(await world.measure(RUN, 'before'), 'accepted');
    await world.machine.extend([14, crypto.sha256(new Uint8Array(1))]);
    assert.match(await world.measure(RUN, 'within'), /PCR 14 was 0{64} and is/);
  });

  test('that was started anew during the run is refused: evidence of an earlier boot is not of this one (§6.5)', async () => {
    await restart(world, steady.logs);
    assert.equal(await world.measure(RUN, 'before'), 'accepted');
    await restart(world, steady.logs);
    assert.match(await world.measure(RUN, 'within'), /reset between two quotes/);
    assert.equal(await world.measure(RUN, 'before'), 'accepted', 'the next run is another matter');
  });

  test('that measured one system and booted another is refused, and the event is named (§6.5)', async () => {
    await restart(world, second.logs);
    assert.match(await world.measure(RUN, 'before'), /PCR 9: EV_EVENT_TAG .* is not known \(event-unknown\)/);
  });

  test('keeps the level of a run over a new start of its device, and is held against its last quote (§6.5)', async () => {
    await restart(world, steady.logs);
    assert.equal(await world.measure(RUN, 'before'), 'accepted');
    const shown = world.desk.standingOf(RUN);
    assert.equal(shown?.level, 'software-tpm');
    world.restartDevice();
    await world.greet(world.machine);
    assert.deepEqual(world.desk.standingOf(RUN), shown);
    assert.equal(await world.measure(RUN, 'within'), 'accepted');
    assert.deepEqual(world.desk.standingOf(RUN), shown);
    world.restartDevice();
    await world.greet(world.machine);
    await world.machine.extend([14, crypto.sha256(new Uint8Array(1))]);
    assert.match(await world.measure(RUN, 'within'), /PCR 14 was 0{64} and is/);
  });

  test('keeps no level of a run for a box that was paired anew, nor of one that was measured again without a quote (§6.5)', async () => {
    await restart(world, steady.logs);
    assert.equal(await world.measure(RUN, 'before'), 'accepted');
    const { paired } = world;
    world.restartDevice();
    world.paired = paired.map((box) => ({ ...box, signingKey: new Uint8Array(32) }));
    assert.equal(world.desk.standingOf(RUN), undefined);
    world.paired = paired;
    world.restartDevice();
    await world.greet(world.machine);
    assert.match(await world.judge({ run: RUN, nonce: new Uint8Array(32), tpm: undefined }, 'before'), /shows no quote/);
    world.restartDevice();
    await world.greet(world.machine);
    assert.equal(world.desk.standingOf(RUN), undefined);
  });

  test('is judged within a run also by a device that has not judged its beginning, which only drops the level (§6.5)', async () => {
    for (const damage of [
      () => world.machine.extend([14, crypto.sha256(new Uint8Array(1))]),
      () => world.machine.measureFile(fileEntry('/tmp/miner', crypto.sha256(new Uint8Array(2)))),
    ]) {
      world.restartDevice();
      await world.greet(world.machine);
      await damage();
      assert.match(await world.measure(LATE_RUN, 'within'), /^(PCR 14 is|\/tmp\/miner)/);
      await restart(world, steady.logs);
    }
    assert.equal(await world.measure(LATE_RUN, 'within'), 'accepted');
    assert.equal(world.desk.standingOf(LATE_RUN), undefined);
    await restart(world, steady.logs);
    assert.match(await world.measure(LATE_RUN, 'within'), /reset between two quotes/, 'and from there on as a run');
  });
});

async function restart(world: World, logs: typeof steady.logs): Promise<void> {
  await world.machine.boot(logs);
}

function endorsementOf(machine: Machine): Uint8Array {
  const keys = machine.tpm?.keys;
  assert.ok(keys);
  return endorsementDigest(keys);
}

/** An entry of an IMA log, template ima-ng. */
function fileEntry(path: string, digest: Uint8Array): Uint8Array {
  const fields = [Buffer.concat([Buffer.from('sha256:\0'), digest]), Buffer.from(`${path}\0`)];
  const data = Buffer.concat(fields.flatMap((field) => [u32(field.length), field]));
  return new Uint8Array(Buffer.concat([u32(10), Buffer.alloc(20, 1), u32(6), Buffer.from('ima-ng'), u32(data.length), data]));
}

function u32(value: number): Buffer {
  const encoded = Buffer.alloc(4);
  encoded.writeUInt32LE(value);
  return encoded;
}
