/** The lines that a program adds to its log, for somebody who waits for one: the program writes the file itself. */
import { closeSync, existsSync, openSync, readSync, statSync } from 'node:fs';

export interface LogTail {
  /** The first line with `words` since the tail was begun. @throws Error with its last words when it does not come */
  waitForLine(words: string, waitMs: number): Promise<string>;
  /** Whoever waits is told that it won't come. */
  giveUp(why: string): void;
  close(): void;
}

interface Waiting {
  readonly words: string;
  readonly resolve: (line: string) => void;
  readonly fail: (what: string) => void;
}

const LOOK_EVERY_MS = 50;
const LINES_MAX = 500;
const LAST_WORDS_LINES = 3;
const PIECE_BYTES = 64 * 1_024;

export function followLog(name: string, file: string): LogTail {
  let at = existsSync(file) ? statSync(file).size : 0;
  let rest = '';
  const lines: string[] = [];
  const waiting = new Set<Waiting>();
  const piece = Buffer.alloc(PIECE_BYTES);

  const read = (): void => {
    if (!existsSync(file)) return;
    const descriptor = openSync(file, 'r');
    try {
      for (
        let length = readSync(descriptor, piece, 0, PIECE_BYTES, at);
        length > 0;
        length = readSync(descriptor, piece, 0, PIECE_BYTES, at)
      ) {
        at += length;
        const parts = (rest + piece.toString('utf8', 0, length)).split('\n');
        rest = parts.pop() ?? '';
        lines.push(...parts);
        if (lines.length > LINES_MAX) lines.splice(0, lines.length - LINES_MAX);
      }
    } finally {
      closeSync(descriptor);
    }
  };
  const look = (): void => {
    if (waiting.size === 0) return;
    read();
    for (const one of waiting) {
      const line = lines.find((candidate) => candidate.includes(one.words));
      if (line !== undefined) one.resolve(line);
    }
  };
  const timer = setInterval(look, LOOK_EVERY_MS);
  timer.unref();

  return {
    waitForLine: (words, waitMs) =>
      new Promise((resolve, reject) => {
        const done = (): void => {
          clearTimeout(late);
          waiting.delete(one);
        };
        const fail = (what: string): void => {
          done();
          reject(new Error(`${name} ${what}; its last words: ${lines.slice(-LAST_WORDS_LINES).join(' | ')}`));
        };
        const late = setTimeout(() => fail(`did not come up within ${waitMs / 1_000} s`), waitMs);
        const one: Waiting = {
          words,
          resolve: (line) => {
            done();
            resolve(line);
          },
          fail,
        };
        waiting.add(one);
        look();
      }),
    giveUp: (why) => {
      read();
      for (const one of waiting) one.fail(why);
    },
    close: () => {
      clearInterval(timer);
      for (const one of waiting) one.fail('was stopped');
    },
  };
}
