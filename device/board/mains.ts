/** The relay in the mains of the box. Specification §16.2. */
import type { BoardLines } from './definition.ts';
import type { Components } from './johnny-five.ts';
import type { PowerOutcome } from './ports.ts';

/** @returns what switches it */
export function mains(
  { contact }: NonNullable<BoardLines['mains']>,
  pin: number,
  components: Components,
): (verb: 'cut-mains' | 'restore-mains') => PowerOutcome {
  const relay = components.relay(pin, contact === 'normally-closed' ? 'NC' : 'NO');
  relay.close(); // a relay that is normally open has cut the mains until here
  return (verb) => {
    try {
      if (verb === 'cut-mains') relay.open();
      else relay.close();
      return { status: 'done' };
    } catch (error) {
      return { status: 'failed', reason: 'hardware', detail: error instanceof Error ? error.message : String(error) };
    }
  };
}
