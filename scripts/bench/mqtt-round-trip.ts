/** The floor of whatever is asked of a device: a question and its answer through a broker configured as a device's. Specification §5.3. */
import { generateKeyPairSync, randomBytes } from 'node:crypto';
import { join } from 'node:path';
import { readFileSync } from 'node:fs';
import type { Connection } from '#protocol/mqtt-port.ts';
import { topicOf } from '#protocol/topics.ts';
import { openAuthority, type Authority } from '../../device/mqtt/authority.ts';
import { pemOf, publicKeyOf } from '../../device/mqtt/certificate.ts';
import { connect } from '../../device/mqtt/connection.ts';
import { startDeviceBroker } from '../../device/mqtt/device-broker.ts';
import { claimPorts } from '../../device/mqtt/ports.ts';

export interface EchoDevice {
  /** Milliseconds until the echo of `payload` is back. */
  roundTripMs(payload: Uint8Array): Promise<number>;
  stop(): Promise<void>;
}

const network = '0011223344556677';
const device = 'echo';
const client = 'bench';
const waitMs = 10_000;

/** A broker, a device that echoes over the broker's socket and a client over mutual TLS, which is how both really connect. */
export async function startEchoDevice(folder: string): Promise<EchoDevice> {
  const authority = openAuthority({ folder: join(folder, 'authority'), device, hosts: [] });
  const ports = await claimPorts(join(folder, 'ports.json'));
  const options = { folder: join(folder, 'broker'), network, device, authority, ports, address: '127.0.0.1', onEvent: () => undefined };
  const broker = await startDeviceBroker(options, { peerAuthorities: [], revokedClients: [], revokedBoxes: [] });
  const own = connect({ socket: broker.socket });
  const asking = connect({
    url: `mqtts://127.0.0.1:${ports.clients}`,
    authority: readFileSync(authority.rootFile('device'), 'utf8'),
    server: device,
    ...credential(authority),
  });
  await Promise.all([own.connected(waitMs), asking.connected(waitMs)]);
  const ask = await openEcho(own, asking);
  const stop = async (): Promise<void> => {
    await asking.close();
    await own.close();
    await broker.stop();
  };
  return { roundTripMs: ask, stop };
}

async function openEcho(own: Connection, asking: Connection): Promise<EchoDevice['roundTripMs']> {
  const question = topicOf(network, { to: 'client', device, client, kind: 'submit' });
  const answer = topicOf(network, { to: 'client', device, client, kind: 'answer' });
  const waiting = new Map<string, () => void>();
  await own.subscribe(
    question,
    ({ payload, correlationData }) => void own.publish(answer, payload, correlationData ? { correlationData } : {}),
  );
  await asking.subscribe(answer, ({ correlationData }) => waiting.get(correlationData?.toHex() ?? '')?.());
  return async (payload) => {
    const correlationData = new Uint8Array(randomBytes(16));
    const startedAt = performance.now();
    const answered = new Promise<void>((resolve) => waiting.set(correlationData.toHex(), resolve));
    void asking.publish(question, payload, { correlationData });
    await answered;
    waiting.delete(correlationData.toHex());
    return performance.now() - startedAt;
  };
}

function credential(authority: Authority): { certificate: string; key: string } {
  const { privateKey } = generateKeyPairSync('ec', { namedCurve: 'P-256' });
  const { certificate } = authority.certify('client', client, publicKeyOf(privateKey));
  return { certificate: pemOf('CERTIFICATE', certificate), key: privateKey.export({ format: 'pem', type: 'pkcs8' }) };
}
