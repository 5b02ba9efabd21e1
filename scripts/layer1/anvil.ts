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
/** Of anvil's own mnemonic. */
const firstKey = Uint8Array.fromHex('ac0974bec39a17e36ba4a6b4d238ff944bacb478cbed5efcae784d7bf4f2ff80');

/** Whether anvil is installed on machines like this one. */
export function hasAnvil(): boolean {
  const name = packages[arch];
  return name !== undefined && existsSync(pathOf(name));
}

/** @throws Error with what it said when it does not start */
export async function startAnvil(request: AnvilRequest = {}): Promise<Anvil> {
  const name = packages[arch];
  if (name === undefined) throw new Error(`anvil is installed for ${Object.keys(packages).join(' and ')} only; this machine is ${arch}`);
  const child = spawn(pathOf(name), argumentsOf(request), { stdio: ['ignore', 'pipe', 'pipe'] });
  const port = await portOf(child);
  if (child.pid === undefined) throw new Error('anvil has no process id');
  return { url: `http://127.0.0.1:${port}`, port, processId: child.pid, key: firstKey, stop: () => stop(child) };
}

function argumentsOf({ hardfork = 'osaka', chainId = 31_337, port = 0, stateFile, blockTimeS, blocksOnDemand }: AnvilRequest): string[] {
  return [
    ...['--host', '127.0.0.1', '--port', String(port), '--chain-id', String(chainId), '--hardfork', hardfork, '--slots-in-an-epoch', '1'],
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
      if (port !== undefined) resolve(Number(port));
    };
    createInterface(stdout).on('line', take);
    createInterface(stderr).on('line', take);
    child.once('error', reject);
    child.once('close', (code) => reject(new Error(`anvil ended with ${code ?? 'a signal'}:\n${said.slice(-5).join('\n')}`)));
    child.once('close', () => clearTimeout(late));
    stdout.once('close', () => clearTimeout(late));
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
