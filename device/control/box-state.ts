/**
 * Where a box stands with its device: off → booting → attesting → ready → working, and suspect and fenced beside them. A pure
 * machine. Specification §17.1-17.2.
 *
 * `MOVES` is the whole of it; `stepBox` finds the move that an event makes. An event that means nothing where the box stands
 * changes nothing: the same object comes back.
 */
import { LIMITS } from '#protocol/limits.ts';
import type { PowerState } from '../board/ports.ts';
import type { Action, Alarm } from './policy.ts';

export const BOX_STATES = ['off', 'booting', 'attesting', 'ready', 'working', 'suspect', 'fenced'] as const;
export type BoxState = (typeof BOX_STATES)[number];

export type Move =
  | 'power-on'
  | 'power-off'
  | 'hello'
  | 'silence'
  /** Its hello names other software, or another boot, than its evidence did. */
  | 'changed'
  | 'evidence-accepted'
  | 'run-begun'
  | 'runs-ended'
  | 'suspected'
  | 'fenced';

/** Where each move leads from each state; what does not stand here moves nothing. */
export const MOVES: Readonly<Record<BoxState, Readonly<Partial<Record<Move, BoxState>>>>> = {
  off: { 'power-on': 'booting', hello: 'attesting', suspected: 'suspect', fenced: 'fenced' },
  booting: { 'power-off': 'off', hello: 'attesting', suspected: 'suspect', fenced: 'fenced' },
  attesting: { 'power-off': 'off', silence: 'booting', 'evidence-accepted': 'ready', suspected: 'suspect', fenced: 'fenced' },
  ready: { 'power-off': 'off', silence: 'booting', changed: 'attesting', 'run-begun': 'working', suspected: 'suspect', fenced: 'fenced' },
  working: { 'power-off': 'off', silence: 'booting', changed: 'attesting', 'runs-ended': 'ready', suspected: 'suspect', fenced: 'fenced' },
  suspect: { 'evidence-accepted': 'ready', fenced: 'fenced' },
  fenced: { 'evidence-accepted': 'ready' },
};

/** What speaks against a box; `about` tells apart what may stand several times: a sensor, a kind of contradiction. */
export interface Objection {
  readonly alarm: Alarm | 'operator';
  readonly about: string;
}

export interface BoxStanding {
  readonly state: BoxState;
  /** The move, the alarm or the order that led here, and a sentence on it. */
  readonly cause: string;
  readonly detail: string;
  /** In this state since, Unix ms. */
  readonly sinceMs: number;
  /** As last sensed; `unknown` where nothing senses it. */
  readonly power: PowerState;
  /** Runs that it is at work on. */
  readonly runs: number;
  readonly standing: readonly Objection[];
  /** What the last order to switch it wants. */
  readonly ordered: 'on' | 'off' | 'nothing';
  /** A fenced box that the operator wants back. */
  readonly released: boolean;
  /** Evidence counts if it was asked for at this time or later. */
  readonly evidenceFromMs: number;
}

export type BoxEvent =
  | { readonly type: 'power'; readonly power: PowerState }
  | { readonly type: 'hello' }
  | { readonly type: 'silence' }
  | { readonly type: 'changed'; readonly detail: string }
  | { readonly type: 'evidence'; readonly askedAtMs: number }
  | { readonly type: 'runs'; readonly runs: number }
  | { readonly type: 'alarm'; readonly alarm: Alarm; readonly about: string; readonly detail: string; readonly action: Action }
  /** What an alarm rested on is measured to be over. */
  | { readonly type: 'over'; readonly alarm: Alarm; readonly about: string }
  | { readonly type: 'fence'; readonly by: string }
  /** An operator wants its power to be so. */
  | { readonly type: 'switch'; readonly power: 'on' | 'off' }
  | { readonly type: 'release'; readonly by: string };

/** What no measurement can show to be over: it stands until the operator's word. */
const UNTIL_WORD: readonly Objection['alarm'][] = ['evidence-refused', 'contradiction', 'operator'];
/** Over as soon as they are said: what they leave open, fresh evidence answers. */
const MOMENTARY: readonly Objection['alarm'][] = ['silent-at-work', 'power-lost'];

/** The cause of a box that is off because somebody wants it so: it stays off until somebody wants it on. */
export const ORDERED_OFF = 'ordered-off';

export function newBox(atMs: number): BoxStanding {
  return {
    ...{ state: 'off', cause: 'start', detail: 'nothing was heard of it yet', sinceMs: atMs },
    ...{ power: 'unknown', runs: 0, standing: [], ordered: 'nothing', released: false, evidenceFromMs: atMs },
  };
}

/** After a start of the device: what was ordered off is still off by that order, until its power is sensed to be on. */
export function newBoxOrdered(ordered: BoxStanding['ordered'], atMs: number): BoxStanding {
  const box = newBox(atMs);
  return ordered === 'off'
    ? { ...box, ordered, cause: ORDERED_OFF, detail: 'it was ordered off, before its device started' }
    : { ...box, ordered };
}

/** Only such a box is offered, and gets further runs. */
export function mayTakeWork({ state }: BoxStanding): boolean {
  return state === 'ready' || state === 'working';
}

/** A fenced box is switched on by nobody before it is released. */
export function mayBeSwitchedOn({ state, released }: BoxStanding): boolean {
  return state !== 'fenced' || released;
}

/** Evidence would lead somewhere: the device asks for it. */
export function wantsEvidence({ state, standing, released }: BoxStanding): boolean {
  if (state === 'attesting') return true;
  return standing.length === 0 && (state === 'suspect' || (state === 'fenced' && released));
}

export function stepBox(box: BoxStanding, event: BoxEvent, atMs: number): BoxStanding {
  switch (event.type) {
    case 'power':
      return powerSensed(box, event.power, atMs);
    case 'hello':
      return moved(box, 'hello', 'it says hello', atMs);
    case 'silence':
      return moved(box, 'silence', 'nothing is heard of it', atMs);
    case 'changed':
      return moved(box, 'changed', event.detail, atMs);
    case 'evidence':
      return evidenceAccepted(box, event.askedAtMs, atMs);
    case 'runs':
      return event.runs === box.runs ? box : atWork({ ...box, runs: event.runs }, atMs);
    case 'alarm':
      return alarmRaised(box, event, atMs);
    case 'over':
      return isOver(box, event, atMs);
    case 'fence':
      return fenceOrdered(box, event.by, atMs);
    case 'switch':
      return event.power === box.ordered ? box : switched(box, event.power);
    case 'release':
      return released(box, event.by, atMs);
  }
}

function moved(box: BoxStanding, move: Move, detail: string, atMs: number, cause: string = move): BoxStanding {
  const state = MOVES[box.state][move];
  return state === undefined ? box : { ...box, state, cause, detail, sinceMs: atMs, evidenceFromMs: atMs };
}

function powerSensed(box: BoxStanding, power: PowerState, atMs: number): BoxStanding {
  if (power === box.power) return box;
  const sensed = { ...box, power };
  if (power === 'on') return moved(sensed, 'power-on', 'power is sensed on', atMs);
  if (power !== 'off') return sensed;
  return box.ordered === 'off'
    ? moved(sensed, 'power-off', 'power is sensed off, as it was ordered', atMs, ORDERED_OFF)
    : moved(sensed, 'power-off', 'power is sensed off', atMs);
}

/** A box that is off is so by the last order, also where its power does not follow that. */
function switched(box: BoxStanding, ordered: 'on' | 'off'): BoxStanding {
  if (box.state !== 'off') return { ...box, ordered };
  if (ordered === 'off') return { ...box, ordered, cause: ORDERED_OFF, detail: 'it was ordered off' };
  return { ...box, ordered, cause: 'ordered-on', detail: 'it was ordered on, and no power is sensed yet' };
}

function evidenceAccepted(box: BoxStanding, askedAtMs: number, atMs: number): BoxStanding {
  if (!wantsEvidence(box) || askedAtMs < box.evidenceFromMs) return box;
  return atWork({ ...moved(box, 'evidence-accepted', 'its evidence is accepted', atMs), released: false }, atMs);
}

function atWork(box: BoxStanding, atMs: number): BoxStanding {
  if (box.runs > 0) return moved(box, 'run-begun', 'it has a run', atMs);
  return moved(box, 'runs-ended', 'its runs have ended', atMs);
}

function alarmRaised(box: BoxStanding, { alarm, about, detail, action }: BoxEvent & { type: 'alarm' }, atMs: number): BoxStanding {
  if (action === 'notice') return box;
  const objection = { alarm, about };
  const known = box.standing.some((held) => isSame(held, objection));
  const standing = known || MOMENTARY.includes(alarm) ? box.standing : [...box.standing, objection];
  const held = { ...box, standing, released: false, evidenceFromMs: atMs };
  const next = moved(held, action === 'suspect' ? 'suspected' : 'fenced', detail, atMs, alarm);
  if (next !== held) return next;
  if (known && !box.released) return box;
  return box.cause === alarm ? { ...held, detail } : held;
}

function isOver(box: BoxStanding, objection: Objection, atMs: number): BoxStanding {
  const standing = box.standing.filter((held) => !isSame(held, objection));
  if (standing.length === box.standing.length) return box;
  const detail = box.cause === objection.alarm ? overText(box.detail, objection.alarm, atMs) : box.detail;
  return { ...box, standing, detail, evidenceFromMs: atMs };
}

function overText(detail: string, alarm: Objection['alarm'], atMs: number): string {
  const time = new Date(atMs).toISOString().slice(11, 19);
  return `${detail}; ${alarm === 'intrusion' ? 'shut' : 'over'} since ${time} UTC`.slice(0, LIMITS.noteCharactersMax);
}

function fenceOrdered(box: BoxStanding, by: string, atMs: number): BoxStanding {
  const objection = { alarm: 'operator', about: '' } as const;
  const known = box.standing.some((held) => isSame(held, objection));
  if (known && box.state === 'fenced' && !box.released) return box;
  const held = { ...box, standing: known ? box.standing : [...box.standing, objection], released: false, evidenceFromMs: atMs };
  return moved(held, 'fenced', `${by} fenced it`, atMs, 'fence-ordered');
}

/** The word alone moves nothing: fresh evidence does, and not while a measured thing still stands against the box. */
function released(box: BoxStanding, by: string, atMs: number): BoxStanding {
  if (box.state !== 'fenced' && box.state !== 'suspect') return box;
  const standing = box.standing.filter(({ alarm }) => !UNTIL_WORD.includes(alarm));
  const detail = `${box.detail}; ${by} wants it back`.slice(0, LIMITS.noteCharactersMax);
  return { ...box, standing, detail, released: box.state === 'fenced', evidenceFromMs: atMs };
}

function isSame(left: Objection, right: Objection): boolean {
  return left.alarm === right.alarm && left.about === right.about;
}
