/** Boxes of a real firmware under `npm run box`: by simulated wires, IPMI (ipmi_sim) and Redfish. Specification §16.5, §17.2, §17.7. */
import assert from 'node:assert/strict';
import { once } from 'node:events';
import { readdirSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { after, before, test } from 'node:test';
import { setTimeout as sleep } from 'node:timers/promises';
import { readBoard } from '../../../device/board/board-file.ts';
import type { ControlEntry } from '../../../device/configuration.ts';
import { askDesk } from '../../../device/control/ask-desk.ts';
import { startOwnRack } from '../../../scripts/rack/own-rack.ts';
import { startIpmiSimulator, type IpmiSimulator } from './ipmi-simulator.ts';
import { OperatedDevice, type Ended } from './operated-device.ts';
import { startRedfishService, type RedfishService } from './redfish-service.ts';

let device: OperatedDevice;
let ipmi: IpmiSimulator;
let redfish: RedfishService;
let late: IpmiSimulator;
const stops: (() => Promise<void>)[] = [];
const timeout = 180_000;

function begun<T extends { stop(): Promise<void> }>(part: T): T {
  stops.push(() => part.stop());
  return part;
}

before(async () => {
  const rack = begun(await startOwnRack());
  ipmi = begun(await startIpmiSimulator());
  late = begun(await startIpmiSimulator());
  redfish = begun(await startRedfishService('modern'));
  device = begun(await OperatedDevice.found());
  late.freeze();
  // ipmi_sim offers no suite above 3.
  const entryOf = ({ host, port, user, passwordFile }: IpmiSimulator) =>
    ({ by: 'ipmi', host, port, user, passwordFile, cipherSuite: 3 }) as const;
  const { url, user, passwordFile, authority } = redfish;
  const control: ControlEntry[] = [
    { by: 'board', box: 'wired' },
    { ...entryOf(ipmi), box: 'by-ipmi', powerSensor: 'total-power' },
    { ...entryOf(late), box: 'late' },
    { by: 'redfish', box: 'by-redfish', url, user, passwordFile, authority },
    { ...entryOf(ipmi), box: 'unlocked', passwordFile: join(device.state, 'bmc.password') },
    { ...entryOf(ipmi), box: 'mistaken', passwordFile: 'mistaken.password' },
  ];
  writeFileSync(join(device.state, 'mistaken.password'), 'not this one\n', { mode: 0o600 });
  device.configure({ control, wires: rack.wires });
  await device.start();
  for (const box of ['wired', 'by-ipmi', 'late', 'by-redfish', 'unlocked', 'mistaken', 'bare']) await device.pair(box);
  await device.listen();
});
after(async () => {
  for (const stop of stops.toReversed()) await stop();
});

function said({ stdout, stderr }: Ended): string {
  return stdout + stderr;
}

/** What a firmware deals with for a while is an order, and no question. */
async function isAtIt(): Promise<boolean> {
  const taken = (): string[] => readdirSync(join(device.state, 'control')).filter((name) => name.endsWith('.taken.json'));
  const before = taken();
  await sleep(500);
  return taken().some((name) => before.includes(name));
}

/** A button that was pressed is not pressed again at once. */
async function rested(): Promise<void> {
  const { definition } = await readBoard('simulated');
  await sleep(definition.press.restMs + 500);
}

const held = (box: string, words: string) => () => device.lines.some((line) => line.includes(`boxWired box=${box} source=${words}`));
const power = (box: string): unknown => device.topics.get(`${box}/state`)?.['power'];

test('a list shows every box, by what it is held and why it stands so (§17.7)', { timeout }, async () => {
  await device.until(
    'the boxes are held',
    () => held('by-ipmi', 'ipmi')() && held('by-redfish', 'redfish')() && held('wired', 'simulated')(),
  );
  await device.until('power is sensed', () => ['wired', 'by-ipmi', 'by-redfish'].every((box) => power(box) === 'off'));
  const listed = await device.box('list');
  assert.equal(listed.status, 0, said(listed));
  for (const row of [
    /by-ipmi +off +.* off +\d+\.\d W +IPMI/,
    /by-redfish +off .* off +214\.5 W +Redfish/,
    /wired +off .* simulated/,
    /bare +off .* \? +- +- /,
  ])
    assert.match(listed.stdout, row);
  assert.doesNotMatch(listed.stdout, /\u001b/, 'no colours where nobody watches');
  const boxes = JSON.parse((await device.box('list', '--json')).stdout) as { box: string; device: string; standing: { state: string } }[];
  assert.deepEqual(boxes.map(({ box }) => box).sort(), ['bare', 'by-ipmi', 'by-redfish', 'late', 'mistaken', 'unlocked', 'wired']);
  assert.deepEqual([...new Set(boxes.map(({ device: name, standing }) => `${name} ${standing.state}`))], ['alpha off']);
});

test('an IPMI box is switched on, reset and off, and its topics follow (§16.5)', { timeout }, async () => {
  const on = await device.box('on', 'by-ipmi');
  assert.equal(on.status, 0, said(on));
  assert.match(on.stdout, /on of by-ipmi is done .*\nby-ipmi is booting, its power on/);
  assert.equal(await ipmi.isOn(), true);
  await device.until('its topic follows', () => power('by-ipmi') === 'on');
  assert.deepEqual([device.topics.get('by-ipmi/state')?.['state'], device.topics.get('by-ipmi/state')?.['source']], ['booting', 'ipmi']);
  const again = await device.box('on', 'by-ipmi');
  assert.deepEqual([again.status, again.stdout], [1, '']);
  assert.match(again.stderr, /^box: on of by-ipmi is refused \(already-on\): the BMC says that the box is on/);
  await ipmi.measure('watts', 360);
  await device.until('watts are read', () => device.topics.get('by-ipmi/total-power')?.['value'] === 360_000);
  assert.match((await device.box('show', 'by-ipmi')).stdout, /total-power +360\.0 W/);
  assert.equal((await device.box('reset', 'by-ipmi')).status, 0);
  assert.ok((await ipmi.asked()).includes('set reset 1'));
  const off = JSON.parse((await device.box('off', 'by-ipmi', '--json')).stdout) as { outcome: string; standing: { power: string } };
  assert.deepEqual([off.outcome, off.standing.power, await ipmi.isOn()], ['done', 'off', false]);
});

test('a Redfish box is switched, and its watts are on its topic (§16.5)', { timeout }, async () => {
  assert.match((await device.box('on', 'by-redfish')).stdout, /by-redfish is booting, its power on/);
  assert.equal(redfish.isOn, true);
  assert.deepEqual(
    [device.topics.get('by-redfish/power')?.['value'], device.topics.get('by-redfish/power')?.['source']],
    [214_500, 'redfish'],
  );
  assert.match((await device.box('hard-off', 'by-redfish')).stdout, /by-redfish is off/);
  assert.equal(redfish.isOn, false);
});

test('a BMC that is away at the start is tried again, said so once, and held when it comes (§16.5)', { timeout }, async () => {
  assert.match((await device.box('on', 'late')).stderr, /on of late failed \(not-open\): /, 'whether or not the first try is over');
  await device.until('it was tried', () => device.logged(/boxNotWired box=late/).length > 0);
  const { status, stdout, stderr } = await device.box('on', 'late');
  assert.deepEqual([status, stdout], [1, '']);
  assert.match(stderr, /on of late failed \(not-open\): the BMC at 127\.0\.0\.1:\d+ d.*tries again/);
  assert.match((await device.box('list')).stdout, /late .* away .*the BMC at 127\.0\.0\.1/);
  assert.equal(device.logged(/boxNotWired box=late/).length, 1);
  late.thaw();
  await device.until('it is held', held('late', 'ipmi'));
  assert.equal(device.logged(/boxNotWired box=late/).length, 1, 'one line for a change, not one for a try');
  assert.equal((await device.box('on', 'late')).status, 0);
});

test('a BMC that goes away leaves readings failed and power unknown, one alarm, and comes back (§16.5, §17.2)', { timeout }, async () => {
  await device.until('its power is on', () => power('late') === 'on');
  late.freeze();
  await device.until('its power is not known', () => power('late') === 'unknown');
  await device.until('its readings failed', () => device.topics.get('late/cpu-temp')?.['quality'] === 'failed');
  assert.equal(device.topics.get('late/cpu-temp')?.['value'], undefined);
  await device.until('an alarm says so', () => device.logged(/boxAlarm box=late/).length > 0, 120_000);
  const refused = await device.box('hard-off', 'late');
  assert.match(refused.stderr, /hard-off of late failed \(no-answer\)/);
  late.thaw();
  await device.until('it is back', () => power('late') === 'on' && device.topics.get('late/cpu-temp')?.['quality'] === 'good');
  await device.until('the alarm is over', () => device.logged(/boxAlarmOver box=late alarm=sensor-failed about=hardware/).length === 1);
  assert.deepEqual(
    device.logged(/boxAlarm box=late/).map((line) => / about=(\S+)/.exec(line)?.[1]),
    ['hardware'],
  );
});

test(
  'a password that is wrong, a file that is missing or that others may read says so, and no log tells it (§16.5)',
  { timeout },
  async () => {
    const [mistaken] = device.logged(/boxNotWired box=mistaken/);
    assert.match(mistaken ?? '', /refuses the password of .*operator.*; write the right one into .*mistaken\.password/);
    const [missing] = device.logged(/boxNotWired box=unlocked/);
    assert.match(missing ?? '', /bmc\.password: ENOENT/);
    writeFileSync(join(device.state, 'bmc.password'), 'wrong password\n', { mode: 0o644 });
    const words = async (): Promise<string> => (await device.box('show', 'unlocked')).stdout;
    await device.until('it is tried again', async () => (await words()).includes('others may read it (mode 644); chmod 600'), 90_000);
    assert.deepEqual(device.logged(/not this one|wrong password/), []);
  },
);

test('an order to what is not there, or can’t be meant, says what there is (§17.7)', { timeout }, async () => {
  const cases: [string[], number, RegExp][] = [
    [['on', 'bypmi'], 2, /there is no box "bypmi"; did you mean "by-ipmi"\? There are bare, by-ipmi/],
    [['on'], 2, /BOX is missing/],
    [['onn', 'wired'], 2, /there is no command "onn"; did you mean "on"\?/],
    [['on', 'wired', 'now'], 2, /"now" is one word too many/],
    [['list', '--jsn'], 2, /did you mean "--json"/],
    [['on', 'bare'], 1, /refused \(not-wired\): nothing is wired to box bare/],
    [['cut-mains', 'by-ipmi'], 1, /it does on, soft-off, hard-off, reset/],
    [['hard-off', 'by-ipmi'], 1, /already-off/],
    [['on', 'alpha'], 2, /device alpha has several boxes/],
  ];
  for (const [line, status, words] of cases) {
    const ended = await device.box(...line);
    assert.match(ended.stderr, words);
    assert.deepEqual([ended.status, ended.stdout], [status, ''], line.join(' '));
  }
});

test('a fenced box is not switched on before it is released (§17.2)', { timeout }, async () => {
  assert.match(
    (await device.box('fence', 'by-ipmi')).stdout,
    /by-ipmi is fenced, .*: the operator fenced it\nIt comes back by: npm run box -- release by-ipmi/,
  );
  assert.match((await device.box('on', 'by-ipmi')).stderr, /refused \(fenced\): .*npm run box -- release by-ipmi/);
  assert.equal(device.topics.get('by-ipmi/state')?.['state'], 'fenced');
  assert.match((await device.box('release', 'by-ipmi')).stdout, /It comes back with fresh evidence/);
  assert.equal((await device.box('on', 'by-ipmi')).status, 0);
});

test('a press of 5.5 s says what it does; a second order meanwhile is refused, and others are answered (§17.7)', { timeout }, async () => {
  assert.match((await device.box('on', 'wired')).stdout, /wired is booting, its power on/);
  await rested();
  const begunAtMs = performance.now();
  const pressing = device.box('hard-off', 'wired');
  await device.until('it is pressed', () => isAtIt());
  const second = await askDesk(device.state, { request: { ask: 'order', box: 'wired', verb: 'soft-off' } });
  assert.equal(second.status === 'answered' && second.answer.reason, 'busy');
  assert.equal((await device.box('list')).status, 0);
  const pressed = await pressing;
  assert.ok(performance.now() - begunAtMs > 4_000);
  assert.match(pressed.stdout, /holds the power button for 5\.5 s\n/);
  assert.match(pressed.stdout, /wired is off, its power off/);
});

test(
  'a firmware that is killed meanwhile is said, whether it did it or not; without one nothing is done (§17.7)',
  { timeout },
  async () => {
    await rested();
    assert.equal((await device.box('on', 'wired')).status, 0);
    await rested();
    const pressing = device.box('hard-off', 'wired');
    await device.until('it is pressed', () => isAtIt());
    await device.end('SIGKILL');
    await device.start();
    const interrupted = await pressing;
    assert.equal(interrupted.status, 1);
    assert.match(interrupted.stderr, /hard-off of wired failed \(interrupted\)/);
    await device.end();

    const silent = device.spawnBox('on', 'wired');
    await device.until('it is asked', () => readdirSync(join(device.state, 'control')).some((name) => /^[0-9a-f]{32}\.json$/.test(name)));
    silent.kill('SIGINT');
    assert.deepEqual(await once(silent, 'exit'), [130, null]);
    const none = await device.box('on', 'wired');
    assert.deepEqual([none.status, none.stdout], [1, '']);
    assert.match(none.stderr, /device alpha does not answer: its firmware does not run on .*nothing was done/);
    assert.match((await device.box('list')).stderr, /no device runs: alpha/);
    assert.deepEqual(readdirSync(join(device.state, 'control')), [], 'both are withdrawn');
    rmSync(join(device.state, 'control'), { recursive: true });
    assert.match((await device.box('list')).stderr, /no device runs/);
  },
);
