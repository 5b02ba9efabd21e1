/** Sensors that a driver of the kernel reads: /sys/class/hwmon (Documentation/hwmon/sysfs-interface). Owner of these files. Specification §16.3. */
import { readdir, readFile, realpath } from 'node:fs/promises';
import { basename, join } from 'node:path';
import type { HwmonInput } from './devices.ts';

const folder = '/sys/class/hwmon';

/** @returns m°C, mV, mA, µW or revolutions a minute, as the name of the input says */
export async function readHwmon({ driver, device, input }: HwmonInput): Promise<number> {
  const found: string[] = [];
  for (const entry of await readdir(folder).catch(() => [])) {
    const name = (await readFile(join(folder, entry, 'name'), 'utf8')).trim();
    const at = basename(await realpath(join(folder, entry, 'device')).catch(() => ''));
    if (name === driver && (device === undefined || device === at)) return valueIn(join(folder, entry, `${input}_input`));
    found.push(at === '' ? name : `${name} (${at})`);
  }
  const wanted = device === undefined ? driver : `${driver} (${device})`;
  throw new Error(`the kernel has no sensor ${wanted}; it has ${found.join(', ') || 'none'}`);
}

async function valueIn(path: string): Promise<number> {
  const text = (await readFile(path, 'utf8')).trim();
  const value = Number(text);
  if (!Number.isSafeInteger(value) || text === '') throw new Error(`${path} holds "${text.slice(0, 40)}"; it must be a whole number`);
  return value;
}
