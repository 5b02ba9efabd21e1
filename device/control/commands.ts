/** Commands to boxes: by whom, how old, and each done once. Specification §17.2. */
import type { ControlOutcome, ControlVerb, PowerCommand } from '#protocol/control-messages.ts';
import { LIMITS } from '#protocol/limits.ts';
import { harmless } from '#protocol/schema.ts';
import type { PowerOutcome } from '../board/ports.ts';
import type { Clock, Log } from '../ports.ts';
import { mayBeSwitchedOn } from './box-state.ts';
import { mayOperate, type ControlRules } from './control-configuration.ts';
import type { HeldBox } from './held-box.ts';
import { CONTROL_LIMITS } from './limits.ts';
import type { JobsOfBoxes } from './ports.ts';

export interface CommandParts {
  readonly rules: ControlRules;
  readonly find: (box: string) => HeldBox | undefined;
  readonly jobs: JobsOfBoxes;
  /** Has the broker cut off who is fenced. @returns why it has not; undefined once it has */
  readonly cutOff: () => Promise<string | undefined>;
  readonly now: Clock;
  readonly log: Log;
}

export class Commands {
  readonly #parts: CommandParts;
  /** By client and request; the oldest goes first. */
  readonly #done = new Map<string, Promise<ControlOutcome>>();

  constructor(parts: CommandParts) {
    this.#parts = parts;
  }

  /** @param client the name in its certificate, which the broker has made sure of */
  ofClient(client: string, { box, verb, request, madeAtMs }: PowerCommand): Promise<ControlOutcome> {
    const { rules, now } = this.#parts;
    if (!mayOperate(client, rules)) return refused('not-permitted', `the configuration of this device lets ${client} operate no box`);
    const key = `${client}/${request.toHex()}`;
    const known = this.#done.get(key);
    if (known) return known;
    const ageMs = now() - madeAtMs;
    if (ageMs > CONTROL_LIMITS.commandAgeMaxMs || ageMs < -LIMITS.clockSkewMaxMs)
      return refused('stale', `the command is ${Math.round(ageMs / 1_000)} s old by the clock of the device; it may be 30 s old`);
    const outcome = this.order(box, verb, `client ${client}`);
    this.#done.set(key, outcome);
    const [oldest] = this.#done.keys();
    if (this.#done.size > CONTROL_LIMITS.commandsRememberedMax && oldest !== undefined) this.#done.delete(oldest);
    return outcome;
  }

  /** @param by who wants it, in words */
  async order(box: string, verb: ControlVerb, by: string): Promise<ControlOutcome> {
    const held = this.#parts.find(box);
    if (!held) return refused('unknown-box', `no box ${box} is paired with this device`);
    const outcome = await this.#do(held, verb, by);
    const reason = outcome.reason === undefined ? {} : { reason: outcome.reason };
    this.#parts.log('boxOrdered', { box, verb, by, outcome: outcome.outcome, ...reason });
    return outcome;
  }

  async #do(held: HeldBox, verb: ControlVerb, by: string): Promise<ControlOutcome> {
    if (verb === 'fence') return this.#fence(held, by);
    if (verb === 'release') return done(() => held.release(by));
    const { hardware, standing } = held;
    if (!hardware) return unopened(held);
    if (!hardware.verbs.includes(verb))
      return refused(
        'not-wired',
        `what holds box ${held.name} (${hardware.source}) can't do ${verb}; it does ${hardware.verbs.join(', ')}`,
      );
    const isUp = verb === 'on' || verb === 'reset' || verb === 'restore-mains';
    if (isUp && !mayBeSwitchedOn(standing)) return refused('fenced', `box ${held.name} is fenced: release it first`);
    if (held.busy !== undefined) return refused('busy', held.busy);
    // An order that the hardware refuses does nothing to the box.
    const begun = (): void => {
      held.switchOrdered(isUp ? 'on' : 'off');
      if (verb !== 'on' && verb !== 'restore-mains')
        this.#parts.jobs.endRuns(held.name, 'all', 'box-lost', `${by} gave box ${held.name} a ${verb}`);
    };
    return outcomeOf(await held.power(hardware, verb, by, begun));
  }

  /** Done is what the broker has taken as well. */
  async #fence(held: HeldBox, by: string): Promise<ControlOutcome> {
    held.fence(by);
    const problem = await this.#parts.cutOff();
    if (problem === undefined) return { outcome: 'done' };
    return failed(
      'rights-kept',
      `box ${held.name} is fenced and its runs have ended, but the broker does not cut it off: ${problem}; it is told again each second`,
    );
  }
}

function failed(reason: string, detail: string): ControlOutcome {
  return { outcome: 'failed', reason, detail: harmless(detail, LIMITS.noteCharactersMax) };
}

function done(act: () => void): ControlOutcome {
  act();
  return { outcome: 'done' };
}

function refused(reason: string, detail: string): Promise<ControlOutcome> {
  return Promise.resolve({ outcome: 'refused', reason, detail: harmless(detail, LIMITS.noteCharactersMax) });
}

function unopened({ name, problem }: HeldBox): Promise<ControlOutcome> {
  if (problem === undefined)
    return refused('not-wired', `nothing is wired to box ${name}; name what is as "control" in configuration.json`);
  return Promise.resolve(failed('not-open', problem));
}

function outcomeOf(outcome: PowerOutcome): ControlOutcome {
  if (outcome.status === 'done') return { outcome: 'done' };
  return { outcome: outcome.status, reason: outcome.reason, detail: harmless(outcome.detail, LIMITS.noteCharactersMax) };
}
