/**
 * A chain that is kept on this machine: anvil, started again when it dies, with what it held some seconds before. Its state is stored here and not by
 * anvil, in a file that is whole at every moment. Its coin is of this machine, and is given to whoever needs it.
 */
import { existsSync, mkdirSync } from 'node:fs';
import { createServer } from 'node:net';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { promisify } from 'node:util';
import { gunzip } from 'node:zlib';
import { bytesIn, readQuantity } from '../../device/layer1/answers.ts';
import { quantity } from '../../device/layer1/endpoints.ts';
import { JsonRpc } from '../../device/layer1/json-rpc.ts';
import { freePorts } from '../../device/mqtt/ports.ts';
import { writeWholeFile } from '../../device/mqtt/whole-file.ts';
import { supervise, type Supervisor } from '../grid/supervisor.ts';
import { anvilProgram, keptAnvilArguments } from './anvil.ts';

export interface KeptChainRequest {
  readonly chainId: number;
  readonly hardfork: string;
  /** Gets the state. */
  readonly folder: string;
  readonly logFile: string;
  readonly processIdFile: string;
  /** Taken again where it is free. */
  readonly portBefore?: number;
  readonly onEnd: (name: string, how: string) => void;
  /** Something goes wrong here that ends nothing; a sentence. */
  readonly onNotice: (words: string) => void;
}

export interface KeptChain {
  readonly chainId: number;
  readonly url: string;
  readonly supervisor: Supervisor;
  /** Makes a block at once. */
  mine(): Promise<void>;
  /** Gives the account coin until it has `wei`. */
  fund(address: Uint8Array, wei: bigint): Promise<void>;
  /** What has happened until now outlives anvil. */
  save(): Promise<void>;
  stop(): Promise<void>;
}

const START_MS = 20_000; // it takes 0.2 s; a loaded machine loads a state for longer
const ASK_EVERY_MS = 50;
const SAVE_EVERY_MS = 3_000;
/** Of the time that a state takes to be stored: a chain of many days is stored less often. */
const SAVE_PAUSE_TIMES = 20;
const ANSWER_MS = 60_000;
const STATE_BYTES_MAX = 1024 * 1024 * 1024; // as text; weeks of a grid

/** @throws Error in a sentence where it does not come up */
export async function keepChain(request: KeptChainRequest): Promise<KeptChain> {
  const { chainId, hardfork, folder, onNotice } = request;
  mkdirSync(folder, { recursive: true, mode: 0o700 });
  const file = join(folder, `chain-${chainId}.json`);
  const port = await portFor(request.portBefore);
  const supervisor = supervise({
    name: `chain ${chainId}`,
    program: anvilProgram(),
    arguments: () => keptAnvilArguments({ port, chainId, hardfork, stateFile: existsSync(file) ? file : undefined }),
    logFile: request.logFile,
    processIdFile: request.processIdFile,
    onEnd: request.onEnd,
  });
  const url = `http://127.0.0.1:${port}`;
  const rpc = new JsonRpc(url, ANSWER_MS, STATE_BYTES_MAX);
  const ask = async (method: string, ...params: unknown[]): Promise<unknown> => {
    const answer = await rpc.ask(method, params);
    if (answer.status === 'answered') return answer.value;
    throw new Error(`chain ${chainId} does not do ${method}: ${answer.status === 'refused' ? answer.words : answer.why}`);
  };
  const dump = async (): Promise<Uint8Array | undefined> => {
    const answer = await rpc.ask('anvil_dumpState', []);
    return answer.status === 'answered' ? bytesIn(answer.value) : undefined;
  };
  const keeping = keepSaved(file, dump, onNotice);
  const stop = async (): Promise<void> => {
    await keeping.stop();
    await supervisor.stop();
    rpc.close();
  };
  await untilAnswering(supervisor, () => rpc.ask('eth_chainId', [])).catch(async (error: unknown) => {
    await stop();
    throw error;
  });
  keeping.start();
  return {
    ...{ chainId, url, supervisor, save: keeping.save, stop },
    mine: async () => {
      await ask('evm_mine');
    },
    fund: async (address, wei) => {
      const account = `0x${address.toHex()}`;
      if ((readQuantity(await ask('eth_getBalance', account, 'latest')) ?? 0n) < wei) await ask('anvil_setBalance', account, quantity(wei));
    },
  };
}

interface Keeping {
  start(): void;
  readonly save: () => Promise<void>;
  /** The last state is stored. */
  stop(): Promise<void>;
}

/** One save after the other. @param dump gives the state, gzipped; nothing while anvil is away */
function keepSaved(file: string, dump: () => Promise<Uint8Array | undefined>, onNotice: (words: string) => void): Keeping {
  let begun = false;
  let timer: NodeJS.Timeout | undefined;
  let work: Promise<void> = Promise.resolve();
  let noticed = false;
  const store = async (): Promise<void> => {
    const state = await dump();
    if (!state) return;
    writeWholeFile(file, await promisify(gunzip)(state), 0o600);
    noticed = false;
  };
  const save = (): Promise<void> => {
    const saved = work.then(store);
    work = saved.catch((error: unknown) => {
      if (!noticed) onNotice(`the state of layer 1 is not stored: ${error instanceof Error ? error.message : String(error)}`);
      noticed = true;
    });
    return saved;
  };
  const again = async (): Promise<void> => {
    const startedAt = performance.now();
    await save().catch(() => undefined);
    const pauseMs = Math.max(SAVE_EVERY_MS, SAVE_PAUSE_TIMES * (performance.now() - startedAt));
    if (begun) timer = setTimeout(() => void again(), pauseMs);
  };
  return {
    save,
    start: () => {
      begun = true;
      timer = setTimeout(() => void again(), SAVE_EVERY_MS);
    },
    stop: async () => {
      clearTimeout(timer);
      if (begun) await save().catch(() => undefined);
      begun = false;
    },
  };
}

/** @throws Error with its last words where it does not answer in time */
async function untilAnswering(supervisor: Supervisor, ask: () => Promise<{ readonly status: string }>): Promise<void> {
  const untilMs = performance.now() + START_MS;
  while ((await ask()).status !== 'answered') {
    if (performance.now() > untilMs) await supervisor.waitForLine('Listening on', 0); // it is told to be quiet
    await sleep(ASK_EVERY_MS);
  }
}

/** The port that it had, where nobody else has it by now. */
async function portFor(before: number | undefined): Promise<number> {
  if (before !== undefined && (await isFree(before))) return before;
  const [port = 0] = await freePorts(1);
  return port;
}

function isFree(port: number): Promise<boolean> {
  return new Promise((resolve) => {
    const server = createServer();
    server.once('error', () => resolve(false));
    server.listen(port, '127.0.0.1', () => server.close(() => resolve(true)));
  });
}
