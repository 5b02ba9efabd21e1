/** A device as far as pairing needs one: state folder, network file, broker, and the pairing service beside it. */
import assert from 'node:assert/strict';
import { randomBytes } from 'node:crypto';
import { mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { encodeStrict } from '#protocol/codec.ts';
import { decodeNetwork, encodeNetwork, networkLabel, nodeIdOf, type Member, type Network } from '#protocol/network.ts';
import { decodeAnswer, PairingCall, type PairingAnswer } from '#protocol/pairing.ts';
import { parseWindowAddress, type HolderKind, type WindowAddress } from '#protocol/pairing-code.ts';
import { proverSecretOf, proverShare, scalarOf } from '#protocol/spake2plus.ts';
import { pairingTopic } from '#protocol/topics.ts';
import { writeConfiguration } from '../../../device/configuration.ts';
import { openAuthority } from '../../../device/mqtt/authority.ts';
import { connect } from '../../../device/mqtt/connection.ts';
import { startDeviceBroker, type DeviceBroker, type DeviceBrokerOptions } from '../../../device/mqtt/device-broker.ts';
import { claimPorts } from '../../../device/mqtt/ports.ts';
import { AttemptCounter, type AskTpm } from '../../../device/pairing/attempt-counter.ts';
import { openWindow, type OwnWindow } from '../../../device/pairing/open-window.ts';
import { PairedNames } from '../../../device/pairing/paired-names.ts';
import { startPairing, type PairingServiceOptions } from '../../../device/pairing/pairing-service.ts';
import { startSoftwareTpm } from '../../../device/tpm/swtpm.ts';
import { openTpm } from '../../../device/tpm/tpm.ts';

type LogLine = { readonly event: string; readonly [field: string]: string | number | boolean };

export interface PairingDevice {
  readonly log: LogLine[];
  readonly boxes: () => readonly { readonly name: string; readonly signingKey: Uint8Array }[];
  readonly shown: readonly (readonly string[])[];
  readonly broker: DeviceBroker;
  readonly counter: () => Promise<AttemptCounter>;
  stop(): Promise<void>;
}

export interface PairingBench extends PairingDevice {
  /** Of `npm run pair`: the device's own is `devices/alpha` in it. */
  readonly state: string;
  readonly device: string;
  readonly network: Network;
  readonly tcti: string;
}

/** What a test has otherwise than a device in the field. */
type Otherwise = Pick<PairingServiceOptions, 'show' | 'windowMs' | 'relayed'> & Pick<DeviceBrokerOptions, 'onEntry'>;

/** A device in this process, with a software TPM. */
export async function startPairingBench(otherwise: Otherwise = {}): Promise<PairingBench> {
  const prepared = await prepareDevice();
  const tpm = await startSoftwareTpm({ folder: join(prepared.state, 'tpm') });
  const running = await startPairingDevice(prepared.device, tpm.tcti, undefined, otherwise);
  const stop = async (): Promise<void> => {
    await running.stop();
    await tpm.stop();
    rmSync(prepared.state, { recursive: true, force: true });
  };
  return { ...prepared, ...running, tcti: tpm.tcti, stop };
}

/** What there is before a device starts: its folder, name and network. */
export async function prepareDevice(): Promise<{ state: string; device: string; network: Network }> {
  const state = mkdtempSync(join(tmpdir(), 'capstan-pairing-'));
  const device = join(state, 'devices', 'alpha');
  mkdirSync(join(device, 'broker'), { recursive: true });
  mkdirSync(join(state, 'tpm'));
  const ports = await claimPorts(join(device, 'broker', 'ports.json'));
  const authority = openAuthority({ folder: join(device, 'authority'), device: 'alpha', hosts: [] });
  const network = networkOf(authority.root('device'), ports.peers);
  writeConfiguration(device, { name: 'alpha', tcti: 'none', board: 'simulated', address: '127.0.0.1', hosts: ['127.0.0.1'] });
  writeFileSync(join(device, 'network.cbor'), encodeNetwork(network));
  return { state, device, network };
}

/** @param device the state folder that {@link prepareDevice} made */
export async function startPairingDevice(
  device: string,
  tcti: string,
  onLog: (line: LogLine) => void = () => undefined,
  otherwise: Otherwise = {},
): Promise<PairingDevice> {
  const decoded = decodeNetwork(new Uint8Array(readFileSync(join(device, 'network.cbor'))));
  assert.ok(decoded.status === 'decoded');
  const network = decoded.value;
  const tpm = await openTpm(tcti);
  const ports = await claimPorts(join(device, 'broker', 'ports.json'));
  const authority = openAuthority({ folder: join(device, 'authority'), device: 'alpha', hosts: [] });
  const log: LogLine[] = [];
  const say = (event: string, fields: object = {}): void => {
    const line = { event, ...fields };
    log.push(line);
    onLog(line);
  };
  const common = { device: 'alpha', authority, ports, address: '127.0.0.1' };
  const trust = new PairedNames(device).trust([]);
  const broker = await startDeviceBroker(
    {
      ...common,
      folder: join(device, 'broker'),
      network: networkLabel(network),
      onEvent: () => undefined,
      relayed: otherwise.relayed ?? false,
      ...(otherwise.onEntry ? { onEntry: otherwise.onEntry } : {}),
    },
    trust,
  );
  let boxes: readonly { name: string; signingKey: Uint8Array }[] = [];
  const shown: (readonly string[])[] = [];
  const askTpm: AskTpm = (operation) => operation(tpm);
  const pairing = await startPairing({
    ...common,
    stateFolder: device,
    network,
    node: nodeIdOf(network.members[0]!.endorsementKey),
    askTpm,
    members: () => network.members,
    host: '127.0.0.1',
    broker,
    log: say,
    show: (lines) => void shown.push(lines),
    onClientPaired: (name) => say('clientPaired', { name }),
    onBoxes: (now) => (boxes = now),
    ...otherwise,
  });
  const stop = async (): Promise<void> => {
    await pairing.stop();
    await broker.stop();
    await tpm.close();
  };
  return { log, boxes: () => boxes, shown, broker, counter: () => AttemptCounter.open(askTpm), stop };
}

/** Opens a window, as `npm run pair -- open` does. */
export async function openFor(device: string, kind: HolderKind, name: string, replace = false): Promise<OwnWindow & { at: WindowAddress }> {
  const window = await openWindow(device, { kind, name, replace });
  const address = parseWindowAddress(window.address);
  assert.ok(address.status === 'read');
  return { ...window, at: address.value };
}

/** A code that is not that of the window. */
export function wrongCode(code: string, attempt = 1): string {
  return [...code].map((character, at) => (at === attempt % 7 ? (character === '0' ? '1' : '0') : character)).join('');
}

/** A stranger that says to a pairing broker what it likes. */
export async function openStranger(url: string, session = randomBytes(16).toString('hex')) {
  const connection = connect({ url, onServerCertificate: (now) => (shown.certificate = now) }, { clientId: session });
  const shown: { certificate?: Uint8Array } = {};
  const answers: PairingAnswer[] = [];
  await connection.subscribe(pairingTopic(session, 'response'), ({ payload }) => {
    const decoded = decodeAnswer(payload);
    assert.ok(decoded.status === 'decoded');
    answers.push(decoded.value);
  });
  await connection.connected(20_000);
  const sendBytes = async (payload: Uint8Array): Promise<PairingAnswer> => {
    const before = answers.length;
    await connection.publish(pairingTopic(session, 'request'), payload);
    await until(() => answers.length > before, 'the device answers');
    return answers.at(-1)!;
  };
  return {
    session,
    connection,
    answers,
    certificate: () => shown.certificate,
    sendBytes,
    send: (call: PairingCall) => sendBytes(encodeStrict(PairingCall, call)),
    /** Greets and sends some share: one attempt. */
    guess: async (kind: HolderKind, name: string): Promise<PairingAnswer> => {
      await sendBytes(encodeStrict(PairingCall, { call: 'greet', version: 1, kind, name, nonce: new Uint8Array(randomBytes(32)) }));
      const share = proverShare(proverSecretOf(new Uint8Array(randomBytes(80))), scalarOf(new Uint8Array(randomBytes(48))));
      return sendBytes(encodeStrict(PairingCall, { call: 'share', share }));
    },
  };
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

export async function until(condition: () => boolean, what: string, waitMs = 20_000): Promise<void> {
  const giveUpAt = performance.now() + waitMs;
  while (!condition()) {
    if (performance.now() > giveUpAt) throw new Error(`waited in vain until ${what}`);
    await new Promise((resolve) => setTimeout(resolve, 5));
  }
}
