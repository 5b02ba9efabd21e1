/**
 * What a device says of the boxes that it holds, and what it may be told to do with them. Specification §17.2-17.3. News are in
 * JSON; commands in CBOR or JSON (§2.4).
 */
import { LIMITS } from './limits.ts';
import { SensedBy } from './run-energy.ts';
import { fixedBytes, integer, oneOf, optional, struct, text, type Infer } from './schema.ts';
import { Name } from './topics.ts';

const UnixMs = integer({ min: 0, max: Number.MAX_SAFE_INTEGER });
const Note = text({ max: LIMITS.noteCharactersMax });

/** A reading of one sensor of a box. What is not `good` has no value. */
export const SensorNews = struct({
  quantity: oneOf('power', 'energy', 'voltage', 'current', 'temperature', 'fan', 'intrusion', 'disk'),
  value: optional(integer({ min: Number.MIN_SAFE_INTEGER, max: Number.MAX_SAFE_INTEGER })),
  unit: oneOf('mW', 'mJ', 'mV', 'mA', 'm°C', 'rpm', ''),
  quality: oneOf('good', 'stuck', 'failed', 'out-of-range'),
  detail: optional(Note),
  source: SensedBy,
  atMs: UnixMs,
});
export type SensorNews = Infer<typeof SensorNews>;

/** Where a box stands and what led there. `source` is absent where nothing is wired to it. */
export const BoxStateNews = struct({
  state: oneOf('off', 'booting', 'attesting', 'ready', 'working', 'suspect', 'fenced'),
  cause: text({ min: 1, max: 40 }),
  detail: Note,
  sinceMs: UnixMs,
  power: oneOf('on', 'off', 'sleeping', 'unknown'),
  source: optional(SensedBy),
});
export type BoxStateNews = Infer<typeof BoxStateNews>;

/** `release`: what is fenced or suspect may prove itself again. `fence`: cut it off. The others switch its power. */
export const CONTROL_VERBS = ['on', 'soft-off', 'hard-off', 'reset', 'cut-mains', 'restore-mains', 'fence', 'release'] as const;
export const ControlVerb = oneOf(...CONTROL_VERBS);
export type ControlVerb = (typeof CONTROL_VERBS)[number];

/** From a client that the device's configuration lets operate its boxes. */
export const PowerCommand = struct({
  box: Name,
  verb: ControlVerb,
  /** The same again is the same command: it is answered again and not done again. */
  request: fixedBytes(16),
  madeAtMs: UnixMs,
});
export type PowerCommand = Infer<typeof PowerCommand>;

export const CONTROL_OUTCOME = {
  outcome: oneOf('done', 'refused', 'failed'),
  reason: optional(text({ min: 1, max: 40 })),
  detail: optional(Note),
};
export const ControlOutcome = struct(CONTROL_OUTCOME);
export type ControlOutcome = Infer<typeof ControlOutcome>;
