/** The code on the display of a simulated board, as a person reads it there. Specification §5.6, §16.2. */
import assert from 'node:assert/strict';
import { join } from 'node:path';
import { after, before, test } from 'node:test';
import { formatPairingCode } from '#protocol/pairing-code.ts';
import { BoardDisplay } from '../../../device/board/board-display.ts';
import { readBoard } from '../../../device/board/board-file.ts';
import type { BoardDefinition } from '../../../device/board/definition.ts';
import type { Devices } from '../../../device/board/devices.ts';
import { simulatedDevices } from '../../../device/board/simulated/simulated-devices.ts';
import { connect } from '../../../device/mqtt/connection.ts';
import { pairHolder } from '../../../hpc-agent/pairing.ts';
import { askRack } from '../../../scripts/rack/ask-rack.ts';
import { startOwnRack, type OwnRack } from '../../../scripts/rack/own-rack.ts';
import { openFor, startPairingBench, type PairingBench } from './pairing-bench.ts';

let rack: OwnRack;
let definition: BoardDefinition;
let display: BoardDisplay;
let bench: PairingBench;
before(async () => {
  rack = await startOwnRack();
  ({ definition } = await readBoard('simulated'));
  display = displayOn(simulatedDevices(rack.wires, 'test'));
  bench = await startPairingBench({ show: (lines) => void display.showNotice(lines) });
});
after(async () => {
  await bench.stop();
  await display.close();
  await rack.stop();
});

function displayOn(devices: Pick<Devices, 'openBus'>): BoardDisplay {
  assert.ok(definition.display && definition.i2c);
  return new BoardDisplay(definition.display, definition.i2c.bus, devices);
}

async function rowsNow(): Promise<string[]> {
  const reply = await askRack(rack.socket, { do: 'status' });
  return (reply.is === 'status' && reply.boxes[0]?.display) || [];
}

/** The display takes a moment for each character. */
async function showsSoon(rows: readonly string[]): Promise<void> {
  const whole = Array.from({ length: 4 }, (_, row) => rows[row] ?? '');
  const giveUpAt = performance.now() + 5_000;
  while (JSON.stringify(await rowsNow()) !== JSON.stringify(whole) && performance.now() < giveUpAt)
    await new Promise((resolve) => setTimeout(resolve, 20));
  assert.deepEqual(await rowsNow(), whole);
}

/** In rows of 20, as the display breaks it. */
const broken = (address: string): string[] => address.replace('mqtts://', '').match(/.{1,20}/g) ?? [];

test('a code stands on the display while its window is open, and what the box is at before and after (§5.6)', async () => {
  await display.show(['box', 'ready']);
  await showsSoon(['box', 'ready']);
  const window = await openFor(bench.device, 'box', 'first');
  const rows = [formatPairingCode(window.code), ...broken(window.address)];
  await showsSoon(rows);
  await display.show(['box', 'working']);
  await showsSoon(rows);
  await pairHolder({ address: window.at, code: window.code, folder: join(bench.state, 'first') }, connect);
  await showsSoon(['box', 'working']);
});

test('of several windows the one that was opened last is shown, and a code goes with its window (§5.6)', async () => {
  await display.show(['box', 'ready']);
  const [earlier, later] = [await openFor(bench.device, 'box', 'earlier'), await openFor(bench.device, 'client', 'later')];
  await showsSoon([formatPairingCode(later.code), ...broken(later.address)]);
  later.withdraw();
  await showsSoon([formatPairingCode(earlier.code), ...broken(earlier.address)]);
  earlier.withdraw();
  await showsSoon(['box', 'ready']);
});

test('a display that was away shows what is to be shown once it is there, and no code when its device ends (§16.2)', async () => {
  let isAway = true;
  const there = simulatedDevices(rack.wires, 'later');
  const later = displayOn({ openBus: (bus) => (isAway ? Promise.reject(new Error('away')) : there.openBus(bus)) });
  await later.show(['box', 'booting']);
  await later.showNotice(['ABCD-EFGH']);
  await showsSoon(['box', 'ready']);
  isAway = false;
  await later.retry();
  await showsSoon(['ABCD-EFGH']);
  await later.close();
  await showsSoon(['box', 'booting']);
});
