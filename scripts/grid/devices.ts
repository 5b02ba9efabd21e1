/** The devices of a grid on one machine: a software TPM and a firmware process each, on the grid's own network. */
import { execFile } from 'node:child_process';
import { mkdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import type { Network } from '#protocol/network.ts';
import { writeConfiguration } from '../../device/configuration.ts';
import { connectTpm } from '../../device/identity/connect.ts';
import { measureSoftware, referencesOf } from '../../device/software.ts';
import { startSoftwareTpm, type SoftwareTpm } from '../../device/tpm/swtpm.ts';
import type { Tpm } from '../../device/tpm/tpm.ts';
import { BENCH_BOX } from '../rack/physics.ts';
import { boxOf, type GridLayout } from './layout.ts';
import { NODE_FLAGS, nodeEnvironment } from './node-process.ts';
import { foundNetwork, newSalt, readNetworkFile, withReferences, writeNetworkFile } from './network.ts';
import { leaveProcessId } from './running-process.ts';
import { supervise, type Supervisor } from './supervisor.ts';

const BOARD = 'simulated';
const ADDRESS = '127.0.0.1';
const CARD_MAX_MS = 60_000;
/** An anchor costs about 10⁵ gas, at 1 gwei; four devices bring 10⁴ a day. */
const GRID_SPENDING = { feeCapGwei: 100, dayBudgetGwei: 5_000_000_000 };
const firmware = fileURLToPath(new URL('../../device/main.ts', import.meta.url));

export interface GridDevice {
  readonly name: string;
  readonly supervisor: Supervisor;
  /** The software TPM as it runs now. */
  tpm(): SoftwareTpm;
  stop(): Promise<void>;
}

/** Starts the software TPM of a device, and says to the device where it is. */
export async function startTpm(layout: GridLayout, device: string): Promise<SoftwareTpm> {
  mkdirSync(layout.device(device), { recursive: true, mode: 0o700 });
  const tpm = await startSoftwareTpm({ folder: layout.tpm(device), authorityFolder: layout.tpmAuthority });
  const box = boxOf(device);
  writeConfiguration(layout.device(device), {
    ...{ name: device, tcti: tpm.tcti, board: BOARD, wires: layout.wires(box), address: ADDRESS, hosts: [ADDRESS] },
    spending: GRID_SPENDING,
    control: [{ box, by: 'board' }],
    boxRules: [{ box, keepOn: true, idleMilliwatts: BENCH_BOX.idleMw, fullMilliwatts: BENCH_BOX.fullMw }],
  });
  return tpm;
}

/** The grid's network: read, or founded by the devices whose TPMs run; with the references of what runs today. */
export async function openNetwork(layout: GridLayout, tpms: ReadonlyMap<string, SoftwareTpm>): Promise<Network> {
  const references = referencesOf(await measureSoftware(BOARD), BOARD);
  const known = readNetworkFile(layout.networkFile);
  if (known) requireMembers(layout, known, [...tpms.keys()]);
  const network = known ? withReferences(known, references) : await found(layout, tpms, references);
  giveNetwork(layout, network, [...tpms.keys()]);
  return network;
}

/** To whoever starts a command here, and to devices that don't run yet. */
export function giveNetwork(layout: GridLayout, network: Network, devices: readonly string[]): void {
  writeNetworkFile(layout.networkFile, network);
  for (const device of devices) writeNetworkFile(join(layout.device(device), 'network.cbor'), network);
}

/** A network is founded once, by the devices of that day. */
function requireMembers({ root, networkFile }: GridLayout, { members }: Network, devices: readonly string[]): void {
  const strangers = devices.filter((device) => members.every(({ name }) => name !== device));
  if (strangers.length === 0) return;
  throw new Error(
    `the network in ${networkFile} was founded without ${strangers.join(', ')}; remove ${root}, or give another folder with --state`,
  );
}

async function found(
  layout: GridLayout,
  tpms: ReadonlyMap<string, SoftwareTpm>,
  references: ReturnType<typeof referencesOf>,
): Promise<Network> {
  const salt = newSalt();
  const authorities = [...tpms.values()][0]?.caCertificates ?? [];
  const cards = await Promise.all([...tpms.keys()].map((device) => cardOf(layout, device, salt, authorities)));
  return withConnections([...tpms.values()], async (connections) => {
    const candidates = connections.map((tpm, index) => ({ card: cards[index] as Uint8Array, tpm }));
    return foundNetwork('bench', salt, candidates, authorities, references);
  });
}

/** Connects to TPMs while no device uses them. */
async function withConnections<T>(tpms: readonly SoftwareTpm[], work: (connections: readonly Tpm[]) => Promise<T>): Promise<T> {
  const connections: Tpm[] = [];
  try {
    for (const { tcti } of tpms) connections.push(await connectTpm(tcti));
    return await work(connections);
  } finally {
    await Promise.all(connections.map((connection) => connection.close()));
  }
}

/** Has a device that does not run make its card. @param intermediates of its endorsement certificate, DER */
export async function cardOf(
  layout: GridLayout,
  device: string,
  salt: Uint8Array,
  intermediates: readonly Uint8Array[],
): Promise<Uint8Array> {
  const folder = layout.device(device);
  const files = intermediates.map((certificate, index) => {
    const file = join(layout.tpm(device), `authority-${index}.der`);
    writeFileSync(file, certificate);
    return file;
  });
  const given = files.flatMap((file) => ['--intermediate', file]);
  const line = [firmware, 'card', '--state', folder, '--salt', salt.toHex(), ...given];
  await promisify(execFile)(process.execPath, [...NODE_FLAGS, ...line], { timeout: CARD_MAX_MS, env: nodeEnvironment(firmware) }).catch(
    (error: unknown) => {
      throw new Error(`device ${device} could not make its card: ${error instanceof Error ? error.message : String(error)}`);
    },
  );
  return readFileSync(join(folder, 'card.cbor'));
}

/** Keeps a device running. Its TPM is started again before it, when it has died. */
export function startDeviceProcess(
  layout: GridLayout,
  device: string,
  first: SoftwareTpm,
  onEnd: (name: string, how: string) => void,
): GridDevice {
  let tpm = first;
  let hasDied = false;
  const tpmProcessId = layout.processId(`${device}-tpm`);
  const watch = (running: SoftwareTpm): void => {
    leaveProcessId(tpmProcessId, running.pid);
    void running.ended.then(() => (hasDied = tpm === running));
  };
  watch(tpm);
  const supervisor = supervise({
    name: device,
    arguments: [firmware, 'run', '--state', layout.device(device)],
    logFile: join(layout.logs, `${device}.log`),
    processIdFile: layout.processId(device),
    before: async () => {
      if (!hasDied) return;
      tpm = await startTpm(layout, device);
      hasDied = false;
      watch(tpm);
    },
    onEnd,
  });
  return {
    name: device,
    supervisor,
    tpm: () => tpm,
    stop: async () => {
      await supervisor.stop();
      await tpm.stop();
      rmSync(tpmProcessId, { force: true });
    },
  };
}
