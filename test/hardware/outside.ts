/** The other end of a simulated line, in sysfs: what drives it, and what it has. */
import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';

const settings = (label: string, file: string): string => readFileSync(join('/sys/kernel/config/gpio-sim', label, file), 'utf8').trim();
const outside = (offset: number, file: 'value' | 'pull', label: string): string =>
  join('/sys/devices/platform', settings(label, 'dev_name'), settings(label, 'bank0/chip_name'), `sim_gpio${offset}`, file);

/** Of the chip that most tests are about. */
const CHIP = 'pinctrl-bcm2711';

export const seenOutside = (offset: number, label = CHIP): string => readFileSync(outside(offset, 'value', label), 'utf8').trim();
export const pull = (offset: number, way: 'pull-up' | 'pull-down', label = CHIP): void =>
  writeFileSync(outside(offset, 'pull', label), way);

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
