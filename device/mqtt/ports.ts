/** The ports of a device's broker: chosen once and remembered, so that what people have noted down keeps working. */
import { existsSync, mkdirSync, readFileSync } from 'node:fs';
import { createServer } from 'node:net';
import { dirname } from 'node:path';
import { decodeJson, encodeJson } from '#protocol/codec.ts';
import { integer, struct } from '#protocol/schema.ts';
import type { Ports } from './broker-configuration.ts';
import { writeWholeFile } from './whole-file.ts';

/** A wish of 0 means any free port, the same at every start. */
export const ANY_PORTS: Ports = { clients: 0, boxes: 0, peers: 0, pairing: 0 };

/** The ports to use: those wished for, else those in `file`, else free ones, which are written into it. */
export async function claimPorts(file: string, wished: Ports = ANY_PORTS): Promise<Ports> {
  const remembered = existsSync(file) ? readRemembered(file) : ANY_PORTS;
  const free = await freePorts(4);
  const choose = (name: keyof Ports): number => wished[name] || remembered[name] || (free.pop() ?? 0);
  const ports = { clients: choose('clients'), boxes: choose('boxes'), peers: choose('peers'), pairing: choose('pairing') };
  mkdirSync(dirname(file), { recursive: true, mode: 0o700 });
  writeWholeFile(file, encodeJson(RememberedPorts, ports), 0o600);
  return ports;
}

const Port = integer({ min: 0, max: 65_535 });
const RememberedPorts = struct({ clients: Port, boxes: Port, peers: Port, pairing: Port });

function readRemembered(file: string): Ports {
  const decoded = decodeJson(RememberedPorts, readFileSync(file), 4_096);
  if (decoded.status === 'malformed')
    throw new Error(`${file} doesn't hold the ports of a broker: ${decoded.detail}; delete it to have new ones chosen`);
  return decoded.value;
}

/** Held together until all are known, so that no two are the same. */
async function freePorts(count: number): Promise<number[]> {
  const servers = await Promise.all(Array.from({ length: count }, listenAnywhere));
  const ports = servers.map((server) => {
    const address = server.address();
    return typeof address === 'object' && address !== null ? address.port : 0;
  });
  await Promise.all(servers.map((server) => new Promise((closed) => server.close(closed))));
  return ports;
}

function listenAnywhere(): Promise<ReturnType<typeof createServer>> {
  return new Promise((resolve, reject) => {
    const server = createServer();
    server.once('error', reject).listen(0, () => resolve(server));
  });
}
