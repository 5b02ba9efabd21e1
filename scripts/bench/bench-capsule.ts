/** A capsule that is submitted and taken back before its file was asked for: it loads the device and no box. */
import { randomBytes } from 'node:crypto';
import { networkId } from '#protocol/network.ts';
import { manifestFrom, type Manifest } from '#protocol/manifest.ts';
import { createNodeCrypto } from '../../device/crypto-node.ts';
import { connectClient, type Client } from '../client/client.ts';
import { ClientFailure } from '../client/failure.ts';
import { type Grid } from '../grid/grid.ts';
import { GRID_CLIENT } from '../grid/layout.ts';
import { connectToGrid } from './grid-connection.ts';

/** As a user's program has it, with the network file, so that evidence and acceptances are checked; by Node's cryptography. */
export async function openGridClient(grid: Grid): Promise<Client> {
  const { url, connection } = await connectToGrid(grid);
  const { device, name } = GRID_CLIENT;
  const names = { device, client: name, network: networkId(grid.network) };
  return connectClient({
    ...names,
    connection,
    address: url,
    networkFile: grid.network,
    crypto: createNodeCrypto(),
    warn: () => undefined,
  });
}

/** Milliseconds until the signed acceptance of a new capsule is here and checked. */
export async function acceptanceMs(client: Client): Promise<number> {
  const manifest = newManifest();
  const startedAt = performance.now();
  const { capsule } = await client.submit({ manifest, blobs: [] });
  const passedMs = performance.now() - startedAt;
  await takeBack(client, capsule);
  return passedMs;
}

/** A request that is repeated because its answer is late meets a capsule that has ended already. */
async function takeBack(client: Client, capsule: string): Promise<void> {
  await client.cancel(capsule).catch((error: unknown) => {
    if (!(error instanceof ClientFailure) || error.code !== 'refused-already-ended') throw error;
  });
}

function newManifest(): Manifest {
  const file = { path: 'main.js', digest: new Uint8Array(randomBytes(32)), bytes: 1_000 };
  return manifestFrom({ capsule: 1, name: 'bench', runtime: 'node', entry: 'main.js' }, [file], Date.now());
}
