/** What a device does about a box when something is wrong with it, as its owner wants it. Pure. Specification §17.2. */
import type { DISPUTE_REASONS } from '#protocol/capsule.ts';
import { oneOf, optional, struct, type Infer } from '#protocol/schema.ts';

export const ACTIONS = ['notice', 'suspect', 'fence', 'fence-and-power-off'] as const;
export type Action = (typeof ACTIONS)[number];

const Choice = optional(oneOf(...ACTIONS));

/** For each alarm what it does; what is absent does what stands in {@link DEFAULT_POLICY}. */
export const Policy = struct({
  /** The case was opened. */
  intrusion: Choice,
  /** The box signed something that does not hold. */
  'evidence-refused': Choice,
  'silent-at-work': Choice,
  /** What the device senses and what the box says exclude one another. */
  contradiction: Choice,
  'power-lost': Choice,
  temperature: Choice,
  power: Choice,
  fan: Choice,
  voltage: Choice,
  'sensor-failed': Choice,
});
export type Policy = Infer<typeof Policy>;
export type Alarm = keyof Policy;

/** Trust in the box is cut off at once, its health is looked after, and a broken sensor stops nobody's work. */
export const DEFAULT_POLICY: Readonly<Record<Alarm, Action>> = {
  intrusion: 'fence',
  'evidence-refused': 'fence',
  'silent-at-work': 'fence',
  contradiction: 'suspect',
  'power-lost': 'suspect',
  temperature: 'suspect',
  power: 'suspect',
  fan: 'suspect',
  voltage: 'notice',
  'sensor-failed': 'notice',
};

/** Alarms that speak against what a run has said, and not only against its box. */
export const DISPUTED_BY: Readonly<Partial<Record<Alarm, (typeof DISPUTE_REASONS)[number]>>> = {
  contradiction: 'readings-contradict',
  intrusion: 'box-opened',
};

export const ALARMS = Object.keys(DEFAULT_POLICY) as readonly Alarm[];

export function actionOn(alarm: Alarm, policy: Policy): Action {
  return policy[alarm] ?? DEFAULT_POLICY[alarm];
}
