/** What a command shows while it works: lines and a live bar for people, a line of JSON per event for programs. */
import { EnergyNews, LogNews, ProgressNews, ResultNews, StateNews } from '#protocol/client-messages.ts';
import { encodeJson } from '#protocol/codec.ts';
import type { News } from '../client/news.ts';
import { openTerminal, type Terminal } from '../terminal.ts';
import { newsLines } from './news-lines.ts';

export type Words = Readonly<Record<string, unknown>>;

export interface View {
  news(news: News): void;
  /** Files on their way to the device, or from it. */
  transferred(what: string, bytes: number, total: number): void;
  /** The same event for people and for programs. */
  tell(line: string | ((terminal: Terminal) => string), event: Words): void;
  /** For people only. */
  explain(line: string): void;
  warn(line: string): void;
  settle(): void;
}

export function openView(json: boolean): View {
  return json ? jsonView() : textView(openTerminal(process.stdout, process.env));
}

export function printJson(value: unknown): void {
  process.stdout.write(`${JSON.stringify(value)}\n`);
}

function textView(terminal: Terminal): View {
  const lines = newsLines(terminal, Date.now());
  return {
    news: (news) => lines.show(news),
    transferred: (what, bytes, total) => lines.transferred(what, bytes, total),
    tell: (line) => terminal.line(typeof line === 'string' ? line : line(terminal)),
    explain: (line) => terminal.line(line),
    warn: (line) => terminal.line(terminal.paint('warning', `! ${line}`)),
    settle: () => terminal.settle(),
  };
}

function jsonView(): View {
  return {
    news: (news) => printJson(newsForPrograms(news)),
    transferred: () => undefined,
    tell: (_line, event) => printJson(event),
    explain: (line) => void process.stderr.write(`${line}\n`),
    warn: (line) => void process.stderr.write(`! ${line}\n`),
    settle: () => undefined,
  };
}

function newsForPrograms(news: News): Words {
  const { news: kind, ...value } = news;
  return { event: kind, ...wordsOf(news.news, value) };
}

/** Byte strings as they stand in JSON on the wire (specification §2.4). */
function wordsOf(kind: News['news'], value: object): Words {
  switch (kind) {
    case 'state':
      return JSON.parse(encodeJson(StateNews, value as StateNews)) as Words;
    case 'progress':
      return JSON.parse(encodeJson(ProgressNews, value as ProgressNews)) as Words;
    case 'log':
      return JSON.parse(encodeJson(LogNews, value as LogNews)) as Words;
    case 'energy':
      return JSON.parse(encodeJson(EnergyNews, value as EnergyNews)) as Words;
    case 'result':
      return JSON.parse(encodeJson(ResultNews, value as ResultNews)) as Words;
    case 'missed':
      return value as Words;
  }
}
