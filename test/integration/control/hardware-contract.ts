/**
 * What every hardware of a box holds to, whatever the way to it: wires, simulated wires, IPMI, Redfish. Specification §16.
 * A test that has one calls `holdsContract` in a test of its own.
 */
import assert from 'node:assert/strict';
import { setTimeout as sleep } from 'node:timers/promises';
import { UNIT_OF, type BoxHardware, type HardwareChange, type PowerState, type PowerVerb } from '../../../device/board/ports.ts';

/** A box that is off, with some means to look at it and to shake it from outside. */
export interface HardwareUnderTest {
  readonly hardware: BoxHardware;
  /** Whether the box itself, seen past the hardware, has power. */
  readonly isOn: () => boolean | Promise<boolean>;
  /** Opens or shuts the chassis; absent where nothing senses it. */
  readonly setIntrusion?: (isOpen: boolean) => void | Promise<void>;
  /** How long the box and the hardware may take to follow. */
  readonly patienceMs: number;
}

const VERBS: readonly PowerVerb[] = ['on', 'soft-off', 'hard-off', 'reset', 'cut-mains', 'restore-mains'];

/** Leaves the hardware closed and the box off. */
export async function holdsContract(under: HardwareUnderTest): Promise<void> {
  const { hardware } = under;
  const changes: HardwareChange[] = [];
  const endListening = hardware.onChange((change) => void changes.push(change));
  await powerIs(under, 'off');

  await readsEverySensor(hardware);
  await refusesWhatIsNotWired(hardware);
  await switchesOnAndOff(under);
  await refusesAtOnceWhatIsUnderWay(under);
  await tellsIntrusion(under, changes);

  const told = changes.flatMap((change) => (change.kind === 'power' ? [change.state] : []));
  assert.ok(told.includes('on') && told.includes('off'), `the changes of power are told: ${told.join(', ')}`);
  assert.deepEqual(
    told.filter((state, index) => state === told[index - 1]),
    [],
    'a state is told when it is another than before',
  );
  endListening();
  await closes(hardware);
}

async function readsEverySensor(hardware: BoxHardware): Promise<void> {
  const names = hardware.sensors.map(({ name }) => name);
  assert.equal(new Set(names).size, names.length, 'no two sensors have one name');
  for (const name of names) assert.match(name, /^[a-z0-9]+(-[a-z0-9]+)*$/);
  const before = Date.now();
  const readings = await hardware.sample();
  assert.deepEqual(
    readings.map(({ sensor }) => sensor),
    names,
    'one reading of each sensor, in their order',
  );
  for (const [index, reading] of readings.entries()) {
    assert.equal(reading.quantity, hardware.sensors[index]?.quantity);
    assert.ok(reading.quantity in UNIT_OF);
    assert.ok(Number.isSafeInteger(reading.value), `${reading.sensor} is a whole number`);
    assert.ok(reading.atMs >= before - 5_000 && reading.atMs <= Date.now(), `${reading.sensor} was taken about now`);
    if (reading.quality === 'failed') assert.equal(reading.value, 0, `${reading.sensor} failed and means nothing`);
    if (reading.quality !== 'good') assert.ok(reading.detail, `${reading.sensor} says why it is ${reading.quality}`);
  }
  assert.ok(
    readings.some(({ quality }) => quality === 'good'),
    'something is measured',
  );
}

async function refusesWhatIsNotWired(hardware: BoxHardware): Promise<void> {
  for (const verb of VERBS.filter((one) => !hardware.verbs.includes(one))) {
    const outcome = await hardware.power(verb);
    assert.deepEqual([verb, outcome.status === 'refused' && outcome.reason], [verb, 'not-wired']);
  }
}

async function switchesOnAndOff(under: HardwareUnderTest): Promise<void> {
  const { hardware } = under;
  assert.deepEqual(await reasonOf(hardware, 'hard-off'), 'already-off');
  assert.equal(await under.isOn(), false);
  let begun = 0;
  assert.deepEqual(await hardware.power('on', () => (begun += 1)), { status: 'done' });
  assert.equal(begun, 1, 'it says once that it begins');
  await powerIs(under, 'on');
  assert.deepEqual(await reasonOf(hardware, 'on'), 'already-on');
  if (hardware.verbs.includes('reset')) {
    assert.deepEqual(await hardware.power('reset'), { status: 'done' });
    await powerIs(under, 'on');
  }
  assert.deepEqual(await hardware.power('soft-off'), { status: 'done' });
  await powerIs(under, 'off');
  assert.deepEqual(await hardware.power('on'), { status: 'done' });
  await powerIs(under, 'on');
}

async function refusesAtOnceWhatIsUnderWay(under: HardwareUnderTest): Promise<void> {
  const { hardware } = under;
  const first = hardware.power('hard-off');
  for (const verb of hardware.verbs)
    assert.equal(await reasonOf(hardware, verb), 'busy', `of two orders at once the second is refused: ${verb} during a hard-off`);
  assert.deepEqual(await first, { status: 'done' });
  await powerIs(under, 'off');
}

async function tellsIntrusion(
  { hardware, setIntrusion, patienceMs }: HardwareUnderTest,
  changes: readonly HardwareChange[],
): Promise<void> {
  if (!setIntrusion) return;
  for (const isOpen of [true, false]) {
    await setIntrusion(isOpen);
    await until(patienceMs, `intrusion ${isOpen} is told without a sample`, () =>
      changes.some(
        (change) => change.kind === 'reading' && change.reading.quantity === 'intrusion' && change.reading.value === Number(isOpen),
      ),
    );
    const readings = await hardware.sample();
    assert.equal(readings.find(({ quantity }) => quantity === 'intrusion')?.value, Number(isOpen));
  }
}

async function closes(hardware: BoxHardware): Promise<void> {
  await hardware.show(['a line', 'more lines than any display has']);
  await hardware.signal('none');
  await hardware.close();
  await hardware.close();
  const outcome = await hardware.power('on');
  assert.equal(outcome.status === 'failed' && outcome.reason, 'closed');
  const readings = await hardware.sample();
  assert.deepEqual([...new Set(readings.map(({ quality }) => quality))], ['failed'], 'what is closed measures nothing');
}

async function reasonOf(hardware: BoxHardware, verb: PowerVerb): Promise<string> {
  let hasBegun = false;
  const outcome = await hardware.power(verb, () => (hasBegun = true));
  assert.ok(!hasBegun, `${verb} is refused before it begins`);
  return outcome.status === 'refused' ? outcome.reason : `${verb} was ${outcome.status}`;
}

/** Both of them: the box itself, and what the hardware senses of it. */
async function powerIs({ hardware, isOn, patienceMs }: HardwareUnderTest, state: PowerState): Promise<void> {
  await until(patienceMs, `the box is ${state}`, async () => (await isOn()) === (state === 'on') && hardware.powerState() === state);
}

async function until(patienceMs: number, what: string, holds: () => boolean | Promise<boolean>): Promise<void> {
  const deadline = performance.now() + patienceMs;
  while (!(await holds())) {
    if (performance.now() > deadline) assert.fail(`${what}: not within ${patienceMs} ms`);
    await sleep(20);
  }
}
