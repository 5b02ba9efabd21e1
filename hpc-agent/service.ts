/** The agent put together: blobs, runs and the box, over a connection and an executor that the caller brings. Specification §6. */
import os from 'node:os';
import path from 'node:path';
import { setTimeout as wait } from 'node:timers/promises';
import type { Crypto } from '#protocol/crypto.ts';
import type { Connection } from '#protocol/mqtt-port.ts';
import { BlobFetcher } from './blob-fetcher.ts';
import { BlobStore } from './blobs.ts';
import { Box, type BoxParts } from './box.ts';
import type { Executor } from './executor.ts';
import type { BoxIdentity } from './identity.ts';
import { blobCacheBytesMax, runsAtOnceMax, stopMs } from './limits.ts';
import type { Log } from './log.ts';
import { Orders, type OrdersParts } from './orders.ts';
import { RunFolders } from './run-record.ts';
import { Runs } from './runs.ts';
import type { SoftwareSource } from './software-state.ts';
import { BoxVoice } from './voice.ts';

export interface ServiceParts {
  readonly stateFolder: string;
  readonly identity: BoxIdentity;
  /** Not yet connected, or the first hello would be missed. */
  readonly connection: Connection;
  readonly executor: Executor;
  readonly software: SoftwareSource;
  readonly tpm?: BoxParts['tpm'];
  readonly crypto: Crypto;
  readonly log: Log;
  readonly nowMs: () => number;
  /** Default: half of the processors. */
  readonly places?: number;
  readonly judgeEvidence?: OrdersParts['judgeEvidence'];
}

export interface Service {
  /** Ends all runs, reports them and says no more. The connection stays open for what is still on its way. */
  stop(): Promise<void>;
  /** Ends at once and leaves the state folder as it is, as if the process had been killed. */
  abandon(): void;
}

export async function startService(parts: ServiceParts): Promise<Service> {
  const { identity, connection, executor, log, nowMs, stateFolder } = parts;
  const voice = new BoxVoice(identity, connection, log);
  const store = await BlobStore.open({ folder: path.join(stateFolder, 'blobs'), cacheBytesMax: blobCacheBytesMax, nowMs });
  const fetcher = new BlobFetcher({ store, ask: (need) => void voice.need(need), nowMs, log });
  const folders = await RunFolders.open(path.join(stateFolder, 'runs'));
  const machine = { processors: os.availableParallelism(), memoryBytes: os.totalmem(), uptimeS: () => Math.floor(os.uptime()) };
  const places = parts.places ?? runsAtOnceMax(machine.processors);
  const runs = new Runs({ identity, folders, store, fetcher, executor, voice, places, log, nowMs });
  await runs.restore();
  const orders = new Orders({ identity, crypto: parts.crypto, ...(parts.judgeEvidence ? { judgeEvidence: parts.judgeEvidence } : {}) });
  const box = new Box({
    identity,
    connection,
    voice,
    orders,
    runs,
    store,
    fetcher,
    software: parts.software,
    tpm: parts.tpm,
    machine,
    nowMs,
    log,
  });
  box.attach();
  return {
    stop: () => stopService(box, runs, fetcher),
    abandon: () => {
      abandonService(box, runs, fetcher);
    },
  };
}

async function stopService(box: Box, runs: Runs, fetcher: BlobFetcher): Promise<void> {
  await Promise.race([runs.stop(), wait(stopMs, undefined, { ref: false })]);
  abandonService(box, runs, fetcher);
}

function abandonService(box: Box, runs: Runs, fetcher: BlobFetcher): void {
  box.detach();
  runs.close();
  fetcher.close();
}
