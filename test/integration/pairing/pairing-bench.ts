/** A device as far as pairing needs one: state folder, network file, broker, and the pairing service beside it. */
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { encodeNetwork, networkLabel, nodeIdOf, type Member, type Network } from '#protocol/network.ts';
import { writeConfiguration } from '../../../device/configuration.ts';
import { openAuthority } from '../../../device/mqtt/authority.ts';
import { startDeviceBroker } from '../../../device/mqtt/device-broker.ts';
import { claimPorts } from '../../../device/mqtt/ports.ts';
import { PairedNames } from '../../../device/pairing/paired-names.ts';
import { startPairing } from '../../../device/pairing/pairing-service.ts';

export interface PairingBench {
  /** Of `npm run pair`: the device's own is `devices/alpha` in it. */
  readonly state: string;
  readonly device: string;
  readonly network: Network;
  readonly log: { readonly event: string; readonly [field: string]: string | number | boolean }[];
  readonly boxes: () => readonly { readonly name: string; readonly signingKey: Uint8Array }[];
  stop(): Promise<void>;
}

export async function startPairingBench(): Promise<PairingBench> {
  const state = mkdtempSync(join(tmpdir(), 'capstan-pairing-'));
  const device = join(state, 'devices', 'alpha');
  mkdirSync(join(device, 'broker'), { recursive: true });
  const ports = await claimPorts(join(device, 'broker', 'ports.json'));
  const authority = openAuthority({ folder: join(device, 'authority'), device: 'alpha', hosts: [] });
  const network = networkOf(authority.root('device'), ports.peers);
  writeConfiguration(device, { name: 'alpha', tcti: 'none', board: 'simulated', address: '127.0.0.1', hosts: ['127.0.0.1'] });
  writeFileSync(join(device, 'network.cbor'), encodeNetwork(network));
  const log: { event: string; [field: string]: string | number | boolean }[] = [];
  const common = { device: 'alpha', authority, ports, address: '127.0.0.1' };
  const trust = new PairedNames(device).trust([]);
  const broker = await startDeviceBroker(
    { ...common, folder: join(device, 'broker'), network: networkLabel(network), onEvent: () => undefined },
    trust,
  );
  let boxes: readonly { name: string; signingKey: Uint8Array }[] = [];
  const pairing = await startPairing({
    ...common,
    stateFolder: device,
    network,
    members: () => network.members,
    host: '127.0.0.1',
    broker,
    log: (event, fields) => void log.push({ event, ...fields }),
    onClientPaired: (name) => void log.push({ event: 'clientPaired', name }),
    onBoxes: (now) => (boxes = now),
  });
  const stop = async (): Promise<void> => {
    await pairing.stop();
    await broker.stop();
    rmSync(state, { recursive: true, force: true });
  };
  return { state, device, network, log, boxes: () => boxes, stop };
}

/** A network file with one member, whose TPM structures are bytes: pairing carries them and doesn't look inside. */
function networkOf(authority: Uint8Array, port: number): Network {
  const endorsementKey = new Uint8Array(64).fill(7);
  const member: Member = {
    name: 'alpha',
    peersUrl: `mqtts://127.0.0.1:${port}`,
    peersAuthority: authority,
    endorsementCertificate: Uint8Array.of(1),
    endorsementIntermediates: [],
    endorsementKey,
    attestationKey: Uint8Array.of(2),
    vrfKey: Uint8Array.of(3),
  };
  const genesis = {
    version: 1,
    name: 'bench',
    salt: new Uint8Array(16),
    members: [nodeIdOf(endorsementKey)],
    endorsementAuthorities: [{ certificate: Uint8Array.of(1), softwareTpm: true }],
    credentialsMin: 1,
    consensus: { targetIntervalMs: 1_000, minimumWaitMs: 100, epochHeights: 1_000 },
  } as const;
  return {
    genesis: { ...genesis, members: [...genesis.members], endorsementAuthorities: [...genesis.endorsementAuthorities] },
    members: [member],
    references: [],
  };
}

export async function until(condition: () => boolean, what: string): Promise<void> {
  const giveUpAt = performance.now() + 5_000;
  while (!condition()) {
    if (performance.now() > giveUpAt) throw new Error(`waited in vain until ${what}`);
    await new Promise((resolve) => setTimeout(resolve, 5));
  }
}
