/** What is going to happen in a simulated world: one queue, ordered by virtual time, then by the order of putting in. */

export interface EventQueue {
  readonly nowMs: number;
  readonly length: number;
  /** At a virtual time in ms; what lies in the past happens next. */
  at(timeMs: number, happen: () => void): void;
  after(delayMs: number, happen: () => void): void;
  /** Lets the next thing happen, unless it lies after `untilMs`: then the time is `untilMs`. @returns whether something happened */
  next(untilMs: number): boolean;
}

interface Entry {
  readonly timeMs: number;
  readonly order: number;
  readonly happen: () => void;
}

export function createEventQueue(): EventQueue {
  const heap: Entry[] = [];
  let nowMs = 0;
  let order = 0;
  const at = (timeMs: number, happen: () => void): void => {
    push(heap, { timeMs: Math.max(timeMs, nowMs), order: (order += 1), happen });
  };
  return {
    get nowMs() {
      return nowMs;
    },
    get length() {
      return heap.length;
    },
    at,
    after: (delayMs, happen) => at(nowMs + delayMs, happen),
    next: (untilMs) => {
      const first = heap[0];
      if (first === undefined || first.timeMs > untilMs) {
        nowMs = Math.max(nowMs, untilMs);
        return false;
      }
      pop(heap);
      nowMs = first.timeMs;
      first.happen();
      return true;
    },
  };
}

function before(left: Entry, right: Entry): boolean {
  return left.timeMs < right.timeMs || (left.timeMs === right.timeMs && left.order < right.order);
}

function push(heap: Entry[], entry: Entry): void {
  let index = heap.length;
  heap.push(entry);
  while (index > 0) {
    const above = (index - 1) >> 1;
    const parent = heap[above] as Entry;
    if (!before(entry, parent)) break;
    heap[index] = parent;
    index = above;
  }
  heap[index] = entry;
}

function pop(heap: Entry[]): void {
  const last = heap.pop();
  if (last === undefined || heap.length === 0) return;
  let index = 0;
  for (;;) {
    const left = 2 * index + 1;
    if (left >= heap.length) break;
    const right = left + 1;
    const smaller = right < heap.length && before(heap[right] as Entry, heap[left] as Entry) ? right : left;
    if (!before(heap[smaller] as Entry, last)) break;
    heap[index] = heap[smaller] as Entry;
    index = smaller;
  }
  heap[index] = last;
}
