/** What stands against a box, over the end of the program: who was fenced stays so. Specification §17.1. */
import { decodeStrict, encodeStrict } from '#protocol/codec.ts';
import { LIMITS } from '#protocol/limits.ts';
import { list, oneOf, struct, text, integer } from '#protocol/schema.ts';
import type { Store } from '../store/store.ts';
import { newBox, type BoxStanding } from './box-state.ts';
import { ALARMS, type Alarm } from './policy.ts';

const Remembered = struct({
  /** `free`: nothing stands against it. */
  state: oneOf('free', 'suspect', 'fenced'),
  cause: text({ max: 40 }),
  detail: text({ max: LIMITS.noteCharactersMax }),
  sinceMs: integer({ min: 0, max: Number.MAX_SAFE_INTEGER }),
  standing: list(struct({ alarm: oneOf(...(ALARMS as readonly [Alarm, ...Alarm[]]), 'operator'), about: text({ max: 64 }) }), { max: 256 }),
});

const BYTES_MAX = 64 * 1024;

/** Stores only what matters: a box that comes and goes costs the disk nothing. */
export function remember(store: Store, box: string, before: BoxStanding | undefined, now: BoxStanding): void {
  if (before && before.state === now.state && before.standing === now.standing) return;
  if (!isHeld(now) && !(before && isHeld(before))) return;
  const { state, cause, detail, sinceMs, standing } = now;
  const kept = state === 'suspect' || state === 'fenced' ? state : 'free';
  store.setMemory(memoryOf(box), encodeStrict(Remembered, { state: kept, cause, detail, sinceMs, standing: [...standing] }));
}

/** A box that was let go of and is paired anew is another one. */
export function forgetStanding(store: Store, box: string): void {
  if (store.memory(memoryOf(box)))
    store.setMemory(memoryOf(box), encodeStrict(Remembered, { state: 'free', cause: 'unpaired', detail: '', sinceMs: 0, standing: [] }));
}

/** What can't be read counts as nothing: it is our own disk. */
export function rememberedStanding(store: Store, box: string, atMs: number): BoxStanding | undefined {
  const memory = store.memory(memoryOf(box));
  const decoded = memory ? decodeStrict(Remembered, memory, BYTES_MAX) : undefined;
  if (decoded?.status !== 'decoded' || decoded.value.state === 'free') return undefined;
  const { state, cause, detail, sinceMs, standing } = decoded.value;
  return { ...newBox(atMs), state, cause, detail, sinceMs, standing };
}

function isHeld({ state }: BoxStanding): boolean {
  return state === 'suspect' || state === 'fenced';
}

function memoryOf(box: string): string {
  return `control/${box}`;
}
