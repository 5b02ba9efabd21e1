/**
 * File descriptors that this process would pass on to a child without meaning to: those that its own parent left open.
 * Node marks all that it opens close-on-exec and leaves the others alone.
 */
import { readdirSync, readFileSync } from 'node:fs';

/** Numbers from 3 up without the close-on-exec mark, ascending. */
export function inheritableDescriptors(): number[] {
  return readdirSync('/proc/self/fd')
    .map(Number)
    .filter((number) => number >= 3 && isInheritable(number))
    .sort((a, b) => a - b);
}

const closeOnExec = 0o2000000;

function isInheritable(number: number): boolean {
  const flags = /^flags:\s*([0-7]+)/m.exec(readInformation(number))?.[1];
  return flags !== undefined && (Number.parseInt(flags, 8) & closeOnExec) === 0;
}

function readInformation(number: number): string {
  try {
    return readFileSync(`/proc/self/fdinfo/${number}`, 'utf8');
  } catch {
    return ''; // the folder listing's own descriptor is closed by now
  }
}
