/**
 * anvil, a chain of the EVM on this machine: the owner of the program. It listens on the loopback address alone, keeps its state in a file, and is
 * stopped by its process id. As for forge, the package of this machine's binary is started without a wrapper, so that a signal reaches it.
 */
import { spawn, type ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { existsSync } from 'node:fs';
import { arch } from 'node:process';
import { createInterface } from 'node:readline';
import { fileURLToPath } from 'node:url';

export interface AnvilRequest {
  /** `osaka` by default; the oldest is `shanghai`. */
  readonly hardfork?: string;
  readonly chainId?: number;
  /** Any free one by default. */
  readonly port?: number;
  /** Loaded at the start and stored at the end, and once a second: a killed one loses no more. */
  readonly stateFile?: string;
  /** Seconds between blocks; without it each transaction makes a block. */
  readonly blockTimeS?: number;
  /** Blocks come only when they are asked for. */
  readonly blocksOnDemand?: boolean;
}

export interface Anvil {
  readonly url: string;
  readonly port: number;
  readonly processId: number;
  /** Of the first account, which holds 10,000 ether of the chain: a test key that everybody knows. */
  readonly key: Uint8Array;
  /** Resolves when it has ended and its state is stored. */
  stop(): Promise<void>;
}

const packages: Readonly<Record<string, string>> = { x64: 'anvil-linux-amd64' };
const startMs = 30_000; // it takes 0.3 s; a loaded machine loads a state for longer
const stopMs = 10_000;
/** Of anvil's own mnemonic: its first account, on each chain that it makes. Everybody knows it. */
export const ANVIL_KEY = Uint8Array.fromHex('ac0974bec39a17e36ba4a6b4d238ff944bacb478cbed5efcae784d7bf4f2ff80');

/** Why there is no anvil here, in a sentence; undefined where there is. */
export function lackOfAnvil(): string | undefined {
  const name = packages[arch];
  if (name === undefined) return `anvil is made for ${Object.keys(packages).join(' and ')} alone, and this machine is ${arch}`;
  return existsSync(pathOf(name)) ? undefined : 'anvil is not installed; npm ci --include=optional brings it';
}

export function hasAnvil(): boolean {
  return lackOfAnvil() === undefined;
}

export interface KeptAnvil {
  readonly port: number;
  readonly chainId: number;
  readonly hardfork: string;
  /** From an earlier life of this chain. */
  readonly stateFile: string | undefined;
}

const KEPT_BLOCK_S = 2;
/** A block is called final after 8 s: whoever stores the state more often than that undoes nothing that was final. */
const KEPT_FINAL_BLOCKS = 4;

/**
 * What a supervisor starts for a chain that runs for days. Anvil's own way to store it writes over the file that it has, so a death in the middle
 * would be the end of the chain; and it keeps every old state, in memory or in the home folder: here the newest few are enough.
 */
export function keptAnvilArguments({ port, chainId, hardfork, stateFile }: KeptAnvil): string[] {
  return [
    ...argumentsOf({ port, chainId, hardfork, blockTimeS: KEPT_BLOCK_S }),
    ...['--slots-in-an-epoch', String(KEPT_FINAL_BLOCKS / 2), '--prune-history', '64', '--threads', '1', '--quiet'],
    ...(stateFile === undefined ? [] : ['--load-state', stateFile]),
  ];
}

/** Where its binary is. @throws Error in a sentence where there is none for this machine */
export function anvilProgram(): string {
  const lack = lackOfAnvil();
  if (lack !== undefined) throw new Error(lack);
  return pathOf(packages[arch] ?? '');
}

/** @throws Error with what it said when it does not start */
export async function startAnvil(request: AnvilRequest = {}): Promise<Anvil> {
  const child = spawn(anvilProgram(), [...argumentsOf(request), '--slots-in-an-epoch', '1'], { stdio: ['ignore', 'pipe', 'pipe'] });
  const port = await portOf(child);
  if (child.pid === undefined) throw new Error('anvil has no process id');
  return { url: `http://127.0.0.1:${port}`, port, processId: child.pid, key: ANVIL_KEY, stop: () => stop(child) };
}

function argumentsOf({ hardfork = 'osaka', chainId = 31_337, port = 0, stateFile, blockTimeS, blocksOnDemand }: AnvilRequest): string[] {
  return [
    ...['--host', '127.0.0.1', '--port', String(port), '--chain-id', String(chainId), '--hardfork', hardfork],
    ...(stateFile === undefined ? [] : ['--state', stateFile, '--state-interval', '1', '--preserve-historical-states']),
    ...(blockTimeS === undefined ? [] : ['--block-time', String(blockTimeS)]),
    ...(blocksOnDemand ? ['--no-mining'] : []),
  ];
}

/** It says where it listens. */
async function portOf(child: ChildProcess): Promise<number> {
  const { stdout, stderr } = child;
  if (!stdout || !stderr) throw new Error('anvil has no output');
  const said: string[] = [];
  const listening = new Promise<number>((resolve, reject) => {
    const late = setTimeout(() => {
      child.kill('SIGKILL');
      reject(new Error(`anvil does not listen after ${startMs} ms`));
    }, startMs);
    const take = (line: string): void => {
      if (said.length < 100) said.push(line);
      const port = /^Listening on .*:(\d+)/.exec(line)?.[1];
      if (port === undefined) return;
      clearTimeout(late);
      resolve(Number(port));
    };
    createInterface(stdout).on('line', take);
    createInterface(stderr).on('line', take);
    child.once('error', reject);
    child.once('close', (code) => reject(new Error(`anvil ended with ${code ?? 'a signal'}:\n${said.slice(-5).join('\n')}`)));
    child.once('close', () => clearTimeout(late));
  });
  return listening;
}

/** SIGINT stores the state. */
async function stop(child: ChildProcess): Promise<void> {
  if (child.exitCode !== null || child.signalCode !== null) return;
  const ended = once(child, 'close');
  child.kill('SIGINT');
  const late = setTimeout(() => child.kill('SIGKILL'), stopMs);
  await ended;
  clearTimeout(late);
}

function pathOf(name: string): string {
  return fileURLToPath(new URL(`../../node_modules/@foundry-rs/${name}/bin/anvil`, import.meta.url));
}
