/** Log lines: one line an event, a moment, a word and fields. No secrets; foreign text is made harmless here. */

export type LogFields = Readonly<Record<string, string | number | boolean>>;

export interface Log {
  (event: string, fields?: LogFields): void;
}

/** @param write takes one line without its end @param nowMs milliseconds since 1970 */
export function lineLog(write: (line: string) => void, nowMs: () => number): Log {
  return (event, fields = {}) => {
    write(
      [new Date(nowMs()).toISOString(), event, ...Object.entries(fields).map(([name, value]) => `${name}=${printed(value)}`)].join(' '),
    );
  };
}

const textCharactersMax = 300;

function printed(value: string | number | boolean): string {
  if (typeof value !== 'string') return String(value);
  const short = value.length > textCharactersMax ? `${value.slice(0, textCharactersMax)}…` : value;
  return /^[\w.:/@+-]+$/.test(short) ? short : JSON.stringify(short).replace(/[^\x20-\x7e]/g, escaped);
}

/** JSON leaves control characters of the upper half, line separators and direction marks as they are. */
function escaped(character: string): string {
  return `\\u${character.charCodeAt(0).toString(16).padStart(4, '0')}`;
}
