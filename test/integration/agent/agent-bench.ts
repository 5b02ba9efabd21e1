/** An agent on a state folder of its own, with an executor that does as it is told, and its device. */
import { mkdtempSync, rmSync } from 'node:fs';
import { readFile, writeFile } from 'node:fs/promises';
import os from 'node:os';
import path from 'node:path';
import type { SoftwareState } from '#protocol/box-messages.ts';
import { nobleCrypto } from '#protocol/crypto-noble.ts';
import { blobDigest } from '#protocol/digest.ts';
import type { Executor, Outcome, PreparedJob, RunEvents } from '../../../hpc-agent/executor.ts';
import { lineLog } from '../../../hpc-agent/log.ts';
import { startService, type Service } from '../../../hpc-agent/service.ts';
import { judgeShownKey, MemoryDevice } from './memory-device.ts';

export const software: SoftwareState = {
  agent: new Uint8Array(32),
  kernel: '6.1',
  commandLine: new Uint8Array(32),
  packages: new Uint8Array(32),
  bootId: 'boot',
  runtimes: [],
  isolation: ['none'],
};

export const usage = { wallMs: 12.5, cpuMs: 3, memoryBytesMax: 4096, processesMax: 1 };

/** What a told executor does in a run: writes files into `out`, speaks through `events`, ends as it returns. */
export type Play = (stage: {
  readonly job: PreparedJob;
  readonly out: Map<string, string>;
  readonly events: RunEvents;
  readonly stopped: Promise<undefined>;
  readonly readText: (path: string) => Promise<string>;
}) => Promise<Omit<Outcome, 'usage'>>;

export class ToldExecutor implements Executor {
  readonly name = 'sandbox';
  readonly started: string[] = [];
  /** Runs at one time, at most. */
  together = 0;
  play: Play = () => Promise.resolve({ status: 'exited', code: 0 });
  #running = 0;
  readonly #folder: string;

  constructor(folder: string) {
    this.#folder = folder;
  }

  async prepare(job: PreparedJob): ReturnType<Executor['prepare']> {
    for (const { source, digest, path: place } of job.files) {
      const content = await readFile(source);
      if (digest !== undefined && Buffer.compare(blobDigest(content), digest) !== 0)
        return { status: 'refused', reason: 'digest-mismatch', detail: `the content of ${place} is not what its digest says` };
    }
    const stopped = Promise.withResolvers<undefined>();
    const out = new Map<string, string>();
    const readText = async (place: string) => readFile(job.files.find((file) => file.path === place)?.source ?? '', 'utf8');
    return {
      status: 'prepared',
      workspace: {
        run: (events) => this.#run(() => this.play({ job, out, events, stopped: stopped.promise, readText }), job.id),
        stop: () => {
          stopped.resolve(undefined);
          return Promise.resolve();
        },
        outputs: async () => ({
          files: await Promise.all([...out].map(([name, text], index) => this.#output(job.id, index, name, text))),
          ignored: [],
        }),
        dispose: () => Promise.resolve(),
      },
    };
  }

  async #run(play: () => Promise<Omit<Outcome, 'usage'>>, run: string): Promise<Outcome> {
    this.started.push(run);
    this.#running += 1;
    this.together = Math.max(this.together, this.#running);
    const end = await play();
    this.#running -= 1;
    return { ...end, usage } as Outcome;
  }

  async #output(run: string, index: number, name: string, text: string) {
    const source = path.join(this.#folder, `out-${run}-${index}`);
    await writeFile(source, text);
    return { path: name, bytes: text.length, digest: blobDigest(new TextEncoder().encode(text)), source };
  }
}

export interface AgentBench {
  readonly folder: string;
  readonly device: MemoryDevice;
  readonly executor: ToldExecutor;
  readonly lines: string[];
  /** Starts an agent on `stateFolder` and connects it; the one before it must have been abandoned or stopped. */
  start(options?: StartOptions): Promise<Service>;
  close(): Promise<void>;
}

export interface StartOptions {
  readonly stateFolder?: string;
  readonly executor?: Executor;
  readonly places?: number;
  readonly nowMs?: () => number;
  readonly connected?: boolean;
}

export function openAgentBench(): AgentBench {
  const folder = mkdtempSync(path.join(os.tmpdir(), 'capstan-agent-'));
  const device = new MemoryDevice();
  const executor = new ToldExecutor(folder);
  const lines: string[] = [];
  const services: Service[] = [];
  return {
    folder,
    device,
    executor,
    lines,
    async start({ stateFolder = path.join(folder, 'state'), places = 2, nowMs = Date.now, connected = true, ...options } = {}) {
      const service = await startService({
        stateFolder,
        places,
        nowMs,
        identity: device.identity(),
        connection: device.plug(),
        executor: options.executor ?? executor,
        software: { read: () => Promise.resolve(software) },
        crypto: nobleCrypto,
        log: lineLog((line) => {
          lines.push(line);
        }, Date.now),
        judgeEvidence: judgeShownKey,
      });
      services.push(service);
      if (connected) device.connect();
      return service;
    },
    async close() {
      for (const service of services) service.abandon();
      await device.plug().close();
      await new Promise((resolve) => setTimeout(resolve, 50));
      rmSync(folder, { recursive: true, force: true });
    },
  };
}
