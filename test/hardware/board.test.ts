/** A whole board on the kernel's own lines: raspberry-pi-4-slb9670 as it ships, its box played by this test. Specification §16.2. */
import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { join } from 'node:path';
import { execPath } from 'node:process';
import { after, test } from 'node:test';
import { setTimeout as sleep } from 'node:timers/promises';
import { readBoard } from '../../device/board/board-file.ts';
import { linuxDevices } from '../../device/board/linux-devices.ts';
import type { HardwareChange, PowerVerb } from '../../device/board/ports.ts';
import { openWiredBox } from '../../device/board/wired-box.ts';
import { holdUp, pull, seenOutside, until } from './outside.ts';
import { nameBusAsOnAPi } from './pi-bus.ts';

nameBusAsOnAPi();
const { definition } = await readBoard('raspberry-pi-4-slb9670');
const LINES = { power: 23, reset: 27, mains: 26, led: 17, disk: 22, lid: 16, status: 20, buzzer: 21, fan: 5 } as const;
/** Its optocoupler pulls the line down while the LED is lit. */
const light = (isLit: boolean): void => pull(LINES.led, isLit ? 'pull-down' : 'pull-up');
const shutLid = (isShut: boolean): void => pull(LINES.lid, isShut ? 'pull-down' : 'pull-up');

const box = await openWiredBox(definition, linuxDevices, Date.now);
const changes: HardwareChange[] = [];
box.onChange((change) => changes.push(change));
after(() => box.close());

/** The line is high meanwhile and low afterwards. @returns milliseconds from the request to the release */
async function pressed(verb: PowerVerb, line: number, meanwhile?: () => Promise<void>): Promise<number> {
  const begun = performance.now();
  const done = box.power(verb);
  assert.equal(seenOutside(line), '1');
  await meanwhile?.();
  assert.deepEqual(await done, { status: 'done' });
  assert.equal(seenOutside(line), '0');
  return performance.now() - begun;
}

/** Never shorter; longer only by what a machine with other things to do adds. */
const isShortPress = (ms: number): boolean => ms >= definition.press.shortMs - 1 && ms < definition.press.shortMs + 2_000;

test('opening a board presses nothing and leaves the mains on (§16.2)', () => {
  assert.deepEqual(
    [LINES.power, LINES.reset, LINES.mains, LINES.status, LINES.buzzer].map((line) => seenOutside(line)),
    ['0', '0', '0', '0', '0'],
  );
  assert.equal(box.source, 'wires');
  assert.equal(box.powerState(), 'off');
});

test('a press lasts as long as board.yaml says, is exclusive, and rests; the LED gates it (§16.2)', async () => {
  assert.deepEqual(await box.power('soft-off'), { status: 'refused', reason: 'already-off', detail: 'the power LED is dark' });
  const length = await pressed('on', LINES.power, async () => {
    const second = await box.power('on');
    assert.equal(second.status === 'refused' && second.reason, 'busy');
  });
  assert.ok(isShortPress(length), `pressed for ${length} ms`);

  light(true);
  await until('the box is on', () => box.powerState() === 'on');
  assert.ok(changes.some((change) => change.kind === 'power' && change.state === 'on'));
  const resting = await box.power('soft-off');
  assert.equal(resting.status === 'refused' && resting.reason, 'busy');
  await sleep(definition.press.restMs);
  const again = await box.power('on');
  assert.equal(again.status === 'refused' && again.reason, 'already-on');
  assert.equal(seenOutside(LINES.power), '0');
});

test('reset and mains have lines of their own (§16.2)', async () => {
  const length = await pressed('reset', LINES.reset);
  assert.ok(isShortPress(length), `pressed for ${length} ms`);
  assert.deepEqual(await box.power('cut-mains'), { status: 'done' });
  assert.equal(seenOutside(LINES.mains), '1');
  assert.deepEqual(await box.power('restore-mains'), { status: 'done' });
  assert.equal(seenOutside(LINES.mains), '0');
});

test('a power LED that blinks at 1 Hz is a box that sleeps, and a short press to switch it off is refused (§16.2)', async () => {
  for (let blink = 0; blink < 4; blink += 1) {
    light(false);
    await sleep(500);
    light(true);
    await sleep(500);
  }
  assert.equal(box.powerState(), 'sleeping');
  const outcome = await box.power('soft-off');
  assert.equal(outcome.status === 'refused' && outcome.reason, 'unknown-state');
  await until('it is on when the blinking has ended', () => box.powerState() === 'on');
});

test('an open lid is told at once, and a cut wire is an open lid (§16.2)', async () => {
  const told = (): (number | undefined)[] => changes.map((change) => (change.kind === 'reading' ? change.reading.value : undefined));
  shutLid(true);
  await until('it is shut', () => told().includes(0));
  changes.length = 0;
  shutLid(false);
  await until('it is open', () => told().includes(1));
  assert.equal((await box.sample()).find(({ sensor }) => sensor === 'intrusion')?.value, 1);
});

test("a fan's revolutions come from the kernel's count and time, however late they are read (§16.3)", async () => {
  pull(LINES.fan, 'pull-up');
  await sleep(100);
  const pulses = 40;
  const begun = performance.now();
  for (let pulse = 0; pulse < pulses; pulse += 1) {
    pull(LINES.fan, 'pull-down');
    holdUp(15);
    pull(LINES.fan, 'pull-up');
    holdUp(15);
  }
  const perMinute = (pulses / 2 / (performance.now() - begun)) * 60_000;
  await sleep(20);
  const readings = await box.sample();
  const rpm = readings.find(({ sensor }) => sensor === 'processor-fan')?.value ?? 0;
  assert.ok(Math.abs(rpm - perMinute) < perMinute * 0.1, `${rpm} rpm; this test made ${Math.round(perMinute)}`);
  assert.equal(readings.find(({ sensor }) => sensor === 'rear-fan')?.value, 0);
});

test('status LED and buzzer say ready, attention and nothing (§16.2)', async () => {
  await box.signal('ready');
  assert.deepEqual([seenOutside(LINES.status), seenOutside(LINES.buzzer)], ['1', '0']);
  await box.signal('attention');
  await until('it beeps', () => seenOutside(LINES.buzzer) === '1');
  await box.signal('none');
  await sleep(250);
  assert.deepEqual([seenOutside(LINES.status), seenOutside(LINES.buzzer)], ['0', '0']);
});

test('a line that another program holds, and a board that this is not, are named by their key (§16.1, §16.2)', async () => {
  await assert.rejects(
    openWiredBox(definition, linuxDevices, Date.now),
    /^Error: lines\.powerButton on "pinctrl-bcm2711": line 23 is held by "capstan"/,
  );
  await assert.rejects(
    openWiredBox({ ...definition, gpio: { chip: 'elsewhere' } }, linuxDevices, Date.now),
    /no GPIO chip labelled "elsewhere"; this machine has "other-chip", "pinctrl-bcm2711"/,
  );
});

test('a press is let go when the board is closed, and its line is free when the program is killed (§16.2)', async () => {
  light(true);
  await sleep(definition.press.restMs);
  const cut = box.power('hard-off');
  await until('it is pressed', () => seenOutside(LINES.power) === '1');
  await box.close();
  assert.equal(seenOutside(LINES.power), '0');
  const outcome = await cut;
  assert.equal(outcome.status === 'failed' && outcome.reason, 'closed');

  for (const signal of ['SIGTERM', 'SIGKILL'] as const) {
    const presser = spawn(execPath, [join(import.meta.dirname, 'presser.mjs')], { stdio: ['ignore', 'pipe', 'inherit'] });
    const ended = once(presser, 'close');
    try {
      await once(presser.stdout, 'data');
      light(true); // a line that is asked for anew has its pull-up again
      await until('it is pressed', () => seenOutside(LINES.power) === '1');
    } finally {
      presser.kill(signal);
      await ended;
    }
    assert.equal(presser.signalCode, signal);
    assert.equal(seenOutside(LINES.power), '0');
    light(false);
  }
});
