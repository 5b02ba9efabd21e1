/**
 * board.yaml: what a board is and what hangs on its lines and buses. The schema, with the unit of each number in its key. Pure.
 * Specification §16.1.
 */
import { readPlain } from '#protocol/codec.ts';
import { flag, integer, list, oneOf, optional, struct, text, variant, type Infer } from '#protocol/schema.ts';

const HOUR_MS = 3_600_000;
const name = text({
  min: 1,
  max: 32,
  pattern: /^[a-z0-9]+(-[a-z0-9]+)*$/,
  like: 'lower-case letters, digits and single hyphens: fan-rear',
});
const boardId = text({
  min: 1,
  max: 64,
  pattern: /^[a-z0-9]+(-[a-z0-9]+)*$/,
  like: 'the name of its folder: lower-case letters, digits and hyphens',
});
const sentence = text({ min: 1, max: 1_000, multiline: true });
const label = text({ min: 1, max: 64 });
const periodMs = integer({ min: 20, max: HOUR_MS });
const address = integer({ min: 0x08, max: 0x77 }); // the others are reserved by the I2C specification

const line = { line: integer({ min: 0, max: 1_023 }), chip: optional(label), activeLow: optional(flag) };
const input = { ...line, bias: optional(oneOf('pull-up', 'pull-down', 'none')), debounceMs: optional(integer({ min: 0, max: 1_000 })) };
const contact = oneOf('normally-open', 'normally-closed');

export const Output = struct(line);
export const Input = struct(input);
const Fan = struct({
  ...input,
  name,
  pulsesPerRevolution: integer({ min: 1, max: 8 }),
  periodMs,
  limits: optional(struct({ minRpm: optional(integer({ min: 0, max: 60_000 })), maxRpm: optional(integer({ min: 1, max: 60_000 })) })),
});

export const Lines = struct({
  powerButton: optional(Output),
  resetButton: optional(Output),
  powerLed: optional(Input),
  diskLed: optional(Input),
  mains: optional(struct({ ...line, contact })),
  intrusion: optional(struct({ ...input, contact })),
  statusLed: optional(Output),
  buzzer: optional(Output),
  fans: optional(list(Fan, { max: 8 })),
});

const milliC = integer({ min: -40_000, max: 125_000 });
const temperatureLimits = struct({ minMilliC: optional(milliC), maxMilliC: optional(milliC) });
const milliamperes = integer({ min: 1, max: 1_000_000 });
const millivolts = integer({ min: 0, max: 60_000 });
const milliwatts = integer({ min: 1, max: 60_000_000 });
const stuckAfterMs = integer({ min: 1_000, max: HOUR_MS });
const powerSensor = {
  name,
  address,
  periodMs,
  /** While the box is on, a reading that has not moved at all for so long is stuck. */
  stuckAfterMs: optional(stuckAfterMs),
  limits: optional(
    struct({
      maxMw: optional(milliwatts),
      maxMa: optional(milliamperes),
      minMv: optional(millivolts),
      maxMv: optional(millivolts),
    }),
  ),
};
const withShunt = struct({
  ...powerSensor,
  shuntMicroOhm: integer({ min: 10, max: 10_000_000 }),
  /** What the maker of the resistor states. */
  shuntTolerancePermille: optional(integer({ min: 0, max: 100 })),
  maxCurrentMa: milliamperes,
});
const signed = integer({ min: -2_000_000_000, max: 2_000_000_000 });
const thermometer = struct({ name, address, periodMs, stuckAfterMs: optional(stuckAfterMs), limits: optional(temperatureLimits) });

/** One chip, or one value of a driver of the kernel. */
export const Sensor = variant('chip', {
  ina219: withShunt,
  ina226: withShunt,
  ina260: struct(powerSensor),
  tmp102: thermometer,
  mcp9808: thermometer,
  hwmon: struct({
    name,
    periodMs,
    stuckAfterMs: optional(stuckAfterMs),
    driver: label,
    device: optional(label),
    input: text({ min: 3, max: 16, pattern: /^(temp|in|curr|power|fan)\d{1,2}$/, like: 'temp1, in1, curr1, power1 or fan1' }),
    accuracyPermille: integer({ min: 0, max: 1_000 }),
    limits: optional(struct({ min: optional(signed), max: optional(signed) })),
  }),
});

const Display = struct({ chip: oneOf('pcf8574'), address, columns: oneOf(16, 20), rows: oneOf(2, 4) });

const Press = struct({
  shortMs: integer({ min: 50, max: 15_000 }),
  longMs: integer({ min: 50, max: 15_000 }),
  restMs: integer({ min: 100, max: 60_000 }),
});

/** What hangs on the header: in board.yaml itself, or in a file that several boards share. */
const WIRING_FIELDS = {
  lines: optional(Lines),
  sensors: optional(list(Sensor, { max: 16 })),
  display: optional(Display),
  press: optional(Press),
} as const;

const BOARD_FIELDS = {
  board: boardId,
  title: text({ min: 1, max: 100 }),
  description: sentence,
  io: optional(oneOf('linux', 'simulated')),
  tpm: optional(struct({ chip: text({ min: 1, max: 32 }), path: text({ min: 1, max: 100 }), overlay: optional(label) })),
  gpio: optional(
    struct({
      /** Of lines that name no chip of their own. */
      chip: label,
      /** Lines of that chip that serve a bus, the TPM or the boot: nothing may hang on them. */
      reserved: optional(list(integer({ min: 0, max: 1_023 }), { max: 64 })),
    }),
  ),
  i2c: optional(struct({ bus: integer({ min: 0, max: 255 }) })),
  wiring: optional(name),
  ...WIRING_FIELDS,
} as const;

export const WrittenWiring = struct({ wiring: name, description: sentence, ...WIRING_FIELDS });
export const WrittenBoard = struct(BOARD_FIELDS);

export type FanLine = Infer<typeof Fan>;
export type BoardLines = Infer<typeof Lines>;
export type SensorChip = Infer<typeof Sensor>;
export type ShuntSensor = Extract<SensorChip, { chip: 'ina219' | 'ina226' }>;
export type PowerSensor = Extract<SensorChip, { chip: 'ina219' | 'ina226' | 'ina260' }>;
export type Thermometer = Extract<SensorChip, { chip: 'tmp102' | 'mcp9808' }>;
export type HwmonSensor = Extract<SensorChip, { chip: 'hwmon' }>;
export type DisplayChip = Infer<typeof Display>;
export type PressLengths = Infer<typeof Press>;
export type WrittenWiring = Infer<typeof WrittenWiring>;
export type WrittenBoard = Infer<typeof WrittenBoard>;

/** A board with its wiring, and with what was left out. */
export interface BoardDefinition {
  readonly board: string;
  readonly title: string;
  readonly description: string;
  readonly io: 'linux' | 'simulated';
  readonly tpm: WrittenBoard['tpm'];
  readonly gpio: WrittenBoard['gpio'];
  readonly i2c: WrittenBoard['i2c'];
  readonly wiring: string | undefined;
  readonly lines: BoardLines;
  readonly sensors: readonly SensorChip[];
  readonly display: DisplayChip | undefined;
  readonly press: PressLengths;
}

/** Short and long of an ATX power button, and the pause until a machine has taken note. */
export const PRESS_DEFAULTS: PressLengths = { shortMs: 500, longMs: 5_500, restMs: 1_000 };

/** What doesn't fit the schema; `detail` begins with the key: `lines.powerLed.line is "x"; …`. */
export type Read<T> = { readonly status: 'read'; readonly value: T } | { readonly status: 'malformed'; readonly detail: string };

export function readWrittenBoard(raw: unknown): Read<WrittenBoard> {
  return withoutMessage(readPlain(WrittenBoard, raw));
}

export function readWrittenWiring(raw: unknown): Read<WrittenWiring> {
  return withoutMessage(readPlain(WrittenWiring, raw));
}

/** @param wiring the file that `written.wiring` names, if it names one */
export function boardOf(written: WrittenBoard, wiring: WrittenWiring | undefined): BoardDefinition {
  return {
    board: written.board,
    title: written.title,
    description: written.description.trim(),
    io: written.io ?? 'linux',
    tpm: written.tpm,
    gpio: written.gpio,
    i2c: written.i2c,
    wiring: written.wiring,
    lines: written.lines ?? wiring?.lines ?? {},
    sensors: written.sensors ?? wiring?.sensors ?? [],
    display: written.display ?? wiring?.display,
    press: written.press ?? wiring?.press ?? PRESS_DEFAULTS,
  };
}

/** Keys of what hangs on the header, which stand in one of the two files. */
export const WIRING_KEYS = Object.keys(WIRING_FIELDS) as readonly (keyof typeof WIRING_FIELDS)[];

/** The schema calls the whole `message`; people see the key. */
function withoutMessage<T>(read: ReturnType<typeof readPlain<T>>): Read<T> {
  if (read.status !== 'malformed') return { status: 'read', value: read.value };
  const detail = read.detail.startsWith('message.') ? read.detail.slice('message.'.length) : read.detail.replace(/^message/, 'the file');
  return { status: 'malformed', detail };
}
