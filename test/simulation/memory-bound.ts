/** How large the core's collections are: no peer may fill a member's memory. Specification §14.3. */
import type { ConsensusState } from '../../device/consensus/machine.ts';

export interface Collection {
  readonly path: string;
  readonly size: number;
  readonly limit: number;
}

/** Entries of any one collection beyond which something grows without bound: orphans of 128 peers are the largest in theory. */
const entriesMax = 20_000;

/** The one that is nearest to its limit. */
export function largestCollection(state: ConsensusState): Collection {
  const found: Collection[] = [];
  collect(state, 'state', 3, found);
  return found.reduce((left, right) => (right.size > left.size ? right : left), { path: 'state', size: 0, limit: entriesMax });
}

function collect(value: object, path: string, depth: number, found: Collection[]): void {
  for (const [name, part] of Object.entries(value) as [string, unknown][]) {
    if (name === 'setup' || typeof part !== 'object' || part === null || ArrayBuffer.isView(part)) continue;
    if (part instanceof Map || part instanceof Set) found.push({ path: `${path}.${name}`, size: part.size, limit: entriesMax });
    else if (Array.isArray(part)) found.push({ path: `${path}.${name}`, size: part.length, limit: entriesMax });
    else if (depth > 0) collect(part, `${path}.${name}`, depth - 1, found);
  }
}
