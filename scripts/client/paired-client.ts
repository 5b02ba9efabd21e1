/** A client from the folder that pairing has left: `key.pem`, `certificate.pem`, `ca.pem`, `connection.json`. Specification §5.3. */
import { readFile } from 'node:fs/promises';
import { join } from 'node:path';

import { decodeJson } from '#protocol/codec.ts';
import type { Connection } from '#protocol/mqtt-port.ts';
import type { Network } from '#protocol/network.ts';
import { connect, type BrokerAddress } from '../../device/mqtt/connection.ts';
import { ClientConnectionFile, HOLDER_FILE_BYTES_MAX, HOLDER_FILES } from '../../hpc-agent/holder-files.ts';
import { connectClient, type Client } from './client.ts';
import { ClientFailure } from './failure.ts';

/** @throws ClientFailure `not-paired`, `not-connected` */
export async function openClient(
  folder: string,
  options: { readonly network?: Network; readonly warn?: (sentence: string) => void } = {},
): Promise<Client> {
  const { url, device, client, network } = await readConnection(folder);
  const [key, certificate, authority] = await Promise.all(
    [HOLDER_FILES.key, HOLDER_FILES.certificate, HOLDER_FILES.authority].map((name) => readSmall(join(folder, name))),
  );
  if (!key || !certificate || !authority) throw new ClientFailure('not-paired', `${folder} is incomplete; pair again with npm run pair`);
  const connection = connectWith(folder, { url, authority, server: device, key, certificate });
  const { network: networkFile, warn } = options;
  try {
    return await connectClient({
      connection,
      address: url,
      device,
      client,
      network,
      ...(networkFile ? { networkFile } : {}),
      ...(warn ? { warn } : {}),
    });
  } catch (error) {
    await connection.close();
    throw error;
  }
}

/** The TLS library reads the certificates at once, and throws where they are none. */
function connectWith(folder: string, address: BrokerAddress): Connection {
  try {
    return connect(address);
  } catch (error) {
    throw new ClientFailure('not-paired', `the key or a certificate in ${folder} is damaged; pair again with npm run pair`, {
      cause: error,
    });
  }
}

async function readConnection(folder: string): Promise<ClientConnectionFile> {
  const path = join(folder, HOLDER_FILES.connection);
  const decoded = decodeJson(ClientConnectionFile, await readSmall(path), HOLDER_FILE_BYTES_MAX);
  if (decoded.status === 'malformed')
    throw new ClientFailure('not-paired', `${path} is damaged: ${decoded.detail}; pair again with npm run pair`);
  return decoded.value;
}

async function readSmall(path: string): Promise<Uint8Array> {
  const content = await readFile(path).catch((error: unknown) => {
    throw new ClientFailure('not-paired', `${path} can't be read; pair again with npm run pair`, { cause: error });
  });
  return Uint8Array.from(content.subarray(0, HOLDER_FILE_BYTES_MAX));
}
