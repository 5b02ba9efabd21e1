/** What no single key of board.yaml can say: two things on one line or address, lengths and limits out of order. Pure. Specification §16.1. */
import type { BoardDefinition, PowerSensor, SensorChip, ShuntSensor } from './definition.ts';
import { quantitiesOf } from './sensor-definitions.ts';

/** `path` leads to the key that is wrong; `detail` goes on from its name. */
export interface Problem {
  readonly path: readonly (string | number)[];
  readonly detail: string;
}

type Path = Problem['path'];

interface UsedLine {
  readonly path: Path;
  readonly chip: string;
  readonly line: number;
  readonly direction: 'output' | 'input';
}

/** Addresses that the pins of a chip can choose; from the data sheets. */
const ADDRESSES = {
  ina219: [0x40, 0x4f],
  ina226: [0x40, 0x4f],
  ina260: [0x40, 0x4f],
  tmp102: [0x48, 0x4b],
  mcp9808: [0x18, 0x1f],
} as const;
const DISPLAY_ADDRESSES = [
  [0x20, 0x27],
  [0x38, 0x3f],
] as const;

/** The largest voltage over the shunt that the converter can tell, in µV; INA219 with its gain at 1/8. */
const SHUNT_MAX_MICROVOLT = { ina219: 320_000, ina226: 81_920 } as const;
/** An ATX mainboard switches off when its button is held for four seconds. */
const ATX_OFF_MS = 4_000;

/** Every contradiction of a definition, in the order of the file; none when it is right. */
export function problemsOf(definition: BoardDefinition): Problem[] {
  return [
    ...chipProblems(definition),
    ...lineProblems(definition),
    ...buttonProblems(definition),
    ...busProblems(definition),
    ...definition.sensors.flatMap((sensor, index) => sensorProblems(sensor, ['sensors', index])),
    ...(definition.lines.fans ?? []).flatMap(({ limits }, index) =>
      limits ? inOrder(['lines', 'fans', index, 'limits'], 'minRpm', limits.minRpm, 'maxRpm', limits.maxRpm) : [],
    ),
    ...nameProblems(definition),
    ...pressProblems(definition),
  ];
}

export function usedLines({ lines, gpio }: BoardDefinition): UsedLine[] {
  const { fans = [], ...single } = lines;
  const outputs: readonly string[] = ['powerButton', 'resetButton', 'mains', 'statusLed', 'buzzer'];
  const entries = [
    ...Object.entries(single).map(([key, line]) => ({ path: ['lines', key] as Path, line, isOutput: outputs.includes(key) })),
    ...fans.map((line, index) => ({ path: ['lines', 'fans', index] as Path, line, isOutput: false })),
  ];
  return entries.map(({ path, line, isOutput }) => ({
    path: [...path, 'line'],
    chip: line.chip ?? gpio?.chip ?? '',
    line: line.line,
    direction: isOutput ? 'output' : 'input',
  }));
}

function chipProblems(definition: BoardDefinition): Problem[] {
  const homeless = usedLines(definition).find(({ chip }) => chip === '');
  if (!homeless) return [];
  return [{ path: homeless.path, detail: 'belongs to no chip; name the label of the board\'s chip as "gpio: { chip: LABEL }"' }];
}

function lineProblems(definition: BoardDefinition): Problem[] {
  const problems: Problem[] = [];
  const seen = new Map<string, UsedLine>();
  for (const used of usedLines(definition)) {
    const { path, chip, line, direction } = used;
    const key = `${chip} ${line}`;
    const other = seen.get(key);
    seen.set(key, other ?? used);
    if (chip === definition.gpio?.chip && definition.gpio.reserved?.includes(line))
      problems.push({ path, detail: `is ${line}, which gpio.reserved keeps for a bus, the TPM or the boot; take another line` });
    if (!other) continue;
    const both = direction === other.direction ? 'each needs a line of its own' : 'what senses can never be driven as well';
    problems.push({ path, detail: `is ${line}, like ${dotted(other.path)}; ${both}` });
  }
  return problems;
}

function buttonProblems({ lines }: BoardDefinition): Problem[] {
  const problems: Problem[] = [];
  if (lines.powerButton && !lines.powerLed)
    problems.push({
      path: ['lines', 'powerButton'],
      detail: 'needs lines.powerLed beside it: without it nobody knows whether a press switches on or off',
    });
  if (lines.resetButton && !lines.powerLed)
    problems.push({ path: ['lines', 'resetButton'], detail: 'needs lines.powerLed beside it: only what is on can be reset' });
  return problems;
}

function busProblems({ sensors, display, i2c }: BoardDefinition): Problem[] {
  const onBus = [
    ...sensors.flatMap((sensor, index) =>
      'address' in sensor
        ? [{ path: ['sensors', index, 'address'] as Path, chip: sensor.chip, address: sensor.address, ranges: [ADDRESSES[sensor.chip]] }]
        : [],
    ),
    ...(display ? [{ path: ['display', 'address'] as Path, chip: display.chip, address: display.address, ranges: DISPLAY_ADDRESSES }] : []),
  ];
  const [first] = onBus;
  if (first && !i2c) return [{ path: first.path, detail: 'is on no bus; name it as "i2c: { bus: 1 }"' }];
  const seen = new Map<number, Path>();
  return onBus.flatMap(({ path, chip, address, ranges }) => {
    const other = seen.get(address);
    seen.set(address, other ?? path);
    const right = ranges.map(([low, high]) => `${hexByte(low)} to ${hexByte(high)}`).join(' or ');
    if (!ranges.some(([low, high]) => address >= low && address <= high))
      return [{ path, detail: `is ${hexByte(address)}, which a ${chip} can't have; its pins choose ${right}` }];
    return other ? [{ path, detail: `is ${hexByte(address)}, like ${dotted(other)}; set another by the pins of the chip (${right})` }] : [];
  });
}

function sensorProblems(sensor: SensorChip, path: Path): Problem[] {
  const at = [...path, 'limits'];
  switch (sensor.chip) {
    case 'ina219':
    case 'ina226':
      return [...shuntProblems(sensor, path), ...powerLimitProblems(sensor, at)];
    case 'ina260':
      return powerLimitProblems(sensor, at);
    case 'tmp102':
    case 'mcp9808':
      return inOrder(at, 'minMilliC', sensor.limits?.minMilliC, 'maxMilliC', sensor.limits?.maxMilliC);
    case 'hwmon':
      return inOrder(at, 'min', sensor.limits?.min, 'max', sensor.limits?.max);
  }
}

function shuntProblems({ chip, shuntMicroOhm, maxCurrentMa }: ShuntSensor, path: Path): Problem[] {
  const microvolt = Math.ceil((shuntMicroOhm * maxCurrentMa) / 1_000);
  const most = SHUNT_MAX_MICROVOLT[chip];
  if (microvolt <= most) return [];
  return [
    {
      path: [...path, 'maxCurrentMa'],
      detail: `is ${maxCurrentMa}: ${microvolt} µV over ${shuntMicroOhm} µΩ, and a ${chip} measures up to ${most} µV; take a smaller shunt or at most ${Math.floor((most * 1_000) / shuntMicroOhm)} mA`,
    },
  ];
}

function powerLimitProblems({ limits }: PowerSensor, path: Path): Problem[] {
  return limits ? inOrder(path, 'minMv', limits.minMv, 'maxMv', limits.maxMv) : [];
}

function inOrder(path: Path, lowKey: string, low: number | undefined, highKey: string, high: number | undefined): Problem[] {
  if (low === undefined || high === undefined || low < high) return [];
  return [{ path: [...path, lowKey], detail: `is ${low}; it must be below ${highKey}, which is ${high}` }];
}

/** One name may stand for different quantities of one thing: the power and the temperature of a processor. */
function nameProblems({ sensors, lines }: BoardDefinition): Problem[] {
  const seen = new Map<string, Path>();
  const named = [
    ...(lines.fans ?? []).map(({ name }, index) => ({ path: ['lines', 'fans', index, 'name'] as Path, name, quantities: ['fan'] })),
    ...sensors.map((sensor, index) => ({ path: ['sensors', index, 'name'] as Path, name: sensor.name, quantities: quantitiesOf(sensor) })),
  ];
  return named.flatMap(({ path, name, quantities }) => {
    const taken = quantities.find((quantity) => seen.has(`${name} ${quantity}`));
    const other = taken === undefined ? undefined : seen.get(`${name} ${taken}`);
    for (const quantity of quantities) seen.set(`${name} ${quantity}`, path);
    return other
      ? [{ path, detail: `is "${name}", like ${dotted(other)}, and both give the ${taken ?? ''}; give each a name of its own` }]
      : [];
  });
}

function pressProblems({ press }: BoardDefinition): Problem[] {
  const problems: Problem[] = [];
  if (press.shortMs >= ATX_OFF_MS)
    problems.push({ path: ['press', 'shortMs'], detail: `is ${press.shortMs}; ${ATX_OFF_MS} ms switch off` });
  if (press.longMs <= ATX_OFF_MS)
    problems.push({ path: ['press', 'longMs'], detail: `is ${press.longMs}; a mainboard switches off after ${ATX_OFF_MS} ms` });
  return problems;
}

export function dotted(path: Path): string {
  return path.map((part, index) => (typeof part === 'number' ? `[${part}]` : index === 0 ? part : `.${part}`)).join('');
}

function hexByte(value: number): string {
  return `0x${value.toString(16).padStart(2, '0')}`;
}
