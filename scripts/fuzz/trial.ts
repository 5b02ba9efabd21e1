/** One input against one target: does its rule hold, in time and without much memory? scorecard: "parsers". */
import process from 'node:process';
import { getHeapStatistics, setFlagsFromString } from 'node:v8';
import { runInNewContext } from 'node:vm';

export interface FuzzTarget {
  readonly name: string;
  /** Proper inputs, from which mutations start. */
  readonly seeds: readonly Uint8Array[];
  /** Throws where the rule is broken. */
  readonly run: (bytes: Uint8Array) => void;
}

export interface Fault {
  readonly kind: 'broken' | 'slow' | 'greedy';
  readonly detail: string;
}

export interface Trial {
  readonly fault?: Fault;
  /** Of processor time, in which a busy machine does not show. */
  readonly tookMs: number;
}

export const TRIAL_LIMITS = {
  /** scorecard: no hang. */
  tookMsMax: 50,
  /** A hundred times the largest message; what a declared length would make of nothing is more. */
  heapBytesMax: 32 * 1024 * 1024,
} as const;

/** A pause of the garbage collector is no fault: what was slow or greedy once has to be so again. */
const confirmations = 3;

export function tryInput(target: FuzzTarget, bytes: Uint8Array): Trial {
  const first = measured(target, bytes);
  if (first.fault !== undefined || (first.tookMs <= TRIAL_LIMITS.tookMsMax && first.heapBytes <= TRIAL_LIMITS.heapBytesMax)) return first;
  const again = Array.from({ length: confirmations }, () => {
    collectGarbage();
    return measured(target, bytes);
  });
  const tookMs = Math.min(first.tookMs, ...again.map((one) => one.tookMs));
  const heapBytes = Math.min(first.heapBytes, ...again.map((one) => one.heapBytes));
  if (tookMs > TRIAL_LIMITS.tookMsMax)
    return { tookMs, fault: { kind: 'slow', detail: `it took ${tookMs.toFixed(0)} ms; at most ${TRIAL_LIMITS.tookMsMax} ms are right` } };
  if (heapBytes <= TRIAL_LIMITS.heapBytesMax) return { tookMs };
  return { tookMs, fault: { kind: 'greedy', detail: `it took ${heapBytes} bytes of memory for an input of ${bytes.length} bytes` } };
}

/** Bytes that are alive. Buffers are given back after the collection that finds them. */
export function heapAfterCollection(): number {
  collectGarbage();
  collectGarbage();
  return heapInUse();
}

function measured(target: FuzzTarget, bytes: Uint8Array): Trial & { readonly heapBytes: number } {
  const heapBefore = heapInUse();
  const before = process.threadCpuUsage();
  const broken = brokenBy(target, bytes);
  const { user, system } = process.threadCpuUsage(before);
  const tookMs = (user + system) / 1_000;
  return { tookMs, heapBytes: heapInUse() - heapBefore, ...(broken === undefined ? {} : { fault: { kind: 'broken', detail: broken } }) };
}

function brokenBy(target: FuzzTarget, bytes: Uint8Array): string | undefined {
  try {
    target.run(bytes);
    return undefined;
  } catch (error) {
    return error instanceof Error ? (error.stack ?? error.message) : String(error);
  }
}

function heapInUse(): number {
  const { used_heap_size: onHeap, external_memory: outside } = getHeapStatistics();
  return onHeap + outside;
}

let collect: (() => void) | undefined;

function collectGarbage(): void {
  if (collect === undefined) {
    setFlagsFromString('--expose-gc');
    collect = runInNewContext('gc') as () => void;
  }
  collect();
}
