/** News of a capsule on a terminal: states and log as lines, progress as a bar below them. */
import { CAPSULE_STATES, type CapsuleState } from '#protocol/capsule.ts';
import type { EnergyNews, LogNews, StateNews } from '#protocol/client-messages.ts';
import type { News } from '../client/news.ts';
import { harmless, progressBar, type Style, type Terminal } from '../terminal.ts';

export interface NewsLines {
  show(news: News): void;
  /** Files on their way to the device, or from it. */
  transferred(what: string, bytes: number, total: number): void;
}

/** @param begunAtMs from when the times of the lines count */
export function newsLines(terminal: Terminal, begunAtMs: number): NewsLines {
  const since = (): string => terminal.paint('quiet', `${((Date.now() - begunAtMs) / 1_000).toFixed(1).padStart(6)} s`);
  const log = logLines(terminal);
  const power = powerLines(terminal);
  let bar = '';
  return {
    show: (news) => {
      switch (news.news) {
        case 'state':
          power.ended();
          log.stateIs(news);
          return terminal.line(`${since()}  ${terminal.paint(styleOf(news.state), news.state.padEnd(stateWidth))}${about(news)}`);
        case 'progress':
          bar = `${progressBar(news.permille, 1_000)} ${news.note === undefined ? '' : harmless(news.note)}`;
          return terminal.show(`          ${[power.words(), bar].filter(Boolean).join('  ')}`);
        case 'energy':
          power.heard(news, since());
          return terminal.show(`          ${[power.words(), bar].filter(Boolean).join('  ')}`);
        case 'log':
          return log.show(news);
        case 'missed':
          return terminal.line(
            terminal.paint('quiet', `          (${news.count} messages came too fast to be shown; the whole log is in the result)`),
          );
        case 'result':
          return terminal.settle();
      }
    },
    transferred: (what, bytes, total) => terminal.show(`          ${progressBar(bytes, total)} ${what}`),
  };
}

interface PowerLines {
  words(): string;
  heard(news: EnergyNews, since: string): void;
  /** The run is at its end, or another begins. */
  ended(): void;
}

/** Watts of the box: in the live line, whose rise a line sums up at the end; where there is none as lines, when they have moved well. */
function powerLines(terminal: Terminal): PowerLines {
  let [words, by] = ['', ''];
  let last: number | undefined;
  let [least, most] = [Infinity, 0];
  return {
    words: () => words,
    heard: ({ milliwatts, millijoules, source }, since) => {
      by = source;
      words = `${wattsText(milliwatts)}, ${(millijoules / 1_000).toFixed(0)} J (${source})`;
      [least, most] = [Math.min(least, milliwatts), Math.max(most, milliwatts)];
      if (terminal.live || (last !== undefined && Math.abs(milliwatts - last) * 5 < last)) return;
      last = milliwatts;
      terminal.line(`${since}  ${terminal.paint('quiet', `the box draws ${words}`)}`);
    },
    ended: () => {
      if (terminal.live && words !== '')
        terminal.line(terminal.paint('quiet', `            the box drew ${wattsText(least)} to ${wattsText(most)} (${by})`));
      words = by = '';
      last = undefined;
      [least, most] = [Infinity, 0];
    },
  };
}

function wattsText(milliwatts: number): string {
  return `${(milliwatts / 1_000).toFixed(1)} W`;
}

const stateWidth = Math.max(...CAPSULE_STATES.map((state) => state.length)) + 2;

function styleOf(state: CapsuleState): Style {
  if (state === 'agreed') return 'good';
  return state === 'failed' || state === 'disputed' || state === 'expired' ? 'bad' : 'strong';
}

function about({ state, reason, box, device, attempt, detail }: News & { news: 'state' }): string {
  const place = box && `${box}${device === undefined ? '' : ` of device ${device}`}`;
  // That of an attempt which came to nothing (§7.4).
  if (state === 'ordered' && place)
    return `the chain is asked for another box than ${place}: ${harmless(detail ?? reason ?? 'which gave no result')}`;
  return [place && `on ${place}`, attempt !== undefined && attempt > 1 && `attempt ${attempt}`, detail && harmless(detail)]
    .filter(Boolean)
    .join(', ');
}

interface LogLines {
  stateIs(news: StateNews): void;
  show(news: LogNews): void;
}

/** Log as it comes, with a line where another attempt's begins, and where some is missing. */
function logLines(terminal: Terminal): LogLines {
  const shown = new Map<LogNews['stream'], number>();
  let attempt: number | undefined;
  let box = 'another box';
  return {
    stateIs: (news) => void (box = news.box ?? box),
    show: (news) => {
      if (attempt !== undefined && attempt !== news.attempt) {
        terminal.line(terminal.paint('strong', `          attempt ${news.attempt} begins anew on ${box}: its log from the beginning`));
        shown.clear();
      }
      attempt = news.attempt;
      noteGap(terminal, shown, news);
      terminal.text(harmless(news.text));
    },
  };
}

/** Says when log is missing, mostly because the watch began after the program. Text with replaced characters has no exact length. */
function noteGap(terminal: Terminal, shown: Map<LogNews['stream'], number>, { stream, offset, text }: LogNews): void {
  const expected = shown.get(stream) ?? 0;
  if (offset > expected)
    terminal.line(terminal.paint('quiet', `          (${offset - expected} bytes of ${stream} before this are in the result)`));
  shown.set(stream, text.includes('\ufffd') ? Number.MAX_SAFE_INTEGER : offset + new TextEncoder().encode(text).length);
}
