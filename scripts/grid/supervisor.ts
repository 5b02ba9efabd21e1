/** Keeps a program running: started, watched, started again after a pause that grows, stopped with all that it started. */
import { spawn, type ChildProcess } from 'node:child_process';
import { createWriteStream, type WriteStream } from 'node:fs';
import { setTimeout as sleep } from 'node:timers/promises';

export interface Supervised {
  readonly name: string;
  /** The arguments of Node: a program file and what it gets. */
  readonly arguments: readonly string[];
  readonly logFile: string;
  /** Done before each start, such as seeing to it that a TPM is there. */
  readonly before?: () => Promise<void>;
  /** The program ended though nobody stopped it. */
  readonly onEnd: (name: string, how: string) => void;
}

export interface Supervisor {
  readonly processId: number | undefined;
  /** Lines that the program wrote and that contain `words`, from the beginning of this supervision. */
  waitForLine(words: string, waitMs: number): Promise<string>;
  stop(): Promise<void>;
}

const PAUSE_MIN_MS = 200;
const PAUSE_MAX_MS = 10_000;
/** A program that ran this long has recovered; its next pause is short again. */
const SETTLED_MS = 30_000;
const STOP_MAX_MS = 8_000;
/** Lines kept to answer `waitForLine`, of a program's newest. */
const LINES_MAX = 500;

export function supervise(program: Supervised): Supervisor {
  const log = createWriteStream(program.logFile, { flags: 'a', mode: 0o600 });
  const lines: string[] = [];
  const watchers = new Set<() => void>();
  let child: ChildProcess | undefined;
  let stopping = false;

  const hear = (line: string): void => {
    lines.push(line);
    if (lines.length > LINES_MAX) lines.shift();
    for (const watcher of watchers) watcher();
  };
  const finished = keep();

  async function keep(): Promise<void> {
    let pauseMs = PAUSE_MIN_MS;
    while (!stopping) {
      const startedAt = performance.now();
      const how = await runOnce().catch((error: unknown) => (error instanceof Error ? error.message : String(error)));
      if (stopping) return;
      program.onEnd(program.name, how);
      if (performance.now() - startedAt > SETTLED_MS) pauseMs = PAUSE_MIN_MS;
      await sleep(pauseMs);
      pauseMs = Math.min(pauseMs * 2, PAUSE_MAX_MS);
    }
  }

  async function runOnce(): Promise<string> {
    await program.before?.();
    if (stopping) return 'stopped';
    // The kernel ends the child when this process dies, however it dies.
    child = spawn('setpriv', ['--pdeathsig', 'KILL', process.execPath, ...program.arguments], { stdio: ['ignore', 'pipe', 'pipe'] });
    return followed(child, log, hear);
  }

  return {
    get processId() {
      return child?.pid;
    },
    waitForLine: (words, waitMs) => lineWith(words, waitMs, lines, watchers),
    async stop() {
      stopping = true;
      child?.kill('SIGTERM');
      const force = setTimeout(() => child?.kill('SIGKILL'), STOP_MAX_MS);
      if (child?.exitCode === null && child.signalCode === null) await finished;
      clearTimeout(force);
      log.end();
    },
  };
}

function followed(child: ChildProcess, log: WriteStream, hear: (line: string) => void): Promise<string> {
  for (const stream of [child.stdout, child.stderr]) {
    let rest = '';
    stream?.setEncoding('utf8').on('data', (text: string) => {
      log.write(text);
      const parts = (rest + text).split('\n');
      rest = parts.pop() ?? '';
      parts.forEach(hear);
    });
  }
  return new Promise((resolve, reject) => {
    child.once('error', reject);
    child.once('close', (code, signal) => resolve(signal === null ? `exit status ${code}` : `signal ${signal}`));
  });
}

function lineWith(words: string, waitMs: number, lines: readonly string[], watchers: Set<() => void>): Promise<string> {
  return new Promise((resolve, reject) => {
    const timer = setTimeout(() => finish(() => reject(new Error(`"${words}" did not come within ${waitMs / 1_000} s; the last words were: ${lines.at(-1) ?? 'none'}`))), waitMs);
    const look = (): void => {
      const line = lines.find((candidate) => candidate.includes(words));
      if (line !== undefined) finish(() => resolve(line));
    };
    const finish = (end: () => void): void => {
      clearTimeout(timer);
      watchers.delete(look);
      end();
    };
    watchers.add(look);
    look();
  });
}
