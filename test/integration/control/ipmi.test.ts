/** A box held over IPMI, against Debian's ipmi_sim, and against programs that play a broken ipmitool. Specification §16.5. */
import assert from 'node:assert/strict';
import { chmod, mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, test } from 'node:test';
import { setTimeout as sleep } from 'node:timers/promises';
import type { BoxHardware } from '../../../device/board/ports.ts';
import { holdByBmc } from '../../../device/bmc/bmc-box.ts';
import { BmcFailed } from '../../../device/bmc/bmc.ts';
import { openIpmi, type IpmiRequest } from '../../../device/bmc/ipmi.ts';
import { runIpmitool } from '../../../device/bmc/ipmitool.ts';
import { BMC_LIMITS } from '../../../device/bmc/limits.ts';
import { holdsContract } from './hardware-contract.ts';
import { PASSWORD, startIpmiSimulator, type IpmiSimulator } from './ipmi-simulator.ts';

let simulator: IpmiSimulator;
let folder: string;
const held: BoxHardware[] = [];

before(async () => {
  folder = await mkdtemp(join(tmpdir(), 'capstan-ipmi-test-'));
  simulator = await startIpmiSimulator();
});
after(async () => {
  simulator.thaw();
  for (const box of held) await box.close();
  await simulator.stop();
  await rm(folder, { recursive: true, force: true });
});

/** ipmi_sim offers no suite above 3. */
function access(change: Partial<IpmiRequest> = {}): IpmiRequest {
  const { host, port, user, passwordFile } = simulator;
  return { host, port, user, passwordFile, cipherSuite: 3, ...change };
}

async function holdBox(change: Partial<IpmiRequest> = {}): Promise<BoxHardware> {
  const box = holdByBmc(await openIpmi(access(change)));
  held.push(box);
  return box;
}

async function failureOf(work: Promise<unknown>): Promise<BmcFailed> {
  const error = await work.then(
    () => assert.fail('it does not fail'),
    (one: unknown) => one,
  );
  assert.ok(error instanceof BmcFailed, String(error));
  assert.doesNotMatch(error.message, new RegExp(PASSWORD), 'no error tells the password');
  return error;
}

async function until(what: string, holds: () => boolean | Promise<boolean>, patienceMs = 40_000): Promise<void> {
  const deadline = performance.now() + patienceMs;
  while (!(await holds())) {
    if (performance.now() > deadline) assert.fail(`${what}: not within ${patienceMs} ms`);
    await sleep(20);
  }
}

test('a box behind an IPMI BMC holds the contract of box hardware (§16.5)', { timeout: 120_000 }, async () => {
  const hardware = await holdBox();
  assert.equal(hardware.source, 'ipmi');
  await holdsContract({ hardware, isOn: () => simulator.isOn(), patienceMs: 40_000 });
  const asked = await simulator.asked();
  for (const order of ['set power 1', 'set reset 1', 'set shutdown 1', 'set power 0']) assert.ok(asked.includes(order), order);
});

test(
  'sensors have names of their own, units and limits from the BMC, and follow what it measures (§16.5)',
  { timeout: 60_000 },
  async () => {
    const box = await holdBox({ powerSensor: 'total-power' });
    assert.deepEqual(
      box.sensors.map(({ name, quantity, limits }) => ({ name, quantity, limits })),
      [
        { name: 'total-power', quantity: 'power', limits: { max: 460_000 } },
        { name: 'cpu-temp', quantity: 'temperature', limits: { max: 230_000 } },
        { name: 'cpu-temp-2', quantity: 'temperature', limits: { max: 230_000 } },
        { name: 'chassis-intrusion', quantity: 'intrusion', limits: undefined },
      ].map((sensor) => (sensor.quantity === 'temperature' ? { ...sensor, limits: { max: 95_000 } } : sensor)),
    );
    await simulator.measure('watts', 360);
    await simulator.measure('celsius', 71);
    const values = async () =>
      Object.fromEntries((await box.sample()).map(({ sensor, value, quality }) => [sensor, `${value} ${quality}`]));
    await until('the files are read', async () => (await values())['cpu-temp'] === '71000 good');
    assert.deepEqual(await values(), {
      'total-power': '360000 good',
      'cpu-temp': '71000 good',
      'cpu-temp-2': '71000 good',
      'chassis-intrusion': '0 good',
    });
  },
);

test('a power sensor that the BMC does not have is named with those that it has', { timeout: 60_000 }, async () => {
  const { message } = await failureOf(openIpmi(access({ powerSensor: 'psu' })));
  assert.match(message, /no power sensor "psu"; it has total-power$/);
});

test(
  'a wrong password, a stranger and a user who may not switch are told apart, each with what to do (§16.5)',
  { timeout: 60_000 },
  async () => {
    const wrong = join(folder, 'wrong');
    await writeFile(wrong, 'something else\n', { mode: 0o600 });
    const cases: [Partial<IpmiRequest>, RegExp][] = [
      [{ passwordFile: wrong }, /refuses the password of "operator"; write the right one into .*wrong/],
      [{ user: 'stranger' }, /has no user "stranger" with the privilege OPERATOR/],
      [{ cipherSuite: 17 }, /does not offer cipher suite 17; .*"cipherSuite": 3/],
    ];
    for (const [change, expected] of cases) {
      const { reason, message } = await failureOf(openIpmi(access(change)));
      assert.match(message, expected);
      assert.equal(reason, 'no-access');
    }
    // ipmi_sim lets everybody in as an operator: these are the words for one who is not.
    const program = await playing(
      'unprivileged',
      'echo "Set Chassis Power Control to Up/On failed: Insufficient privilege level" >&2; exit 1',
    );
    const { reason, message } = await failureOf(runIpmitool(access(), { words: ['chassis', 'power', 'on'], timeoutMs: 5_000, program }));
    assert.match(message, /does not let "operator" switch; give it the privilege OPERATOR/);
    assert.equal(reason, 'no-access');
  },
);

test('a password file that others may read, or without a line, is refused before anything is sent (§16.5)', async () => {
  const file = join(folder, 'open');
  for (const [content, mode, expected] of [
    [PASSWORD, 0o640, /others may read it \(mode 640\); chmod 600/],
    ['', 0o600, /its first line has no bytes/],
    ['a password of 21 bytes', 0o600, /more than 20 bytes/],
  ] as const) {
    await rm(file, { force: true });
    await writeFile(file, content);
    await chmod(file, mode);
    assert.match((await failureOf(openIpmi(access({ passwordFile: file })))).message, expected);
  }
  assert.match((await failureOf(openIpmi(access({ passwordFile: join(folder, 'none') })))).message, /ENOENT/);
});

test(
  'after a refused password the BMC is left alone, so that it locks nobody out; an order still asks (§16.5)',
  { timeout: 90_000 },
  async () => {
    const passwordFile = join(folder, 'changed');
    await writeFile(passwordFile, PASSWORD, { mode: 0o600 });
    const box = await holdBox({ passwordFile });
    await until('power is sensed', () => box.powerState() !== 'unknown');
    await writeFile(passwordFile, 'no longer right');
    await until('the refusal is seen', () => box.powerState() === 'unknown');
    const begun = performance.now();
    const [reading] = await box.sample();
    assert.ok(performance.now() - begun < 50, 'nothing is asked');
    assert.match(reading?.detail ?? '', /refuses the password/);
    const outcome = await box.power('on');
    assert.equal(outcome.status === 'failed' && outcome.reason, 'no-access');
    await writeFile(passwordFile, PASSWORD);
    assert.deepEqual(await box.power('on'), { status: 'done' });
    assert.equal((await box.sample())[0]?.quality, 'good', 'it is asked again once it lets the device in');
    assert.deepEqual(await box.power('hard-off'), { status: 'done' });
  },
);

test('a BMC that hangs ends its commands in time, holds up no other box, and is found again (§16.5)', { timeout: 180_000 }, async () => {
  const other = await startIpmiSimulator();
  try {
    const box = await holdBox();
    const [good, stuck] = [await holdBox({ port: other.port, passwordFile: other.passwordFile }), box];
    simulator.freeze();
    const begun = performance.now();
    const failing = stuck.power('on');
    const sampling = stuck.sample();
    assert.equal((await good.sample())[0]?.quality, 'good');
    assert.deepEqual(await good.power('on'), { status: 'done' });
    const outcome = await failing;
    assert.equal(outcome.status === 'failed' && outcome.reason, 'no-answer');
    assert.ok((await sampling).every(({ quality, value, detail }) => quality === 'failed' && value === 0 && detail !== undefined));
    assert.ok(performance.now() - begun < 4 * BMC_LIMITS.commandMs);
    assert.equal(stuck.powerState(), 'unknown');
    simulator.thaw();
    await until('the BMC is found again', () => stuck.powerState() === 'off');
    await good.close();
  } finally {
    await other.stop();
  }
});

function isAlive(pid: number): boolean {
  try {
    return process.kill(pid, 0);
  } catch {
    return false;
  }
}

/** A shell script in ipmitool's place. */
async function playing(name: string, script: string): Promise<string> {
  const program = join(folder, name);
  await writeFile(program, `#!/bin/sh\n${script}\n`);
  await chmod(program, 0o700);
  return program;
}

const status = 'System Power         : on\\nChassis Intrusion    : active\\n';
const bmcThat = (sensors: string, dcmi: string): string => `case "$*" in
*'chassis status') printf '${status}' ;;
*'elist full') ${sensors} ;;
*'dcmi power reading') ${dcmi} ;;
*'sdr dump'*) ;;
*) exit 1 ;;
esac`;

test('the password stands in no argument and in no environment of ipmitool (§16.5)', async () => {
  const shown = join(folder, 'shown');
  const program = await playing('showing', `{ echo "$@"; env; cat /proc/$$/cmdline; } >> '${shown}'`);
  await runIpmitool(access(), { words: ['chassis', 'status'], timeoutMs: 5_000, program });
  const text = await readFile(shown, 'utf8');
  assert.match(text, /-U operator -f \S+password -v chassis status/);
  assert.ok(!text.includes(PASSWORD));
});

test('what hangs, says too much, dies or is missing fails within its time, each with its words', { timeout: 60_000 }, async () => {
  const cases: [string, RegExp][] = [
    ['sleep 60', /did not answer "chassis status" within 1 s/],
    ['yes', /gave more than 131072 bytes/],
    ['echo "odd things" >&2; exit 3', /ended with status 3: odd things/],
    ['kill -SEGV $$', /ended with status -1: without a word/],
  ];
  for (const [script, expected] of cases) {
    const program = await playing(`faulty-${cases.findIndex(([one]) => one === script)}`, script);
    const begun = performance.now();
    const { message } = await failureOf(runIpmitool(access(), { words: ['chassis', 'status'], timeoutMs: 1_000, program }));
    assert.match(message, expected);
    assert.ok(performance.now() - begun < 5_000);
  }
  const missing = runIpmitool(access(), { words: [], timeoutMs: 5_000, program: join(folder, 'absent') });
  assert.match((await failureOf(missing)).message, /ipmitool is missing; on Debian: sudo apt install ipmitool/);
});

test('an order ends the reading of sensors that is under way, which is done again after it (§16.5)', { timeout: 60_000 }, async () => {
  const [stuck, reads] = [join(folder, 'stuck'), join(folder, 'reads')];
  const line = 'CPU Temp,45,degrees C,ok,7.1,System Board,Temperature,,,,,95.000,,,,,,';
  const sensors = `if [ -e '${stuck}' ]; then echo $$ > '${reads}'; exec sleep 25; else echo '${line}'; fi`;
  const program = await playing('slow', bmcThat(sensors, 'exit 1').replace('*) exit 1', "*'power off') ;;\n*) exit 1"));
  const box = await holdBox({ program });
  await writeFile(stuck, '');
  const sampling = box.sample();
  await until('the reading is under way', async () => (await readFile(reads, 'utf8').catch(() => '')) !== '');
  await rm(stuck);
  const begun = performance.now();
  assert.deepEqual(await box.power('hard-off'), { status: 'done' });
  assert.ok(performance.now() - begun < 15_000);
  assert.equal((await sampling)[0]?.value, 45_000);
  const slow = Number(await readFile(reads, 'utf8'));
  await until('its program is gone', () => !isAlive(slow));
});

test('DCMI that answers only while the box is on is found when it comes on (§16.5)', { timeout: 60_000 }, async () => {
  const on = join(folder, 'on');
  const line = 'CPU Temp,45,degrees C,ok,7.1,System Board,Temperature,,,,,95.000,,,,,,';
  const dcmi = `[ -e '${on}' ] && printf '    Instantaneous power reading:   220 Watts\\n    Power reading state is:   activated\\n'`;
  const power = `*'chassis status') [ -e '${on}' ] && echo 'System Power         : on' || echo 'System Power         : off' ;;`;
  const program = await playing('dark', bmcThat(`echo '${line}'`, dcmi).replace('case "$*" in', `case "$*" in\n${power}`));
  const box = await holdBox({ program });
  assert.deepEqual(
    box.sensors.map(({ name }) => name),
    ['cpu-temp'],
  );
  let outgrown = 0;
  box.onChange(({ kind }) => (outgrown += Number(kind === 'outgrown')));
  await until('the box is off', () => box.powerState() === 'off');
  await writeFile(on, '');
  await until('the box is on', () => box.powerState() === 'on');
  await box.sample();
  assert.equal(outgrown, 1);
  await box.sample();
  assert.equal(outgrown, 1);
  assert.equal((await holdBox({ program })).sensors[0]?.name, 'power');
});

test(
  'DCMI measures the whole box and comes first; garbage afterwards makes readings fail, and orders (§16.5)',
  { timeout: 60_000 },
  async () => {
    const line = 'CPU Temp,45,degrees C,ok,7.1,System Board,Temperature,,,,,95.000,,,,,,';
    const dcmi = `printf '    Instantaneous power reading:   220 Watts\\n    Power reading state is:   activated\\n'`;
    const program = await playing('dcmi', bmcThat(`echo '${line}'`, dcmi));
    const box = await holdBox({ program });
    assert.deepEqual(
      (await box.sample()).map(({ sensor, value, quality }) => `${sensor} ${value} ${quality}`),
      ['power 220000 good', 'cpu-temp 45000 good', 'chassis-intrusion 1 good'],
    );
    await playing('dcmi', bmcThat(`echo 'CPU Temp,hot'`, dcmi));
    const [reading] = await box.sample();
    assert.equal(reading?.quality, 'failed');
    assert.match(reading.detail ?? '', /CPU Temp,hot/);
    await playing('dcmi', 'echo nonsense');
    const outcome = await box.power('hard-off');
    assert.equal(outcome.status === 'failed' && outcome.reason, 'hardware');
  },
);
