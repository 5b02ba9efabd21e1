/** Keeps a program running: started, watched, started again after a pause that grows, stopped with all that it started. */
import { spawn, type ChildProcess } from 'node:child_process';
import { rmSync } from 'node:fs';
import { setTimeout as sleep } from 'node:timers/promises';
import { logFile } from './log-file.ts';
import { NODE_FLAGS, nodeEnvironment } from './node-process.ts';
import { leaveProcessId } from './running-process.ts';

export interface Supervised {
  readonly name: string;
  /** The path of an outside program; Node by default. */
  readonly program?: string;
  /** Of Node a program file and what it gets. A function is asked before each start. */
  readonly arguments: readonly string[] | (() => readonly string[]);
  readonly logFile: string;
  /** Says its process id to people, while it is kept running. */
  readonly processIdFile: string;
  /** Done before each start, such as seeing to it that a TPM is there. */
  readonly before?: () => Promise<void>;
  /** The program ended though nobody stopped it; told once until it has stayed up for a while. */
  readonly onEnd: (name: string, how: string) => void;
  /** Each line that it writes. */
  readonly onLine?: (line: string) => void;
}

export interface Supervisor {
  readonly processId: number | undefined;
  /**
   * The first line with `words`, or that matches, that the program writes, or has written in this supervision.
   * @throws Error with its last words when it does not come in time, or the program can't stay up
   */
  waitForLine(words: string | RegExp, waitMs: number): Promise<string>;
  stop(): Promise<void>;
}

const PAUSE_MIN_MS = 200;
const PAUSE_MAX_MS = 10_000;
/** A program that ran this long has recovered; its next pause is short again. */
const SETTLED_MS = 30_000;
const STOP_MAX_MS = 8_000;
/** Lines kept to answer `waitForLine`, of a program's newest. */
const LINES_MAX = 500;
/** Ends in a row after which somebody who waits for a line is told that it won't come. */
const ENDS_MAX = 3;
const LAST_WORDS_LINES = 3;

export function supervise(program: Supervised): Supervisor {
  const log = logFile(program.logFile);
  const lines: string[] = [];
  let ends = 0;
  const watchers = new Set<() => void>();
  let child: ChildProcess | undefined;
  const stopping = new AbortController();
  const isStopping = (): boolean => stopping.signal.aborted;

  const hear = (line: string): void => {
    lines.push(line);
    if (lines.length > LINES_MAX) lines.shift();
    for (const watcher of watchers) watcher();
    program.onLine?.(line);
  };
  const finished = keep();

  async function keep(): Promise<void> {
    let pauseMs = PAUSE_MIN_MS;
    for (;;) {
      const startedAt = performance.now();
      const how = await runOnce().catch((error: unknown) => (error instanceof Error ? error.message : String(error)));
      if (isStopping()) return;
      const settled = performance.now() - startedAt > SETTLED_MS;
      ends = settled ? 1 : ends + 1;
      if (ends === 1) program.onEnd(program.name, how);
      if (settled) pauseMs = PAUSE_MIN_MS;
      for (const watcher of watchers) watcher();
      await sleep(pauseMs);
      pauseMs = Math.min(pauseMs * 2, PAUSE_MAX_MS);
    }
  }

  async function runOnce(): Promise<string> {
    await program.before?.();
    if (isStopping()) return 'stopped';
    // The kernel ends the child when this process dies, however it dies. A group of its own, so that Ctrl-C reaches us alone.
    const { line, env } = commandOf(program);
    child = spawn('setpriv', ['--pdeathsig', 'KILL', ...line], { stdio: ['ignore', 'pipe', 'pipe'], detached: true, env });
    if (child.pid !== undefined) leaveProcessId(program.processIdFile, child.pid);
    return followed(child, log, hear);
  }

  return {
    get processId() {
      return child?.pid;
    },
    waitForLine: (words, waitMs) => lineWith(words, waitMs, { name: program.name, lines, watchers, hasFailed: () => ends >= ENDS_MAX }),
    async stop() {
      stopping.abort();
      child?.kill('SIGTERM');
      const force = setTimeout(() => child?.kill('SIGKILL'), STOP_MAX_MS);
      if (child?.exitCode === null && child.signalCode === null) await finished;
      clearTimeout(force);
      rmSync(program.processIdFile, { force: true });
    },
  };
}

function commandOf({ program, arguments: given }: Supervised): { readonly line: readonly string[]; readonly env: NodeJS.ProcessEnv } {
  const line = typeof given === 'function' ? given() : given;
  if (program !== undefined) return { line: [program, ...line], env: process.env };
  return { line: [process.execPath, ...NODE_FLAGS, ...line], env: nodeEnvironment(line[0] ?? '') };
}

function followed(child: ChildProcess, log: (text: string) => void, hear: (line: string) => void): Promise<string> {
  for (const stream of [child.stdout, child.stderr]) {
    let rest = '';
    stream?.setEncoding('utf8').on('data', (text: string) => {
      log(text);
      const parts = (rest + text).split('\n');
      rest = parts.pop() ?? '';
      parts.forEach(hear);
    });
  }
  return new Promise((resolve, reject) => {
    child.once('error', reject);
    child.once('close', (code, signal) => resolve(signal === null ? `exit status ${String(code)}` : `signal ${signal}`));
  });
}

interface Heard {
  readonly name: string;
  readonly lines: readonly string[];
  readonly watchers: Set<() => void>;
  readonly hasFailed: () => boolean;
}

function lineWith(words: string | RegExp, waitMs: number, { name, lines, watchers, hasFailed }: Heard): Promise<string> {
  return new Promise((resolve, reject) => {
    const fail = (what: string): void =>
      finish(() => reject(new Error(`${name} ${what}; its last words: ${lines.slice(-LAST_WORDS_LINES).join(' | ')}`)));
    const timer = setTimeout(() => fail(`did not come up within ${waitMs / 1_000} s`), waitMs);
    const look = (): void => {
      const line = lines.find((candidate) => (typeof words === 'string' ? candidate.includes(words) : words.test(candidate)));
      if (line !== undefined) finish(() => resolve(line));
      else if (hasFailed()) fail(`ended ${ENDS_MAX} times in a row`);
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
