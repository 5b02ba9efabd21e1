/**
 * The hardware by which a device holds one box, whatever the way to it: wires of a board, simulated wires, a BMC. Declarations and
 * units only. Specification §16.
 */

export type PowerVerb = 'on' | 'soft-off' | 'hard-off' | 'reset' | 'cut-mains' | 'restore-mains';

/** `sleeping`: the power LED blinks (0.2 to 3 Hz). `unknown`: not sensed yet, or nothing is there to sense it by. */
export type PowerState = 'on' | 'off' | 'sleeping' | 'unknown';

export type PowerRefusal = 'busy' | 'already-on' | 'already-off' | 'not-wired' | 'unknown-state';
/** `no-access`: a BMC does not let the device in. */
export type PowerFailure = 'no-answer' | 'no-access' | 'hardware' | 'closed';

/**
 * `done`: the button was pressed, the relay switched, or the BMC said yes; whether the box follows is seen by `powerState`.
 * `refused`: nothing was touched. `failed`: it was tried.
 */
export type PowerOutcome =
  | { readonly status: 'done' }
  | { readonly status: 'refused'; readonly reason: PowerRefusal; readonly detail: string }
  | { readonly status: 'failed'; readonly reason: PowerFailure; readonly detail: string };

export type Quantity = 'power' | 'energy' | 'voltage' | 'current' | 'temperature' | 'fan' | 'intrusion' | 'disk';

/** The unit in which readings of a quantity are whole numbers; intrusion (1: open) and disk (1: active) are 0 or 1. */
export const UNIT_OF: Readonly<Record<Quantity, string>> = {
  power: 'mW',
  energy: 'mJ',
  voltage: 'mV',
  current: 'mA',
  temperature: 'm°C',
  fan: 'rpm',
  intrusion: '',
  disk: '',
};

/**
 * `good`; `stuck`: it has not moved for longer than the thing that it measures can stand still; `out-of-range`: beyond what
 * the sensor can measure, the value is what it said; `failed`: it gave nothing, the value is 0 and means nothing.
 */
export type Quality = 'good' | 'stuck' | 'failed' | 'out-of-range';

export interface Reading {
  readonly sensor: string;
  readonly quantity: Quantity;
  /** A whole number in the unit of the quantity. */
  readonly value: number;
  /** Unix time in milliseconds at which it was taken. */
  readonly atMs: number;
  readonly quality: Quality;
  /** Why it is not good. */
  readonly detail?: string;
}

/** A true value lies within ± (value × permille / 1000 + absolute) of a good reading; `absolute` in the unit of the quantity. */
export interface Accuracy {
  readonly permille: number;
  readonly absolute: number;
}

/** Whole numbers in the unit of the quantity, both ends included. */
export interface Bounds {
  readonly min?: number;
  readonly max?: number;
}

export interface SensorDefinition {
  /** Of lower-case letters, digits and hyphens; one word for one sensor of the box. */
  readonly name: string;
  readonly quantity: Quantity;
  readonly accuracy: Accuracy;
  /** How often a new value is worth asking for, in milliseconds. */
  readonly periodMs: number;
  /** Outside of these the box is not well; what follows is for the policy of control to say. */
  readonly limits?: Bounds;
}

export type HardwareChange =
  | { readonly kind: 'power'; readonly state: PowerState; readonly atMs: number }
  | { readonly kind: 'reading'; readonly reading: Reading }
  /** It senses more than when it was opened: whoever holds it lets go of it and opens it again. */
  | { readonly kind: 'outgrown' };

/** What the status LED and the buzzer say: ready (steady), working (slow blinks), attention (fast blinks, short beeps), nothing. */
export type Sign = 'ready' | 'working' | 'attention' | 'none';

export interface BoxHardware {
  readonly source: 'wires' | 'simulated' | 'ipmi' | 'redfish';
  readonly sensors: readonly SensorDefinition[];
  /** Those that this hardware can do; any other is refused as `not-wired`. */
  readonly verbs: readonly PowerVerb[];
  /** Never rejects. @param begun told once it is not refused and begins, before the box can have felt it */
  power(verb: PowerVerb, begun?: () => void): Promise<PowerOutcome>;
  /** As last sensed. */
  powerState(): PowerState;
  /** One reading of every sensor, in the order of `sensors`; never rejects: what can't be read is a reading of quality `failed`. */
  sample(): Promise<readonly Reading[]>;
  /** Edges at once, not at the next sample: of power, and of what is 0 or 1. @returns what ends it */
  onChange(listener: (change: HardwareChange) => void): () => void;
  /** On the small display, cut to its width; nothing where there is none. Never rejects. */
  show(lines: readonly string[]): Promise<void>;
  /** By the status LED and the buzzer; nothing where there are none. Never rejects. */
  signal(sign: Sign): Promise<void>;
  /** Lets go of every line, the inactive level last; a press that is under way is ended first. */
  close(): Promise<void>;
}
