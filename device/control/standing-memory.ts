/** What stands against a box and what was ordered of it, over the end of the program: who was fenced stays so. Specification §17.1-17.2. */
import { decodeStrict, encodeStrict, sameBytes } from '#protocol/codec.ts';
import { LIMITS } from '#protocol/limits.ts';
import { fixedBytes, list, oneOf, optional, struct, text, integer } from '#protocol/schema.ts';
import type { Store } from '../store/store.ts';
import { newBox, newBoxOrdered, type BoxStanding } from './box-state.ts';
import { ALARMS, type Alarm } from './policy.ts';
import type { NamedBox } from './ports.ts';

const Remembered = struct({
  /** Of the box that stood so: what is paired anew under its name is another one. */
  signingKey: fixedBytes(32),
  /** `free`: nothing stands against it. */
  state: oneOf('free', 'suspect', 'fenced'),
  cause: text({ max: 40 }),
  detail: text({ max: LIMITS.noteCharactersMax }),
  sinceMs: integer({ min: 0, max: Number.MAX_SAFE_INTEGER }),
  standing: list(struct({ alarm: oneOf(...(ALARMS as readonly [Alarm, ...Alarm[]]), 'operator'), about: text({ max: 64 }) }), { max: 256 }),
  ordered: optional(oneOf('on', 'off')),
});

const BYTES_MAX = 64 * 1024;

/** Whether a change is one to be remembered: a box that comes and goes costs the disk nothing. */
export function isMemorable(before: BoxStanding, now: BoxStanding): boolean {
  if (before.state === now.state && before.standing === now.standing && before.ordered === now.ordered) return false;
  return matters(now) || matters(before);
}

/** @throws Error when the disk does not take it */
export function remember(store: Store, box: NamedBox, now: BoxStanding): void {
  const { state, cause, detail, sinceMs, standing, ordered } = now;
  const kept = state === 'suspect' || state === 'fenced' ? state : 'free';
  const order = ordered === 'nothing' ? {} : { ordered };
  const { signingKey } = box;
  const remembered = { signingKey, state: kept, cause, detail, sinceMs, standing: [...standing], ...order } as const;
  store.setMemory(memoryOf(box), encodeStrict(Remembered, remembered));
}

/** Of a box that was let go of: paired anew with the same key it begins anew as well. */
export function forgetStanding(store: Store, box: NamedBox): void {
  if (!store.memory(memoryOf(box))) return;
  const nothing = { state: 'free', cause: 'unpaired', detail: '', sinceMs: 0 } as const;
  store.setMemory(memoryOf(box), encodeStrict(Remembered, { signingKey: box.signingKey, ...nothing, standing: [] }));
}

/** What can't be read counts as nothing: it is our own disk. */
export function rememberedStanding(store: Store, box: NamedBox, atMs: number): BoxStanding | undefined {
  const memory = store.memory(memoryOf(box));
  const decoded = memory ? decodeStrict(Remembered, memory, BYTES_MAX) : undefined;
  if (decoded?.status !== 'decoded' || !sameBytes(decoded.value.signingKey, box.signingKey)) return undefined;
  const { state, cause, detail, sinceMs, standing, ordered = 'nothing' } = decoded.value;
  return state === 'free' ? newBoxOrdered(ordered, atMs) : { ...newBox(atMs), state, cause, detail, sinceMs, standing, ordered };
}

function matters({ state, ordered }: BoxStanding): boolean {
  return state === 'suspect' || state === 'fenced' || ordered === 'off';
}

function memoryOf({ name }: NamedBox): string {
  return `control/${name}`;
}
