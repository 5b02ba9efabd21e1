/** A grid of real parts for the end-to-end tests: four devices, four boxes, a client, in a temporary folder. */
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { execFile } from 'node:child_process';
import { fileURLToPath } from 'node:url';
import type { Client } from '../../scripts/client/client.ts';
import { openClient } from '../../scripts/client/paired-client.ts';
import { startGrid, type Grid } from '../../scripts/grid/grid.ts';
import type { GridChain } from '../../scripts/grid/layer1.ts';
import { GRID_CLIENT } from '../../scripts/grid/layout.ts';

const root = fileURLToPath(new URL('../..', import.meta.url));

export interface World {
  readonly state: string;
  readonly grid: Grid;
  /** Programs that ended though nobody stopped them. */
  readonly ends: string[];
  /** Runs `npm run NAME -- …` as a person would, without npm's own time. */
  run(name: 'box' | 'capsule' | 'chain' | 'layer1' | 'pair' | 'rack' | 'tpm' | 'trust', ...line: string[]): Promise<Ran>;
  /** The grid's client, connected until the world stops. */
  client(): Promise<Client>;
  stop(): Promise<void>;
}

export interface Ran {
  readonly status: number;
  readonly stdout: string;
  readonly stderr: string;
}

/** @param chains of layer 1, on this machine */
export async function openWorld(chains: readonly GridChain[] = []): Promise<World> {
  const state = await mkdtemp(join(tmpdir(), 'capstan-e2e-'));
  const ends: string[] = [];
  const grid = await startGrid({
    stateFolder: state,
    chains,
    onStep: () => undefined,
    onEnd: (name) => void ends.push(name),
    onNotice: () => undefined,
  });
  const clients: Client[] = [];
  return {
    state,
    grid,
    ends,
    run: (name, ...line) => ran(process.execPath, [join(root, 'scripts', `${name}.ts`), ...line, '--state', state]),
    client: async () => {
      const client = await openClient(clientFolder({ grid }), { network: grid.network });
      clients.push(client);
      return client;
    },
    stop: async () => {
      for (const client of clients) await client.close();
      await grid.stop();
      await rm(state, { recursive: true, force: true });
    },
  };
}

/** Runs a program to its end. */
export function ran(program: string, line: readonly string[], timeoutMs = 60_000): Promise<Ran> {
  return new Promise((resolve) => {
    execFile(program, [...line], { timeout: timeoutMs, cwd: root, maxBuffer: 16 * 1_048_576 }, (error, stdout, stderr) => {
      const status = error === null ? 0 : typeof error.code === 'number' ? error.code : -1;
      resolve({ status, stdout, stderr });
    });
  });
}

export function clientFolder({ grid }: Pick<World, 'grid'>): string {
  return grid.layout.client(GRID_CLIENT.device, GRID_CLIENT.name);
}
