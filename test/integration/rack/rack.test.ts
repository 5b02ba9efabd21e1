/** A rack as a process with a real agent on its box, held by the components of the simulated board. Specification §16.4. */
import assert from 'node:assert/strict';
import { spawn, type ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { existsSync, mkdtempSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { connect } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, describe, test } from 'node:test';
import { setTimeout as sleep } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import { readBoard } from '../../../device/board/board-file.ts';
import type { BoxHardware, HardwareChange, Reading } from '../../../device/board/ports.ts';
import { simulatedDevices } from '../../../device/board/simulated/simulated-devices.ts';
import { openWiredBox } from '../../../device/board/wired-box.ts';
import { askRack } from '../../../scripts/rack/ask-rack.ts';
import type { BoxStatus, RackRequest } from '../../../scripts/rack/rack-messages.ts';
import { rackFileText } from '../../../scripts/rack/rack.ts';
import { pairedBox, type PairedBox } from './paired-box.ts';

const program = fileURLToPath(new URL('../../../scripts/rack/main.ts', import.meta.url));
const agent = fileURLToPath(new URL('../../../hpc-agent/agent.ts', import.meta.url));
/** It takes two seconds of processor time, which a busy machine gives in a minute. */
const AGENT_WAIT_MS = 90_000;
/** A processor's work, without a capsule around it. */
const BURN = 'for (;;) {}';

describe('a rack with an agent and a busy program (§16.4)', () => {
  const folder = mkdtempSync(join(tmpdir(), 'capstan-rack-test-'));
  const at = (name: string): string => join(folder, name);
  const changes: HardwareChange[] = [];
  let paired: PairedBox;
  let rack: ChildProcess;
  let box: BoxHardware;

  before(async () => {
    paired = await pairedBox(folder);
    writeFileSync(at('burn.mjs'), BURN);
    const boxes = [
      {
        name: 'agent',
        wires: at('agent.wires'),
        program: [agent, '--state', paired.state],
        log: at('agent.log'),
        processId: at('agent.pid'),
      },
      { name: 'busy', wires: at('busy.wires'), program: [at('burn.mjs')], log: at('busy.log'), processId: at('busy.pid') },
    ];
    writeFileSync(at('rack.json'), rackFileText({ socket: at('rack.sock'), bootMs: 100, afterMains: 'off', boxes }));
    rack = startRack();
    await eventually(() => (existsSync(at('rack.sock')) ? true : undefined), 'the rack');
    const { definition } = await readBoard('simulated');
    box = await openWiredBox(definition, simulatedDevices(at('agent.wires'), 'test'), Date.now);
    box.onChange((change) => void changes.push(change));
  });

  after(async () => {
    await box.close();
    rack.kill('SIGKILL');
    await paired.stop();
    rmSync(folder, { recursive: true, force: true });
  });

  const startRack = (): ChildProcess => spawn(process.execPath, [program, at('rack.json')], { stdio: 'ignore' });
  const ask = async (request: RackRequest): Promise<BoxStatus[]> => {
    const reply = await askRack(at('rack.sock'), request);
    assert.notEqual(reply.is, 'refused');
    return reply.is === 'status' ? reply.boxes : [];
  };
  const statusOf = async (name: string): Promise<BoxStatus> => {
    const found = (await ask({ do: 'status' })).find((status) => status.box === name);
    assert.ok(found);
    return found;
  };
  const reading = async (sensor: string): Promise<Reading> => {
    // The components give what they have for as long as the period of the sensor.
    await sleep(600);
    const found = (await box.sample()).find((one) => one.sensor === sensor);
    assert.ok(found, sensor);
    return found;
  };

  test('its sockets are for their account alone', () => {
    for (const name of ['rack.sock', 'agent.wires', 'busy.wires']) assert.equal(statSync(at(name)).mode & 0o777, 0o600, name);
  });

  test('power on starts the agent, which says hello to its device', async () => {
    assert.equal(box.source, 'simulated');
    assert.equal(box.powerState(), 'off');
    assert.deepEqual(await box.power('on'), { status: 'done' });
    await eventually(() => (paired.hellos() > 0 ? true : undefined), 'the first hello', AGENT_WAIT_MS);
    assert.equal(box.powerState(), 'on');
    assert.ok(changes.some((change) => change.kind === 'power' && change.state === 'on'));
    const { agent: id } = await statusOf('agent');
    assert.equal(readFileSync(at('agent.pid'), 'utf8'), `${String(id)}\n`);
    assert.ok((await reading('box-power')).value > 35_000);
  });

  test('an agent that is killed is started again, though nobody pressed a button', async () => {
    const before = (await statusOf('agent')).agent ?? 0;
    process.kill(before, 'SIGKILL');
    await eventually(async () => ((await statusOf('agent')).agent ?? before) !== before || undefined, 'another agent');
    assert.equal(box.powerState(), 'on');
  });

  test('reset gives another process, hard off none, and standby watts', async () => {
    const before = (await statusOf('agent')).agent ?? 0;
    assert.deepEqual(await box.power('reset'), { status: 'done' });
    await eventually(async () => ((await statusOf('agent')).agent ?? before) !== before || undefined, 'another agent');
    assert.ok(!isAlive(before));
    const second = (await statusOf('agent')).agent ?? 0;
    assert.deepEqual(await box.power('hard-off'), { status: 'done' });
    assert.equal(box.powerState(), 'off');
    assert.ok(!isAlive(second));
    assert.equal((await statusOf('agent')).agent, undefined);
    const watts = await reading('box-power');
    assert.ok(watts.value > 0 && watts.value < 2_000, `${watts.value} mW`);
  });

  test('load of a real process raises watts, and these the heat', async () => {
    const idle = await statusOf('busy');
    await ask({ do: 'press', box: 'busy', button: 'power', ms: 100 });
    await eventually(async () => ((await statusOf('busy')).loadPermille > 100 ? true : undefined), 'load');
    const { readings, mainsMw } = await statusOf('busy');
    const value = (sensor: string): number => readings.find((one) => one.sensor === sensor)?.value ?? 0;
    assert.ok(value('box-power') > 38_000 + 0.09 * 127_000, `${value('box-power')} mW`);
    assert.ok(mainsMw > value('box-power') && idle.mainsMw < 3_000);
    await eventually(async () => ((await heat('busy')) > 23_000 ? true : undefined), 'heat');
    await ask({ do: 'mains', box: 'busy', isThere: false });
    assert.deepEqual([(await statusOf('busy')).mainsMw, (await statusOf('busy')).phase], [0, 'no-mains']);
  });

  const heat = async (name: string): Promise<number> =>
    (await statusOf(name)).readings.find(({ sensor }) => sensor === 'processor-temperature')?.value ?? 0;

  test('a door is said at once, and sensors fail, stick and heal', async () => {
    changes.length = 0;
    await ask({ do: 'door', box: 'agent', isOpen: true });
    await eventually(() => changes.find((change) => change.kind === 'reading' && change.reading.sensor === 'intrusion'), 'the open door');
    assert.equal((await reading('intrusion')).value, 1);
    await ask({ do: 'door', box: 'agent', isOpen: false });
    await ask({ do: 'fault', box: 'agent', sensor: 'exhaust-temperature', kind: 'failed' });
    assert.equal((await reading('exhaust-temperature')).quality, 'failed');
    await ask({ do: 'fault', box: 'agent', sensor: 'exhaust-temperature', kind: 'none' });
    assert.equal((await reading('exhaust-temperature')).quality, 'good');
  });

  test('a line is one program’s, and garbage at the wires ends that connection alone', async () => {
    const other = await simulatedDevices(at('agent.wires'), 'other').openChip('rack');
    await assert.rejects(async () => other.request({ offset: 0, direction: 'output' }), /line 0 is held by "test"/);
    other.close();
    for (const garbage of [Uint8Array.of(0, 0, 0, 0), new Uint8Array(5_000).fill(255), Uint8Array.of(0, 0, 0, 1, 0xa0)]) {
      const socket = connect(at('agent.wires'));
      socket.on('error', () => undefined);
      socket.write(garbage);
      await once(socket, 'close');
    }
    assert.equal((await reading('box-power')).quality, 'good');
  });

  test('a rack that dies takes its agents along; its wires give failed readings, and are joined again', async () => {
    await box.power('on');
    await eventually(async () => ((await statusOf('agent')).agent === undefined ? undefined : true), 'the agent');
    const { agent: id = 0 } = await statusOf('agent');
    rack.kill('SIGKILL');
    await eventually(() => !isAlive(id) || undefined, 'the end of the agent');
    assert.equal((await reading('box-power')).quality, 'failed');
    assert.notEqual((await box.power('hard-off')).status, 'done');
    rack = startRack();
    await eventually(
      async () => ((await box.sample()).find(({ sensor }) => sensor === 'box-power')?.quality === 'good' ? true : undefined),
      'readings',
    );
    await eventually(() => box.powerState() === 'off' || undefined, 'the power LED');
  });

  test('told to end, it lets its agents end first', async () => {
    await box.power('on');
    const before = paired.hellos();
    await eventually(() => (paired.hellos() > before ? true : undefined), 'a hello', AGENT_WAIT_MS);
    rack.kill('SIGTERM');
    const [status] = (await once(rack, 'exit')) as [number | null];
    assert.equal(status, 0);
    assert.match(readFileSync(at('agent.log'), 'utf8').trimEnd().split('\n').at(-1) ?? '', /agent-stopped/);
  });
});

/** A zombie is dead: nobody has asked for its exit status yet. */
function isAlive(processId: number): boolean {
  try {
    return !/^State:\s+Z/m.test(readFileSync(`/proc/${processId}/status`, 'utf8'));
  } catch {
    return false;
  }
}

/** Asks again and again until there is an answer. */
async function eventually<T>(find: () => T | undefined | Promise<T | undefined>, what: string, waitMs = 20_000): Promise<T> {
  const deadlineMs = performance.now() + waitMs;
  for (;;) {
    const found = await find();
    if (found !== undefined) return found;
    if (performance.now() > deadlineMs) throw new Error(`${what} did not come within ${waitMs} ms`);
    await sleep(20);
  }
}
