/** The other end of a simulated line, in sysfs: what drives it, and what it has. */
import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { env } from 'node:process';
import { setTimeout as sleep } from 'node:timers/promises';

const outside = (offset: number, file: 'value' | 'pull'): string => join(env['CAPSTAN_SIM'] ?? '', `sim_gpio${offset}`, file);

export const seenOutside = (offset: number): string => readFileSync(outside(offset, 'value'), 'utf8').trim();
export const pull = (offset: number, way: 'pull-up' | 'pull-down'): void => writeFileSync(outside(offset, 'pull'), way);

/** Milliseconds in which this program does nothing at all; gpio-sim says an edge at the next tick (10 ms) and would join two. */
export const holdUp = (ms: number): void => void Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, ms);

/** @throws Error where it does not come true within two seconds */
export async function until(what: string, isTrue: () => boolean): Promise<void> {
  for (const end = Date.now() + 2_000; Date.now() < end;) {
    if (isTrue()) return;
    await sleep(2);
  }
  throw new Error(`within two seconds it was not so: ${what}`);
}
