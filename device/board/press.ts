/**
 * The buttons of a box as a machine: when a press is made, how long it lasts, and what is refused. Pure. Specification §16.2.
 *
 * One button is held at a time: what two at once mean is the mainboard's secret.
 *
 * A press is a promise to let go: whoever performs it must release at `releaseAtMs`, and at its own end, whatever the reason.
 */
import type { PressLengths } from './definition.ts';
import type { PowerRefusal, PowerState, PowerVerb } from './ports.ts';

export const BUTTONS = ['power', 'reset'] as const;
export type Button = (typeof BUTTONS)[number];
export type PressVerb = Extract<PowerVerb, 'on' | 'soft-off' | 'hard-off' | 'reset'>;

type Phase =
  | { readonly phase: 'idle' }
  | { readonly phase: 'pressed'; readonly releaseAtMs: number }
  /** The box takes note; another press now would be a second one of the same wish. */
  | { readonly phase: 'resting'; readonly untilMs: number };

export type PressState = Readonly<Record<Button, Phase>>;

export const RELEASED: PressState = { power: { phase: 'idle' }, reset: { phase: 'idle' } };

export type PressEvent =
  | { readonly kind: 'asked'; readonly verb: PressVerb; readonly power: PowerState; readonly atMs: number }
  /** Time has passed. */
  | { readonly kind: 'tick'; readonly atMs: number }
  /** The line could not be driven, or the board is being closed. */
  | { readonly kind: 'let-go'; readonly button: Button; readonly atMs: number };

export type PressEffect =
  | { readonly kind: 'press'; readonly button: Button; readonly releaseAtMs: number }
  | { readonly kind: 'release'; readonly button: Button }
  | { readonly kind: 'refuse'; readonly reason: PowerRefusal; readonly detail: string };

export interface Pressed {
  readonly state: PressState;
  readonly effects: readonly PressEffect[];
}

/** @param lengths milliseconds; of a monotonic clock, as all times here */
export function stepPress(state: PressState, event: PressEvent, lengths: PressLengths): Pressed {
  switch (event.kind) {
    case 'asked': {
      const passed = stepTime(state, event.atMs, lengths);
      const pressed = ask(passed.state, event.verb, event.power, event.atMs, lengths);
      return { state: pressed.state, effects: [...passed.effects, ...pressed.effects] };
    }
    case 'tick':
      return stepTime(state, event.atMs, lengths);
    case 'let-go':
      return letGo(state, event.button, event.atMs, lengths);
  }
}

/** When the machine wants to hear of the time again; undefined while nothing is under way. */
export function nextPressMs(state: PressState): number | undefined {
  const times = [state.power, state.reset].flatMap((button) =>
    button.phase === 'pressed' ? [button.releaseAtMs] : button.phase === 'resting' ? [button.untilMs] : [],
  );
  return times.length === 0 ? undefined : Math.min(...times);
}

export function buttonOf(verb: PressVerb): Button {
  return verb === 'reset' ? 'reset' : 'power';
}

function ask(state: PressState, verb: PressVerb, power: PowerState, atMs: number, lengths: PressLengths): Pressed {
  const button = buttonOf(verb);
  const refusal = refusedWhileHeld(state) ?? refusedAtRest(state[button], button) ?? gateOf(verb, power);
  if (refusal) return { state, effects: [{ kind: 'refuse', ...refusal }] };
  const releaseAtMs = atMs + (verb === 'hard-off' ? lengths.longMs : lengths.shortMs);
  return { state: { ...state, [button]: { phase: 'pressed', releaseAtMs } }, effects: [{ kind: 'press', button, releaseAtMs }] };
}

export interface Refusal {
  readonly reason: PowerRefusal;
  readonly detail: string;
}

/** For the mains as well: power that goes or comes under a press makes another press of it. */
export function refusedWhileHeld(state: PressState): Refusal | undefined {
  const held = BUTTONS.find((button) => state[button].phase === 'pressed');
  return held && { reason: 'busy', detail: `the ${held} button is being pressed; ask again after its rest` };
}

function refusedAtRest({ phase }: Phase, button: Button): Refusal | undefined {
  if (phase === 'idle') return undefined;
  return { reason: 'busy', detail: `the ${button} button was pressed just now; ask again after its rest` };
}

/** A short press means on or off by the state of the box, so a press without that state means nothing. */
function gateOf(verb: PressVerb, power: PowerState): Refusal | undefined {
  if (power === 'unknown')
    return { reason: 'unknown-state', detail: 'the power LED has not been seen; nobody knows what a press would do' };
  if (verb === 'on') return power === 'on' ? { reason: 'already-on', detail: 'the power LED is lit' } : undefined;
  if (power === 'off') return { reason: 'already-off', detail: 'the power LED is dark' };
  if (verb === 'soft-off' && power === 'sleeping')
    return { reason: 'unknown-state', detail: 'the box sleeps, and a short press would wake it; switch it on first, or off hard' };
  return undefined;
}

function stepTime(state: PressState, atMs: number, lengths: PressLengths): Pressed {
  const power = passTime(state.power, 'power', atMs, lengths);
  const reset = passTime(state.reset, 'reset', atMs, lengths);
  return { state: { power: power.phase, reset: reset.phase }, effects: [...power.effects, ...reset.effects] };
}

function passTime(phase: Phase, button: Button, atMs: number, lengths: PressLengths): { phase: Phase; effects: PressEffect[] } {
  if (phase.phase === 'pressed' && atMs >= phase.releaseAtMs)
    return { phase: { phase: 'resting', untilMs: atMs + lengths.restMs }, effects: [{ kind: 'release', button }] };
  if (phase.phase === 'resting' && atMs >= phase.untilMs) return { phase: { phase: 'idle' }, effects: [] };
  return { phase, effects: [] };
}

function letGo(state: PressState, button: Button, atMs: number, lengths: PressLengths): Pressed {
  if (state[button].phase !== 'pressed') return { state, effects: [] };
  return { state: { ...state, [button]: { phase: 'resting', untilMs: atMs + lengths.restMs } }, effects: [{ kind: 'release', button }] };
}
