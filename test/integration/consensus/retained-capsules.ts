/** Capsules that a gateway has seen through to their final receipt, and what its broker retains of them. Specification §5.4. */
import { generateKeyPairSync } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { encodeStrict } from '#protocol/codec.ts';
import { FinalityNews } from '#protocol/finality-news.ts';
import { networkLabel, type Network } from '#protocol/network.ts';
import { topicFilter } from '#protocol/topics.ts';
import { readConfiguration } from '../../../device/configuration.ts';
import { openDeviceAuthority } from '../../../device/device.ts';
import { newOrder } from '../../../device/gateway/order.ts';
import { pemOf, publicKeyOf } from '../../../device/mqtt/certificate.ts';
import { connect } from '../../../device/mqtt/connection.ts';
import { claimPorts } from '../../../device/mqtt/ports.ts';
import { openStore } from '../../../device/store/store.ts';
import type { BenchDevice } from './device-bench.ts';

const client = 'ada';
const kinds = ['state', 'result', 'receipt', 'finality'] as const;

/** Puts them into the store of a device that does not run, with whatever stands for a receipt. @returns the topics that it is to retain */
export function addEndedCapsules({ state, name }: BenchDevice, network: Network, count: number): string[] {
  const ids = Array.from({ length: count }, (_, index) => index.toString(16).padStart(32, '0'));
  const store = openStore(join(state, 'device.sqlite'));
  const bytes = Uint8Array.of(1);
  for (const [index, capsule] of ids.entries()) {
    const times = { acceptedAtMs: Date.now() - 1_000 - index, wallMs: 1_000 };
    const order = newOrder({ capsule, client, ...times, lacking: [] });
    const request = new Uint8Array(16).fill(index);
    store.addCapsule(
      { capsule, client, name: 'ended', notation: 'cbor', request, manifest: bytes, acceptedAtMs: times.acceptedAtMs },
      order,
    );
    const finality = encodeStrict(FinalityNews, { finality: 'final', capsule, proof: bytes });
    store.saveOrder({ ...order, state: 'agreed', attempt: 1, receipt: 'final' }, { endedAtMs: Date.now(), receipt: bytes, finality });
  }
  store.close();
  const root = topicFilter(networkLabel(network), name, 'clients', client, 'capsules');
  return ids.flatMap((id) => kinds.map((kind) => `${root}/${id}/${kind}`)).sort();
}

/** What the broker has retained for the client: asked by new connections until it is `wanted`, or no more comes. */
export async function retainedBy(device: BenchDevice, network: Network, wanted: number): Promise<string[]> {
  const configuration = readConfiguration(device.state);
  const authority = openDeviceAuthority(device.state, configuration);
  const keys = generateKeyPairSync('ec', { namedCurve: 'P-256' });
  const { certificate } = authority.certify('client', client, publicKeyOf(keys.publicKey));
  const { clients } = await claimPorts(join(device.state, 'broker', 'ports.json'), configuration.ports);
  const address = {
    url: `mqtts://127.0.0.1:${clients}`,
    authority: readFileSync(authority.rootFile('device'), 'utf8'),
    server: device.name,
    certificate: pemOf('CERTIFICATE', certificate),
    key: keys.privateKey.export({ format: 'pem', type: 'pkcs8' }),
  };
  const filter = topicFilter(networkLabel(network), device.name, 'clients', client, 'capsules', '+', '+');
  let topics: string[] = [];
  for (let attempt = 0; attempt < 10 && topics.length < wanted; attempt += 1) {
    const connection = connect(address);
    const heard = new Set<string>();
    await connection.connected(5_000);
    await connection.subscribe(filter, ({ topic, retained }) => {
      if (retained) heard.add(topic);
    });
    await sleep(1_000);
    await connection.close();
    topics = [...heard].sort();
  }
  return topics;
}
