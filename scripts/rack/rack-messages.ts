/** What people say to a rack that runs, and what it answers; in frames as on the wires (§16.4). Pure. */
import { flag, integer, list, oneOf, optional, struct, text, variant, type Infer } from '#protocol/schema.ts';
import { RACK_LIMITS } from './limits.ts';
import { SENSOR_NAMES } from './sensors.ts';

const BoxName = text({ min: 1, max: 64 });
const Sensor = oneOf(...SENSOR_NAMES);
const Count = integer({ min: 0, max: Number.MAX_SAFE_INTEGER });

export const RackRequest = variant('do', {
  status: struct({}),
  door: struct({ box: BoxName, isOpen: flag }),
  fault: struct({
    box: BoxName,
    sensor: Sensor,
    kind: oneOf('failed', 'stuck', 'drifting', 'none'),
    permillePerMinute: optional(integer({ min: -10_000, max: 10_000 })),
  }),
  mains: struct({ box: BoxName, isThere: flag }),
  press: struct({
    box: BoxName,
    button: oneOf('power', 'reset'),
    ms: integer({ min: RACK_LIMITS.pressMinMs, max: RACK_LIMITS.pressMaxMs }),
  }),
  sleep: struct({ box: BoxName }),
});
export type RackRequest = Infer<typeof RackRequest>;

const BoxStatus = struct({
  box: BoxName,
  phase: oneOf('no-mains', 'standby', 'booting', 'running', 'stopping', 'sleeping'),
  agent: optional(Count),
  loadPermille: integer({ min: 0, max: 1_000 }),
  isDoorOpen: flag,
  mainsMw: Count,
  fromMainsUj: Count,
  readings: list(
    struct({
      sensor: Sensor,
      /** Absent for one that gives nothing; mW, m°C, revolutions a minute. */
      value: optional(integer({ min: Number.MIN_SAFE_INTEGER, max: Number.MAX_SAFE_INTEGER })),
      fault: optional(oneOf('failed', 'stuck', 'drifting')),
    }),
    { max: SENSOR_NAMES.length },
  ),
  /** The rows of the display of its board. */
  display: list(text({ max: 20 }), { max: 4 }),
});
export type BoxStatus = Infer<typeof BoxStatus>;

export const RackReply = variant('is', {
  done: struct({ detail: text({ max: 200 }) }),
  refused: struct({ detail: text({ max: 200 }) }),
  status: struct({ boxes: list(BoxStatus, { max: RACK_LIMITS.boxesMax }) }),
});
export type RackReply = Infer<typeof RackReply>;
