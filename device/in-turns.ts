/** Does long work of the protocol in turns with whatever else this program has to do: a block, a ballot, a box that calls. */
import { setImmediate } from 'node:timers/promises';
import type { Turns } from '#protocol/turns.ts';

/** @returns what `work` returns, and rejects as it throws */
export async function inTurns<T>(work: Turns<T>): Promise<T> {
  for (;;) {
    const step = work.next();
    if (step.done) return step.value;
    await setImmediate();
  }
}
