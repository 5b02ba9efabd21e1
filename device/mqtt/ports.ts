/** The ports of a device's broker: chosen once and remembered, so that what people have noted down keeps working. */
import { closeSync, existsSync, mkdirSync, openSync, readdirSync, readFileSync, rmSync, statSync } from 'node:fs';
import { createServer, type Server } from 'node:net';
import { tmpdir, userInfo } from 'node:os';
import { dirname, join } from 'node:path';
import { decodeJson, encodeJson } from '#protocol/codec.ts';
import { integer, struct } from '#protocol/schema.ts';
import { MQTT_LIMITS } from '../limits.ts';
import type { Ports } from './broker-configuration.ts';
import { writeWholeFile } from './whole-file.ts';

/** A wish of 0 means any free port, the same at every start. */
export const ANY_PORTS: Ports = { clients: 0, boxes: 0, peers: 0, pairing: 0 };

/** The ports to use: those wished for, else those in `file`, else free ones, which are written into it. */
export async function claimPorts(file: string, wished: Ports = ANY_PORTS): Promise<Ports> {
  const remembered = existsSync(file) ? readRemembered(file) : ANY_PORTS;
  const names = ['clients', 'boxes', 'peers', 'pairing'] as const;
  const free = await freePorts(names.filter((name) => !wished[name] && !remembered[name]).length);
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

/** Held together until all are known, so that no two are the same; and reserved, until their broker listens, among the devices of a machine. */
export async function freePorts(count: number): Promise<number[]> {
  const servers: Server[] = [];
  const ports: number[] = [];
  while (ports.length < count) {
    const server = await listenAnywhere();
    servers.push(server);
    const address = server.address();
    if (typeof address === 'object' && address !== null && isReserved(address.port)) ports.push(address.port);
  }
  await Promise.all(servers.map((server) => new Promise((closed) => server.close(closed))));
  return ports;
}

/** Whether this process has the port now: the first that makes its file does, for as long as a founding takes. */
function isReserved(port: number): boolean {
  const folder = join(tmpdir(), `capstan-ports-${userInfo().uid}`);
  mkdirSync(folder, { recursive: true, mode: 0o700 });
  for (const name of readdirSync(folder)) {
    const file = join(folder, name);
    const made = statSync(file, { throwIfNoEntry: false });
    if (made && Date.now() - made.mtimeMs > MQTT_LIMITS.portReservedMs) rmSync(file, { force: true });
  }
  try {
    closeSync(openSync(join(folder, String(port)), 'wx', 0o600));
    return true;
  } catch (error) {
    if (error instanceof Error && 'code' in error && error.code === 'EEXIST') return false;
    throw error;
  }
}

function listenAnywhere(): Promise<Server> {
  return new Promise((resolve, reject) => {
    const server = createServer();
    server.once('error', reject).listen(0, () => resolve(server));
  });
}
