/** When blocks were first seen, for the audit of rates (§12.5): the latest only. Pure. */
import type { Instant } from '../consensus/events.ts';

/** Blocks whose arrival is remembered. */
export const SEEN_BLOCKS_MAX = 1_024;

export class SeenBlocks {
  readonly #seen = new Map<string, Instant>();

  note(block: string, at: Instant): void {
    this.#seen.set(block, at);
    for (const oldest of this.#seen.keys()) if (this.#seen.size > SEEN_BLOCKS_MAX) this.#seen.delete(oldest);
  }

  at(block: string): Instant | undefined {
    return this.#seen.get(block);
  }
}
