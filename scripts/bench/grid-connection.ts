/** A connection to a device of the bench grid as the client that the grid has paired. Specification §5.3. */
import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import type { Connection } from '#protocol/mqtt-port.ts';
import { networkLabel } from '#protocol/network.ts';
import { decodeBulk, decodeJson } from '#protocol/codec.ts';
import { LIMITS } from '#protocol/limits.ts';
import { DeviceStatus } from '#protocol/status.ts';
import { topicOf } from '#protocol/topics.ts';
import { connect } from '../../device/mqtt/connection.ts';
import { ClientConnectionFile, HOLDER_FILES } from '../../hpc-agent/holder-files.ts';
import { type Grid } from '../grid/grid.ts';
import { GRID_CLIENT } from '../grid/layout.ts';

const connectMaxMs = 10_000;

export interface GridConnection {
  readonly url: string;
  readonly connection: Connection;
}

/** @param waitMs for the connection */
export async function connectToGrid(grid: Grid, waitMs = connectMaxMs): Promise<GridConnection> {
  const { device, name } = GRID_CLIENT;
  const folder = grid.layout.client(device, name);
  const pem = (file: 'authority' | 'certificate' | 'key'): Promise<string> => readFile(join(folder, HOLDER_FILES[file]), 'utf8');
  const url = await clientUrl(grid);
  const connection = connect({
    url,
    server: device,
    authority: await pem('authority'),
    certificate: await pem('certificate'),
    key: await pem('key'),
  });
  try {
    await connection.connected(waitMs);
  } catch (error) {
    await connection.close();
    throw error;
  }
  return { url, connection };
}

/** `mqtts://host:port` of the device's listener for clients. */
export async function clientUrl(grid: Grid): Promise<string> {
  const { device, name } = GRID_CLIENT;
  const file = join(grid.layout.client(device, name), HOLDER_FILES.connection);
  const decoded = decodeJson(ClientConnectionFile, await readFile(file), LIMITS.signedBytesMax);
  if (decoded.status === 'malformed') throw new Error(`${file}: ${decoded.detail}`);
  return decoded.value.url;
}

export type OnlineStatus = Extract<DeviceStatus, { status: 'online' }>;

/** The first retained birth of the grid's first device that fits. @throws Error after `waitMs` */
export async function birthOn(
  connection: Connection,
  grid: Grid,
  fits: (status: OnlineStatus) => boolean,
  waitMs: number,
): Promise<OnlineStatus> {
  const topic = topicOf(networkLabel(grid.network), { to: 'status', device: GRID_CLIENT.device });
  const born = Promise.withResolvers<OnlineStatus>();
  const timer = setTimeout(
    () => born.reject(new Error(`device ${GRID_CLIENT.device} showed no fitting status within ${waitMs / 1_000} s`)),
    waitMs,
  );
  await connection.subscribe(topic, ({ payload }) => {
    const decoded = decodeBulk(DeviceStatus, payload, LIMITS.packetBytesMax);
    if (decoded.status === 'decoded' && decoded.value.status === 'online' && fits(decoded.value)) born.resolve(decoded.value);
  });
  return born.promise.finally(() => clearTimeout(timer));
}
