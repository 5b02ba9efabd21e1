/** What the owner of a device says about the control of its boxes, beside their wiring. Pure. Specification §17.2, §17.5-17.6. */
import { flag, integer, list, oneOf, optional, struct, type Infer } from '#protocol/schema.ts';
import { Name } from '#protocol/topics.ts';
import { CONTROL_LIMITS } from './limits.ts';
import { Policy } from './policy.ts';

const Milliwatts = integer({ min: 0, max: 100_000_000 });

/**
 * Of one box: whether its device keeps it on, what alarms do, its power when it does nothing and when it does all it can, and how many
 * processors it has at most, whatever it says.
 */
export const BoxRules = struct({
  box: Name,
  /** Absent: its device switches it by order only. */
  keepOn: optional(flag),
  policy: optional(Policy),
  idleMilliwatts: optional(Milliwatts),
  fullMilliwatts: optional(Milliwatts),
  processors: optional(integer({ min: 1, max: 65_536 })),
});
export type BoxRules = Infer<typeof BoxRules>;

/** `observe`: read sensors and states of boxes. `operate`: also switch, fence and release them. */
export const BoxPerson = struct({ client: Name, may: oneOf('observe', 'operate') });
export type BoxPerson = Infer<typeof BoxPerson>;

/** Of `configuration.json`. */
export const controlFields = {
  boxRules: optional(list(BoxRules, { max: CONTROL_LIMITS.boxesMax })),
  boxPeople: optional(list(BoxPerson, { max: CONTROL_LIMITS.boxesMax })),
  /** The client by which Home Assistant connects (§17.6). */
  homeAssistant: optional(struct({ client: Name })),
};

export interface ControlRules {
  readonly boxRules?: readonly BoxRules[];
  readonly boxPeople?: readonly BoxPerson[];
  readonly homeAssistant?: { readonly client: string };
}

export function rulesOf(box: string, { boxRules = [] }: ControlRules): BoxRules {
  return boxRules.find((rules) => rules.box === box) ?? { box };
}

export function mayOperate(client: string, { boxPeople = [] }: ControlRules): boolean {
  return boxPeople.some((person) => person.client === client && person.may === 'operate');
}
