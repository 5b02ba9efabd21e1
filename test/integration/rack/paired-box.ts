/** A box that is paired with a real broker, without the pairing: its state folder, and the hellos that come. */
import { generateKeyPairSync } from 'node:crypto';
import { mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { Hello } from '#protocol/box-messages.ts';
import { decodeBulk } from '#protocol/codec.ts';
import { hex } from '#protocol/digest.ts';
import { LIMITS } from '#protocol/limits.ts';
import { encodeNetwork, networkId, networkLabel, nodeIdOf, type Network } from '#protocol/network.ts';
import { topicFilter } from '#protocol/topics.ts';
import { openAuthority } from '../../../device/mqtt/authority.ts';
import { connect } from '../../../device/mqtt/connection.ts';
import { startDeviceBroker } from '../../../device/mqtt/device-broker.ts';
import { claimPorts } from '../../../device/mqtt/ports.ts';
import { HOLDER_FILES } from '../../../hpc-agent/holder-files.ts';

export interface PairedBox {
  readonly state: string;
  /** How many hellos the broker has taken from it. */
  hellos(): number;
  stop(): Promise<void>;
}

export async function pairedBox(folder: string): Promise<PairedBox> {
  const network = networkOf('alpha');
  const authority = openAuthority({ folder: join(folder, 'authority'), device: 'alpha', hosts: [] });
  const ports = await claimPorts(join(folder, 'ports'));
  const where = { folder: join(folder, 'broker'), network: networkLabel(network), device: 'alpha', authority, ports, address: '127.0.0.1' };
  const broker = await startDeviceBroker(
    { ...where, onEvent: () => undefined },
    { peerAuthorities: [], revokedClients: [], revokedBoxes: [] },
  );
  const state = join(folder, 'box');
  leaveFiles(state, network, ports.boxes, authority);
  const device = connect({ socket: broker.socket });
  let hellos = 0;
  await device.subscribe(topicFilter(networkLabel(network), 'alpha', 'hpc', 'box-1', 'up', '+'), ({ topic, payload }) => {
    if (topic.endsWith('/hello') && decodeBulk(Hello, payload, LIMITS.packetBytesMax).status === 'decoded') hellos += 1;
  });
  return {
    state,
    hellos: () => hellos,
    stop: async () => {
      await device.close();
      await broker.stop();
    },
  };
}

function leaveFiles(state: string, network: Network, port: number, authority: ReturnType<typeof openAuthority>): void {
  mkdirSync(state, { mode: 0o700 });
  const key = generateKeyPairSync('ec', { namedCurve: 'P-256' });
  const publicKey = Uint8Array.from(key.publicKey.export({ format: 'der', type: 'spki' }));
  const pem = (der: Uint8Array): string => `-----BEGIN CERTIFICATE-----\n${der.toBase64()}\n-----END CERTIFICATE-----\n`;
  const files: Partial<Record<keyof typeof HOLDER_FILES, string | Uint8Array>> = {
    key: key.privateKey.export({ format: 'pem', type: 'pkcs8' }),
    signingKey: generateKeyPairSync('ed25519').privateKey.export({ format: 'pem', type: 'pkcs8' }),
    certificate: pem(authority.certify('box', 'box-1', publicKey).certificate),
    authority: pem(authority.root('device')),
    network: encodeNetwork(network),
    connection: JSON.stringify({ url: `mqtts://127.0.0.1:${port}`, device: 'alpha', network: hex(networkId(network)), box: 'box-1' }),
  };
  for (const [file, content] of Object.entries(files))
    writeFileSync(join(state, HOLDER_FILES[file as keyof typeof HOLDER_FILES]), content, { mode: 0o600 });
}

/** A network file that fits itself; nobody judges evidence by it here. */
function networkOf(device: string): Network {
  const bytes = Uint8Array.of(1);
  const keys = { endorsementKey: bytes, attestationKey: bytes, vrfKey: bytes, endorsementCertificate: bytes, peersAuthority: bytes };
  const member = { name: device, peersUrl: 'mqtts://localhost:1', endorsementIntermediates: [], ...keys };
  const genesis = {
    version: 1 as const,
    name: 'test',
    salt: new Uint8Array(16),
    members: [nodeIdOf(bytes)],
    endorsementAuthorities: [{ certificate: bytes, softwareTpm: true }],
    credentialsMin: 1,
    consensus: { targetIntervalMs: 1_000, minimumWaitMs: 100, epochHeights: 1_000 },
  };
  return { genesis, members: [member], references: [] };
}
