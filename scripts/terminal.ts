/** What programs show: lines, one live line that is redrawn, colours and tables. Plain text where nobody is watching. */
import { stripVTControlCharacters } from 'node:util';

export type Style = 'good' | 'bad' | 'warning' | 'quiet' | 'strong' | 'light-on-dark';

export interface Terminal {
  /** Whether the live line is drawn. */
  readonly live: boolean;
  paint(style: Style, text: string): string;
  /** Writes whole lines above the live one. */
  line(text: string): void;
  /** Writes text as it is, such as a program's log. */
  text(text: string): void;
  /** Redraws the live line; nothing where the output isn't a terminal. */
  show(text: string): void;
  /** Removes the live line. */
  settle(): void;
}

interface Stream {
  readonly isTTY?: boolean;
  readonly columns?: number;
  write(text: string): unknown;
}

/** @param environment NO_COLOR (no-color.org) and TERM=dumb switch colours off, FORCE_COLOR switches them on */
export function openTerminal(stream: Stream, environment: Readonly<Record<string, string | undefined>>): Terminal {
  const dumb = environment['TERM'] === 'dumb';
  const live = stream.isTTY === true && !dumb;
  const colours = hasColours(stream, environment, dumb);
  let shown = '';
  let midLine = false;
  const clear = (): void => {
    if (shown !== '') stream.write('\r\u001b[K');
    shown = '';
  };
  const write = (text: string): void => {
    clear();
    stream.write(text);
  };
  return {
    live,
    paint: (style, text) => (colours ? `\u001b[${codes[style]}m${text}\u001b[0m` : text),
    line: (text) => {
      write(`${midLine ? '\n' : ''}${text}\n`);
      midLine = false;
    },
    text: (text) => {
      if (text === '') return;
      write(text);
      midLine = !text.endsWith('\n');
    },
    show: (text) => {
      if (!live || midLine || text === shown) return;
      stream.write(`\r${fit(text, stream.columns ?? 80)}\u001b[K`);
      shown = text;
    },
    settle: clear,
  };
}

/** Who reads has gone (`npm run capsule -- list | head -1`): the program ends without a word, as others do; 128 + SIGPIPE. */
export function endWhenUnread(): void {
  process.stdout.on('error', (error: NodeJS.ErrnoException) => {
    if (error.code === 'EPIPE') process.exit(141);
    throw error;
  });
}

/** `[#####-----] 50 %` */
export function progressBar(done: number, total: number, cells = 24): string {
  const share = total <= 0 ? 1 : Math.min(1, Math.max(0, done / total));
  const full = Math.floor(share * cells);
  return `[${'#'.repeat(full)}${'-'.repeat(cells - full)}] ${String(Math.floor(share * 100)).padStart(3)} %`;
}

/** Rows in aligned columns. */
export function table(rows: readonly (readonly string[])[], indent = '  '): string {
  const count = Math.max(0, ...rows.map((row) => row.length));
  const widths = Array.from({ length: count }, (_, column) =>
    Math.max(...rows.map((row) => stripVTControlCharacters(row[column] ?? '').length)),
  );
  const pad = (cell: string, column: number): string => cell + ' '.repeat((widths[column] ?? 0) - stripVTControlCharacters(cell).length);
  return rows.map((row) => `${indent}${row.map(pad).join('  ')}`.trimEnd()).join('\n');
}

/** Text by others for a terminal: without anything that could move its cursor, change its title or hide text. */
export function harmless(text: string): string {
  return stripVTControlCharacters(text)
    .replace(/\r\n?/g, '\n')
    .replace(/[\p{Cc}\p{Bidi_Control}]/gu, (character) => (character === '\n' || character === '\t' ? character : '\ufffd'));
}

export function bytesText(bytes: number): string {
  const units = ['bytes', 'KiB', 'MiB', 'GiB'];
  const power = Math.min(units.length - 1, bytes < 1 ? 0 : Math.floor(Math.log2(bytes) / 10));
  return power === 0 ? `${bytes} bytes` : `${(bytes / 1024 ** power).toFixed(1)} ${units[power] ?? ''}`;
}

export function durationText(durationMs: number): string {
  if (durationMs < 1_000) return `${Math.round(durationMs)} ms`;
  if (durationMs < 60_000) return `${(durationMs / 1_000).toFixed(1)} s`;
  const seconds = Math.round(durationMs / 1_000);
  const [hours, minutes] = [Math.floor(seconds / 3_600), Math.floor((seconds % 3_600) / 60)];
  return hours > 0 ? `${hours} h ${minutes} min` : `${minutes} min ${seconds % 60} s`;
}

export function timeText(atMs: number): string {
  return new Date(atMs).toISOString().replace('T', ' ').slice(0, 19).concat(' UTC');
}

const codes: Readonly<Record<Style, string>> = { good: '32', bad: '31', warning: '33', quiet: '2', strong: '1', 'light-on-dark': '97;40' };

function hasColours(stream: Stream, environment: Readonly<Record<string, string | undefined>>, dumb: boolean): boolean {
  if ((environment['NO_COLOR'] ?? '') !== '') return false;
  const forced = environment['FORCE_COLOR'] ?? '';
  if (forced !== '') return forced !== '0';
  return stream.isTTY === true && !dumb;
}

function fit(line: string, columns: number): string {
  return stripVTControlCharacters(line).length < columns ? line : stripVTControlCharacters(line).slice(0, columns - 1);
}
