/** Log lines: one line an event, with its moment and fields; foreign text is made harmless here. */
import type { Clock, Log } from './ports.ts';

const TEXT_CHARACTERS_MAX = 300;

/** @param write takes one line without its end */
export function lineLog(write: (line: string) => void, now: Clock): Log {
  return (event, fields = {}) => {
    const words = Object.entries(fields).map(([name, value]) => `${name}=${printed(value)}`);
    write([new Date(now()).toISOString(), event, ...words].join(' '));
  };
}

function printed(value: string | number | boolean): string {
  if (typeof value !== 'string') return String(value);
  const short = value.length > TEXT_CHARACTERS_MAX ? `${value.slice(0, TEXT_CHARACTERS_MAX)}…` : value;
  return /^[\w.:/@+-]+$/.test(short) ? short : JSON.stringify(short).replace(/[^\x20-\x7e]/g, escaped);
}

/** What JSON leaves as it is: controls of the upper half, line separators, marks of direction. */
function escaped(character: string): string {
  return `\\u${character.charCodeAt(0).toString(16).padStart(4, '0')}`;
}
