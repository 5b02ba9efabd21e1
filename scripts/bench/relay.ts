/** A box that comes through another broker (specification §5.7) beside one that comes directly: round trips, and bytes a second. */
import { generateKeyPairSync, X509Certificate } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { userInfo } from 'node:os';
import { join } from 'node:path';
import { LIMITS } from '#protocol/limits.ts';
import type { Connection } from '#protocol/mqtt-port.ts';
import { topicOf } from '#protocol/topics.ts';
import { openAuthority, type Authority } from '../../device/mqtt/authority.ts';
import { startBroker } from '../../device/mqtt/broker.ts';
import { pemOf, publicKeyOf } from '../../device/mqtt/certificate.ts';
import { connect } from '../../device/mqtt/connection.ts';
import { startDeviceBroker } from '../../device/mqtt/device-broker.ts';
import { claimPorts } from '../../device/mqtt/ports.ts';
import { Relay } from '../../device/relay/relay.ts';
import { connect as connectAgent, type DeviceAddress, type OtherAddress } from '../../hpc-agent/mqtt.ts';
import { openRelayStream } from '../../hpc-agent/relay-stream.ts';
import type { Benchmark, Measured } from './benchmark.ts';
import { inTurns, median, type Rounds } from './rounds.ts';

export const relay: Benchmark = {
  name: 'relay',
  summary: 'a box through another broker beside one that comes directly: round trip of a word, and megabytes a second',
  metric: 'box through another broker',
  run: async ({ rounds, quick, folder }) => {
    const bench = await startBench(folder);
    try {
      const [words, pieces] = quick ? [20, 64] : [200, 512];
      const trip = (box: Box) => async (): Promise<number> => median(await gather(words, () => box.roundTripMs()));
      const flow = (box: Box) => (): Promise<number> => box.megabytesPerSecond(pieces);
      await flow(bench.through)();
      await flow(bench.direct)();
      return [
        row(
          'round trip of a box through another broker, p50',
          ' ms',
          'lower',
          await inTurns(rounds, trip(bench.through), trip(bench.direct)),
        ),
        row('outputs of a box through another broker', ' MB/s', 'higher', await inTurns(rounds, flow(bench.through), flow(bench.direct))),
      ];
    } finally {
      await bench.stop();
    }
  },
};

const NETWORK = '0011223344556677';
const DEVICE = 'bench';
const WAIT_MS = 20_000;

interface Box {
  roundTripMs(): Promise<number>;
  /** Of pieces of a blob, eight in flight as a fetch has them. */
  megabytesPerSecond(pieces: number): Promise<number>;
}

async function startBench(folder: string): Promise<{ direct: Box; through: Box; stop(): Promise<void> }> {
  const authority = openAuthority({ folder: join(folder, 'authority'), device: DEVICE, hosts: [] });
  const ports = await claimPorts(join(folder, 'ports.json'));
  const broker = await startDeviceBroker(
    {
      folder: join(folder, 'broker'),
      network: NETWORK,
      device: DEVICE,
      authority,
      ports,
      address: '127.0.0.1',
      relayed: true,
      onEvent: () => undefined,
    },
    { peerAuthorities: [], revokedClients: [], revokedBoxes: [] },
  );
  const other = await startOther(join(folder, 'other'));
  const carrier = new Relay({ other: other.address, name: DEVICE, host: '127.0.0.1', ports, log: () => undefined });
  const own = connect({ socket: broker.socket });
  const address = {
    url: `mqtts://127.0.0.1:${ports.boxes}`,
    authority: readFileSync(authority.rootFile('device'), 'utf8'),
    server: DEVICE,
  };
  const over = () => openRelayStream({ other: other.address, device: DEVICE }, 'boxes');
  const open: Connection[] = [own];
  const enter = async (name: string, way: Partial<DeviceAddress>): Promise<Box> => {
    const box = connectAgent({ ...address, ...credential(authority, name), ...way });
    open.push(box);
    await box.connected(WAIT_MS);
    return boxOn(box, own, name);
  };
  const stop = async (): Promise<void> => {
    await Promise.all(open.map((connection) => connection.close()));
    await carrier.stop();
    await other.stop();
    await broker.stop();
  };
  return { direct: await enter('direct', {}), through: await enter('through', { over }), stop };
}

async function boxOn(box: Connection, own: Connection, name: string): Promise<Box> {
  const place = { to: 'box', device: DEVICE, box: name } as const;
  const question = topicOf(NETWORK, { ...place, direction: 'up', kind: 'progress' });
  const answer = topicOf(NETWORK, { ...place, direction: 'down', kind: 'acknowledge' });
  const output = topicOf(NETWORK, { ...place, direction: 'up', kind: 'chunk' });
  let heard = (): void => undefined;
  let asked = 0;
  await own.subscribe(question, ({ payload }) => void own.publish(answer, payload));
  await box.subscribe(answer, ({ payload }) => (payload[0] === asked ? heard() : undefined));
  const piece = new Uint8Array(LIMITS.chunkBytesMax);
  return {
    roundTripMs: async () => {
      const startedAt = performance.now();
      const answered = new Promise<void>((resolve) => (heard = resolve));
      asked = (asked + 1) % 256;
      void box.publish(question, new Uint8Array(200).fill(asked));
      await answered;
      return performance.now() - startedAt;
    },
    megabytesPerSecond: async (pieces) => {
      const startedAt = performance.now();
      const lane = async (): Promise<void> => {
        for (let sent = 0; sent < pieces / LIMITS.chunksInFlightMax; sent += 1)
          if ((await box.publish(output, piece)) !== 'acknowledged') throw new Error(`${name} lost its broker`);
      };
      await Promise.all(Array.from({ length: LIMITS.chunksInFlightMax }, lane));
      return (pieces * piece.length) / 1_000 / (performance.now() - startedAt);
    },
  };
}

/** Mosquitto as a site has it, with what it does by default. */
async function startOther(folder: string): Promise<{ address: OtherAddress; stop(): Promise<void> }> {
  const authority = openAuthority({ folder: join(folder, 'authority'), device: 'other', hosts: [] });
  const { clients: port } = await claimPorts(join(folder, 'ports.json'));
  const [socket, { certificateFile, keyFile }] = [join(folder, 'own.sock'), authority.server];
  const configuration = [
    ...['per_listener_settings true', `user ${userInfo().username}`, `listener ${port} 127.0.0.1`, 'allow_anonymous true'],
    ...[`certfile ${certificateFile}`, `keyfile ${keyFile}`, 'tls_version tlsv1.3', `listener 0 ${socket}`, 'allow_anonymous true'],
  ];
  const files = new Map([['mosquitto.conf', `${configuration.join('\n')}\n`]]);
  const broker = await startBroker({ folder: join(folder, 'broker'), files, socket, connectionsMax: 64, onEvent: () => undefined });
  const fingerprint = new X509Certificate(readFileSync(certificateFile)).fingerprint256.replaceAll(':', '').toLowerCase();
  return { address: { url: `mqtts://127.0.0.1:${port}`, trust: { fingerprint } }, stop: () => broker.stop() };
}

function credential(authority: Authority, name: string): { certificate: string; key: string } {
  const { privateKey } = generateKeyPairSync('ec', { namedCurve: 'P-256' });
  const { certificate } = authority.certify('box', name, publicKeyOf(privateKey));
  return { certificate: pemOf('CERTIFICATE', certificate), key: privateKey.export({ format: 'pem', type: 'pkcs8' }) };
}

async function gather(count: number, measure: () => Promise<number>): Promise<number[]> {
  const samples: number[] = [];
  for (let index = 0; index < count; index += 1) samples.push(await measure());
  return samples;
}

function row(metric: string, unit: string, better: Measured['better'], { ours, floor }: Rounds): Measured {
  const note =
    'all on one machine; the other broker as Mosquitto is by default, where Nagle’s algorithm holds words up for 40 ms (set_tcp_nodelay)';
  return { status: 'measured', metric, unit, better, ours, floor: { name: 'the same box directly', samples: floor }, note };
}
