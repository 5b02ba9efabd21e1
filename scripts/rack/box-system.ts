/**
 * What runs on a simulated box: its real agent. Started, asked to end, killed with all that it has started, frozen and thawed as
 * the mainboard says; one that ends by itself is started again, as the service manager of a box does. Specification §16.4.
 */
import { spawn, type ChildProcess } from 'node:child_process';
import { closeSync, openSync, rmSync } from 'node:fs';
import { NODE_FLAGS, nodeEnvironment } from '../grid/node-process.ts';
import { leaveProcessId } from '../grid/running-process.ts';
import { RACK_LIMITS } from './limits.ts';
import type { Order } from './mainboard.ts';
import { signalTree, usageOfTree, type TreeUsage } from './process-tree.ts';

export interface SystemProgram {
  /** The arguments of Node: a program file and what it gets. */
  readonly arguments: readonly string[];
  readonly logFile: string;
  /** Says its process id to people, while it runs. */
  readonly processIdFile: string;
}

export interface SystemEvents {
  started(processId: number): void;
  /** It has ended though nobody asked for it. @param ends in a row */
  died(how: string, ends: number): void;
  /** It has ended as it was asked to. */
  ended(): void;
}

export class BoxSystem {
  readonly #program: SystemProgram;
  readonly #events: SystemEvents;
  #state: 'off' | 'up' | 'ending' = 'off';
  #child: ChildProcess | undefined;
  /** The one that the mainboard has killed, until its end is noticed. */
  #killed: ChildProcess | undefined;
  #startedAtMs = 0;
  #ends = 0;
  #pause: NodeJS.Timeout | undefined;

  constructor(program: SystemProgram, events: SystemEvents) {
    this.#program = program;
    this.#events = events;
  }

  /** Of the agent, while it runs. */
  get processId(): number | undefined {
    return this.#child?.pid;
  }

  usage(): TreeUsage | undefined {
    return this.#child?.pid === undefined ? undefined : usageOfTree(this.#child.pid);
  }

  obey(order: Order): void {
    switch (order) {
      case 'start':
        this.#state = 'up';
        this.#ends = 0;
        return this.#start();
      case 'ask-to-end':
        this.#state = 'ending';
        return this.#askToEnd();
      case 'kill':
        this.#state = 'off';
        clearTimeout(this.#pause);
        this.#killed = this.#child;
        return this.#signal('SIGKILL');
      case 'freeze':
        return this.#signal('SIGSTOP');
      case 'thaw':
        return this.#signal('SIGCONT');
    }
  }

  #start(): void {
    // One that was killed just now; its end starts the next.
    if (this.#child) return;
    const { arguments: line, logFile, processIdFile } = this.#program;
    const log = openSync(logFile, 'a', 0o600);
    try {
      // The kernel ends it when this process dies: then the box has no power. A group of its own, so that Ctrl-C reaches the grid alone.
      const words = ['--pdeathsig', 'KILL', process.execPath, ...NODE_FLAGS, ...line];
      const child = spawn('setpriv', words, { stdio: ['ignore', log, log], detached: true, env: nodeEnvironment(line[0] ?? '') });
      this.#child = child;
      this.#startedAtMs = performance.now();
      child.once('error', (error) => this.#gone(child, error.message));
      child.once('exit', (code, signal) => this.#gone(child, signal === null ? `exit status ${String(code)}` : `signal ${signal}`));
      if (child.pid === undefined) return;
      leaveProcessId(processIdFile, child.pid);
      this.#events.started(child.pid);
    } finally {
      closeSync(log);
    }
  }

  #askToEnd(): void {
    clearTimeout(this.#pause);
    if (this.#child) this.#child.kill('SIGTERM');
    else queueMicrotask(() => this.#hasEnded());
  }

  #gone(child: ChildProcess, how: string): void {
    if (this.#child !== child) return;
    this.#child = undefined;
    rmSync(this.#program.processIdFile, { force: true });
    if (this.#state === 'ending') return this.#hasEnded();
    if (this.#state === 'off') return;
    if (this.#killed === child) return this.#start();
    const isSettled = performance.now() - this.#startedAtMs > RACK_LIMITS.settledMs;
    this.#ends = isSettled ? 1 : this.#ends + 1;
    this.#events.died(how, this.#ends);
    const pauseMs = Math.min(RACK_LIMITS.restartMinMs * 2 ** (this.#ends - 1), RACK_LIMITS.restartMaxMs);
    this.#pause = setTimeout(() => this.#state === 'up' && this.#start(), pauseMs);
  }

  #hasEnded(): void {
    if (this.#state !== 'ending') return;
    this.#state = 'off';
    this.#events.ended();
  }

  #signal(signal: NodeJS.Signals): void {
    if (this.#child?.pid !== undefined) signalTree(this.#child.pid, signal);
  }
}
