/** The rack of a grid: a process that has the power of its simulated boxes, kept running; and their agents, which it starts. */
import { mkdirSync, rmSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { RACK_LIMITS } from '../rack/limits.ts';
import { rackFileText } from '../rack/rack.ts';
import type { GridLayout } from './layout.ts';
import { followLog, type LogTail } from './log-tail.ts';
import { runningProcess } from './running-process.ts';
import { supervise, type Supervisor } from './supervisor.ts';

const agent = fileURLToPath(new URL('../../hpc-agent/agent.ts', import.meta.url));
const program = fileURLToPath(new URL('../rack/main.ts', import.meta.url));
const START_MS = 30_000;
/** Ends in a row after which somebody who waits for a line is told that it won't come. */
const ENDS_MAX = 3;

export interface GridAgent {
  readonly processId: number | undefined;
  /**
   * The first line with `words` that it writes from the start of the rack on.
   * @throws Error with its last words when it does not come in time, or the agent can't stay up
   */
  waitForLine(words: string, waitMs: number): Promise<string>;
}

export interface GridRack {
  readonly supervisor: Supervisor;
  /** Agents by the name of their box. */
  readonly agents: ReadonlyMap<string, GridAgent>;
  /** May be called again. */
  stop(): Promise<void>;
}

export interface GridRackRequest {
  readonly name: string;
  readonly boxes: readonly string[];
  /** The rack or an agent ended though nobody stopped it; it is started again. */
  readonly onEnd: (name: string, how: string) => void;
}

/** @throws Error in a sentence when it does not come up */
export async function startGridRack(layout: GridLayout, { name, boxes, onEnd }: GridRackRequest): Promise<GridRack> {
  mkdirSync(layout.rackSockets, { recursive: true, mode: 0o700 });
  const socket = layout.rackSocket(name);
  writeRackFile(layout, name, boxes);
  const tails = new Map(boxes.map((box) => [box, followLog(box, logOf(layout, box))]));
  const supervisor = supervise({
    name: `${name}-rack`,
    arguments: [program, layout.rackFile(name)],
    logFile: join(layout.logs, `${name}-rack.log`),
    processIdFile: layout.processId(`${name}-rack`),
    onEnd,
    onLine: (line) => {
      const [, box = '', ends, how = ''] = / agentEnded box=(\S+) ends=(\d+) how=(.*)$/.exec(line) ?? [];
      if (ends === '1') onEnd(box, how.replaceAll('"', ''));
      if (Number(ends) >= ENDS_MAX) tails.get(box)?.giveUp(`ended ${ENDS_MAX} times in a row`);
    },
  });
  let stopped: Promise<void> | undefined;
  const stop = async (): Promise<void> => {
    await supervisor.stop();
    tails.forEach((tail) => tail.close());
    for (const path of [socket, ...boxes.map((box) => layout.wires(box)), layout.rackFile(name)]) rmSync(path, { force: true });
  };
  const rack: GridRack = {
    supervisor,
    agents: new Map([...tails].map(([box, tail]) => [box, agentOf(layout, box, tail)])),
    stop: () => (stopped ??= stop()),
  };
  try {
    await supervisor.waitForLine(' rackStarted ', START_MS);
  } catch (error) {
    await rack.stop();
    throw error;
  }
  return rack;
}

function writeRackFile(layout: GridLayout, name: string, boxes: readonly string[]): void {
  const file = layout.rackFile(name);
  mkdirSync(dirname(file), { recursive: true, mode: 0o700 });
  const wired = boxes.map((box) => ({
    name: box,
    wires: layout.wires(box),
    program: [agent, '--state', layout.box(box)],
    log: logOf(layout, box),
    processId: layout.processId(box),
  }));
  const rack = { socket: layout.rackSocket(name), bootMs: RACK_LIMITS.bootMs, afterMains: 'off', boxes: wired } as const;
  writeFileSync(file, rackFileText(rack), { mode: 0o600 });
}

function logOf(layout: GridLayout, box: string): string {
  return join(layout.logs, `${box}.log`);
}

function agentOf(layout: GridLayout, box: string, tail: LogTail): GridAgent {
  return {
    get processId() {
      return runningProcess(layout.processId(box), layout.box(box));
    },
    waitForLine: (words, waitMs) => tail.waitForLine(words, waitMs),
  };
}
