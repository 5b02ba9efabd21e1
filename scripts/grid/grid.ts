/** The bench grid: four devices with software TPMs and simulated boards, a box each, a client, all on this machine. */
import { mkdirSync } from 'node:fs';
import { join } from 'node:path';
import { networkLabel, type Network } from '#protocol/network.ts';
import type { SoftwareTpm } from '../../device/tpm/swtpm.ts';
import { giveNetwork, openNetwork, startDeviceProcess, startTpm, type GridDevice } from './devices.ts';
import { ensurePaired } from './holders.ts';
import { HOLDER_FILES } from '../../hpc-agent/holder-files.ts';
import { boxOf, GRID_CLIENT, GRID_DEVICES, GRID_RACK, gridLayout, type GridLayout } from './layout.ts';
import { lackOfLayer1, openGridLayer1, type GridChain, type GridLayer1 } from './layer1.ts';
import { writeNetworkFile } from './network.ts';
import { untilBoxesStand } from './boxes-on.ts';
import { claimState, type StateClaim } from './state-claim.ts';
import { startGridRack, type GridAgent, type GridRack } from './rack.ts';

export interface Grid {
  readonly layout: GridLayout;
  readonly network: Network;
  readonly devices: readonly GridDevice[];
  /** Agents by the name of their box, also of boxes that are not on. */
  readonly agents: ReadonlyMap<string, GridAgent>;
  /** Boxes that came on: none, where all of them are held off or fenced. */
  readonly boxesOn: readonly string[];
  /** Has the power of the boxes. */
  readonly rack: GridRack;
  /** Absent where the grid has none. */
  readonly layer1: GridLayer1 | undefined;
  stop(): Promise<void>;
}

export interface GridRequest {
  readonly stateFolder: string;
  /** Chains of layer 1, each with the network's contracts; by default the grid does without. */
  readonly chains?: readonly GridChain[];
  /** A part of the start is done; `detail` says with what outcome. */
  readonly onStep: (part: string, detail: string, ms: number) => void;
  /** A program ended though nobody stopped it; it is started again. */
  readonly onEnd: (name: string, how: string) => void;
  /** The grid goes on without something; a sentence on it. */
  readonly onNotice: (words: string) => void;
  /** Resolves when the start is to be given up. */
  readonly stopAsked?: Promise<void>;
}

/** A device, and the line by which it says that its box is on the chain: awaited from its start on, for only the newest lines are kept. */
interface StartedDevice extends GridDevice {
  readonly onChain: Promise<string>;
}

/** The start was given up because somebody asked for it. */
export class StartCutOff extends Error {}

/** A device trusts another within seconds; a slow machine that also compiles may take this long. */
const TRUST_WAIT_MS = 60_000;
const KEY_WAIT_MS = 60_000;
const BOXES_WAIT_MS = 60_000;
/** Vouchers and the boxes are in one of the first blocks, a second apart; finality follows within two. */
const CHAIN_WAIT_MS = 60_000;

/** @throws Error in a sentence; whatever was started is stopped then */
export async function startGrid(request: GridRequest): Promise<Grid> {
  const layout = gridLayout(request.stateFolder);
  const claim = claimState(layout.root);
  mkdirSync(layout.logs, { recursive: true, mode: 0o700 });
  const started: { stop(): Promise<void> }[] = [];
  const stop = async (): Promise<void> => {
    for (let part = started.pop(); part; part = started.pop()) await part.stop();
    claim.release();
  };
  try {
    return await startParts(request, layout, claim, started, stop);
  } catch (error) {
    await stop();
    throw error;
  }
}

async function startParts(
  request: GridRequest,
  layout: GridLayout,
  _claim: StateClaim,
  started: { stop(): Promise<void> }[],
  stop: () => Promise<void>,
): Promise<Grid> {
  const timed = timer(request);
  const tpms = await timed(
    'software TPMs',
    async () => startTpms(layout, started),
    (all) => [...all.keys()].join(', '),
  );
  const founded = await timed(
    'network',
    () => openNetwork(layout, tpms),
    (opened) => `${opened.genesis.name} ${networkLabel(opened)}, ${opened.members.length} members`,
  );
  const layer1 = await openLayer1(layout, founded, request, started);
  const network = layer1?.network ?? founded;
  const rack = await timed(
    'rack',
    () => openRack(layout, request, started),
    () => `${GRID_DEVICES.length} simulated boxes, off`,
  );
  const devices = await timed(
    'devices',
    () => startDevices(layout, tpms, request, started),
    () => 'each trusts the others',
  );
  if (layer1)
    await timed(
      'layer 1',
      () => fundKeys(layer1, devices),
      (funded) => layer1Words(layer1, funded),
    );
  await timed(
    'boxes and client',
    () => pairAll(layout, network, devices),
    () => `${devices.length} boxes and client "${GRID_CLIENT.name}" paired`,
  );
  started.push(rack); // agents end before the devices
  const agents = new Map([...rack.agents].filter(([box]) => devices.some(({ name }) => boxOf(name) === box)));
  const boxesOn = await timed(
    'boxes on',
    () => untilBoxesAreOn(layout, devices, request),
    (on) => `${on.length} of ${devices.length} boxes, switched on by their devices`,
  );
  await timed(
    'chain',
    () => waitForChain(devices, boxesOn, request),
    (checkpoint) => `${devices.length} members, their boxes on the chain, ${checkpoint}`,
  );
  return { layout, network, devices, agents, boxesOn, rack, layer1, stop };
}

/** The network file names its chains before devices read it; the contracts come to them while devices start. */
async function openLayer1(
  layout: GridLayout,
  network: Network,
  { chains = [], onEnd, onNotice }: GridRequest,
  started: { stop(): Promise<void> }[],
): Promise<GridLayer1 | undefined> {
  if (chains.length === 0) return undefined;
  const lack = lackOfLayer1(layout, network);
  if (lack !== undefined) {
    onNotice(`without layer 1: ${lack}`);
    return undefined;
  }
  const layer1 = await openGridLayer1(layout, network, { chains, onEnd, onNotice });
  started.push(layer1);
  giveNetwork(layout, layer1.network, GRID_DEVICES);
  return layer1;
}

/** A device opens its key some time after others trust it. */
async function fundKeys(layer1: GridLayer1, devices: readonly GridDevice[]): Promise<number> {
  await layer1.deployed;
  await Promise.all(devices.map(({ supervisor }) => supervisor.waitForLine(/ payingKey(?:Opened|Unusable) /, KEY_WAIT_MS)));
  return layer1.fund(devices.map(({ name }) => name));
}

function layer1Words({ network: { layer1 = [] }, chains }: GridLayer1, funded: number): string {
  const named = chains.map(({ chainId }) => {
    const anchors = layer1.find((entry) => entry.chainId === chainId)?.anchors;
    return `chain ${chainId}, contracts at 0x${anchors?.toHex().slice(0, 8) ?? '?'}…`;
  });
  return `${named.join('; ')}, ${funded} keys that pay`;
}

type Timed = <T>(part: string, work: () => Promise<T>, say: (value: T) => string) => Promise<T>;

function timer({ onStep, stopAsked }: GridRequest): Timed {
  const cutOff = stopAsked?.then(() => Promise.reject(new StartCutOff('stopped before everything was up')));
  cutOff?.catch(() => undefined);
  return async (part, work, say) => {
    const startedAt = performance.now();
    const value = await Promise.race([work(), ...(cutOff ? [cutOff] : [])]);
    onStep(part, say(value), performance.now() - startedAt);
    return value;
  };
}

/** One after the other: the first one founds the authority that certifies them all. */
async function startTpms(layout: GridLayout, started: { stop(): Promise<void> }[]): Promise<Map<string, SoftwareTpm>> {
  const tpms = new Map<string, SoftwareTpm>();
  for (const device of GRID_DEVICES) {
    const tpm = await startTpm(layout, device);
    started.push(tpm);
    tpms.set(device, tpm);
  }
  return tpms;
}

async function startDevices(
  layout: GridLayout,
  tpms: ReadonlyMap<string, SoftwareTpm>,
  request: GridRequest,
  started: { stop(): Promise<void> }[],
): Promise<StartedDevice[]> {
  const devices = [...tpms].map(([name, tpm]) => {
    const device = startDeviceProcess(layout, name, tpm, request.onEnd);
    const onChain = device.supervisor.waitForLine(
      new RegExp(`boxesOnChain .*\\b${boxOf(name)}\\b`),
      TRUST_WAIT_MS + BOXES_WAIT_MS + CHAIN_WAIT_MS,
    );
    onChain.catch(() => undefined);
    return { ...device, onChain };
  });
  started.push(...devices);
  const isMember = await Promise.all(devices.map(waitForTrust));
  const gone = devices.filter((_, index) => !isMember[index]);
  if (gone.some(({ name }) => name === GRID_CLIENT.device))
    throw new Error(
      `device ${GRID_CLIENT.device} has left the network, and the client is paired with it; start a new grid with --state DIR`,
    );
  for (const device of gone) {
    await device.stop();
    request.onStep(device.name, 'has left the network: it stays switched off', 0);
  }
  return devices.filter((device) => !gone.includes(device));
}

/** @returns false for one that has left the network: nobody talks to it any more */
async function waitForTrust({ name, supervisor }: GridDevice): Promise<boolean> {
  const trusted = supervisor.waitForLine(`device=${name} verdict=trusted`, TRUST_WAIT_MS).then(() => true);
  const gone = ['left', 'expelled'].map((word) => supervisor.waitForLine(`membership standing=${word}`, TRUST_WAIT_MS).then(() => false));
  return Promise.any([trusted, ...gone]).catch(async () => trusted);
}

/** Boxes and client get the network file as it is today: since they were paired, devices may have been made of something else. */
async function pairAll(layout: GridLayout, network: Network, devices: readonly GridDevice[]): Promise<void> {
  const { device, name } = GRID_CLIENT;
  const boxes = devices.map(({ name: owner }) => ({ owner, kind: 'box' as const, name: boxOf(owner), folder: layout.box(boxOf(owner)) }));
  const holders = [...boxes, { owner: device, kind: 'client' as const, name, folder: layout.client(device, name) }];
  await Promise.all(holders.map(({ owner, kind, name: holder, folder }) => ensurePaired(layout, owner, kind, holder, folder)));
  for (const { folder } of holders) writeNetworkFile(join(folder, HOLDER_FILES.network), network);
}

async function openRack(layout: GridLayout, request: GridRequest, started: { stop(): Promise<void> }[]): Promise<GridRack> {
  const rack = await startGridRack(layout, { name: GRID_RACK, boxes: GRID_DEVICES.map(boxOf), onEnd: request.onEnd });
  started.push(rack);
  return rack;
}

/**
 * Devices switch their boxes on, agents come up with them. A box that does not is said, and the grid goes on without it.
 * @throws Error where none comes up, though none is held by somebody's order
 */
async function untilBoxesAreOn(layout: GridLayout, devices: readonly StartedDevice[], { onNotice }: GridRequest): Promise<string[]> {
  const awaited = devices.map(({ name }) => ({ box: boxOf(name), folder: layout.device(name) }));
  const boxes = await untilBoxesStand(awaited, BOXES_WAIT_MS);
  const away = boxes.filter(({ status }) => status !== 'on');
  if (away.length === boxes.length && away.every(({ status }) => status === 'late'))
    throw new Error(`no box came on within ${BOXES_WAIT_MS / 1_000} s: ${away.map(({ words }) => words).join('; ')}`);
  for (const { words } of away) onNotice(words);
  return boxes.filter(({ status }) => status === 'on').map(({ box }) => box);
}

/** From then on a capsule finds boxes, and its receipt becomes final. @throws Error where no box that is on is on the chain */
async function waitForChain(devices: readonly StartedDevice[], boxesOn: readonly string[], { onNotice }: GridRequest): Promise<string> {
  const finalised = devices.map(({ supervisor }) => supervisor.waitForLine('checkpointFinalised', CHAIN_WAIT_MS));
  const [line = ''] = await Promise.all(finalised);
  const offering = devices.filter(({ name }) => boxesOn.includes(boxOf(name)));
  const offered = await Promise.allSettled(offering.map(({ onChain }) => onChain));
  const missing = offered.flatMap((one) => (one.status === 'rejected' ? [one.reason as Error] : []));
  if (missing[0] && missing.length === offered.length) throw missing[0];
  for (const { message } of missing) onNotice(`not on the chain yet: ${message}`);
  return `checkpoint ${/checkpoint=(\d+)/.exec(line)?.[1] ?? '?'} final`;
}
