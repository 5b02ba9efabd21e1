/** Whole devices of one network in this process: a software TPM, a state folder and the firmware each. Specification §11.5. */
import { cpSync, mkdirSync, readFileSync, symlinkSync, writeFileSync } from 'node:fs';
import { mkdtemp, rm } from 'node:fs/promises';
import { execFile, spawn, type ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import type { Network } from '#protocol/network.ts';
import { writeConfiguration } from '../../../device/configuration.ts';
import { startDevice, type Device } from '../../../device/device.ts';
import { writeCard } from '../../../device/enrol.ts';
import { connectTpm } from '../../../device/identity/connect.ts';
import { askAboutMembership } from '../../../device/membership/ask.ts';
import type { MembershipAnswer, MembershipRequest } from '../../../device/membership/requests.ts';
import { measureSoftware, referencesOf } from '../../../device/software.ts';
import { startSoftwareTpm, type SoftwareTpm } from '../../../device/tpm/swtpm.ts';
import type { Tpm } from '../../../device/tpm/tpm.ts';
import { foundNetwork, newSalt, writeNetworkFile } from '../../../scripts/grid/network.ts';

const BOARD = 'simulated';
const stopMsMax = 5_000;
const root = fileURLToPath(new URL('../../..', import.meta.url));

export class BenchDevice {
  readonly name: string;
  readonly state: string;
  readonly tpm: SoftwareTpm;
  readonly lines: string[] = [];
  readonly failures: unknown[] = [];
  #device: Device | undefined;
  #process: ChildProcess | undefined;

  constructor(name: string, state: string, tpm: SoftwareTpm) {
    this.name = name;
    this.state = state;
    this.tpm = tpm;
  }

  get chain(): Device['chain'] {
    if (!this.#device) throw new Error(`${this.name} is not running`);
    return this.#device.chain;
  }

  async start(): Promise<void> {
    const log = (event: string, fields: object = {}): void => void this.lines.push(`${event} ${JSON.stringify(fields)}`);
    this.#device = await startDevice({ stateFolder: this.state, log, onFailure: (error) => void this.failures.push(error) });
  }

  /** Runs the firmware of another source tree, in a process of its own. */
  startFrom(tree: string): void {
    this.#process = spawn(process.execPath, [join(tree, 'device/main.ts'), 'run', '--state', this.state], {
      stdio: ['ignore', 'ignore', 'pipe'],
    });
    this.#process.stderr?.setEncoding('utf8').on('data', (said: string) => this.lines.push(...said.split('\n')));
  }

  /** As `card`, by the firmware of another source tree, which then stands in its registers. */
  async cardFrom(tree: string): Promise<Uint8Array> {
    const intermediates = this.tpm.caCertificates.flatMap((certificate, index) => {
      const file = join(this.state, `authority-${index}.der`);
      writeFileSync(file, certificate);
      return ['--intermediate', file];
    });
    await promisify(execFile)(process.execPath, [join(tree, 'device/main.ts'), 'card', '--state', this.state, ...intermediates]);
    return new Uint8Array(readFileSync(join(this.state, 'card.cbor')));
  }

  heard(words: RegExp): boolean {
    return this.lines.some((line) => words.test(line));
  }

  /** Makes its card, while it does not run, for the network whose file it has, or for one to be founded. */
  async card(salt?: Uint8Array): Promise<Uint8Array> {
    const file = await writeCard(this.state, { ...(salt && { salt }), endorsementIntermediates: this.tpm.caCertificates });
    return new Uint8Array(readFileSync(file));
  }

  /** What the operator's command is told last. */
  async ask(request: MembershipRequest, stage: MembershipAnswer['stage'], waitMs = 20_000): Promise<MembershipAnswer> {
    const answer = await askAboutMembership(this.state, {
      request,
      isEnough: (one) => one.stage === stage,
      onAnswer: () => undefined,
      waitMs,
    });
    if (!answer) throw new Error(`${this.name} gave no answer`);
    return answer;
  }

  async stop(): Promise<void> {
    const [device, program] = [this.#device, this.#process];
    this.#device = this.#process = undefined;
    await device?.stop();
    if (!program || program.exitCode !== null) return;
    program.kill('SIGTERM');
    await once(program, 'exit');
  }
}

export interface DeviceBench {
  readonly network: Network;
  readonly devices: readonly BenchDevice[];
  /** One more, with the network file; not started. It is stopped with the bench. The folder's name is its own, if it is another's. */
  newcomer(name: string, folderName?: string): Promise<BenchDevice>;
  /** A copy of the source whose firmware measures otherwise. */
  changedTree(): string;
  stop(): Promise<void>;
}

/** Founds a network of devices; none is started. */
export async function foundDevices(names: readonly string[], consensus: Network['genesis']['consensus']): Promise<DeviceBench> {
  const folder = await mkdtemp(join(tmpdir(), 'capstan-joining-'));
  const all: BenchDevice[] = [];
  const make = async (name: string, folderName = name): Promise<BenchDevice> => {
    const state = join(folder, folderName);
    mkdirSync(state, { recursive: true, mode: 0o700 });
    const tpm = await startSoftwareTpm({ folder: join(state, 'tpm'), authorityFolder: join(folder, 'authority') });
    writeConfiguration(state, { name, tcti: tpm.tcti, board: BOARD, address: '127.0.0.1', hosts: ['127.0.0.1'] });
    const device = new BenchDevice(name, state, tpm);
    all.push(device);
    return device;
  };
  const stop = async (): Promise<void> => {
    // A device that waits for its TPM is told that it is gone, so that a case that failed ends, too.
    const hardly = setTimeout(() => all.forEach(({ tpm }) => void tpm.kill()), stopMsMax);
    await Promise.all(all.map((device) => device.stop()));
    clearTimeout(hardly);
    await Promise.all(all.map(({ tpm }) => tpm.kill()));
    await rm(folder, { recursive: true, force: true });
  };
  try {
    const founders: BenchDevice[] = [];
    for (const name of names) founders.push(await make(name));
    const network = await found(founders, consensus);
    for (const { state } of founders) writeNetworkFile(join(state, 'network.cbor'), network);
    const newcomer: DeviceBench['newcomer'] = async (name, folderName) => {
      const device = await make(name, folderName);
      writeNetworkFile(join(device.state, 'network.cbor'), network);
      return device;
    };
    return { network, devices: founders, newcomer, changedTree: () => changedTree(folder), stop };
  } catch (error) {
    await stop();
    throw error;
  }
}

async function found(founders: readonly BenchDevice[], consensus: Network['genesis']['consensus']): Promise<Network> {
  const salt = newSalt();
  const authorities = founders[0]?.tpm.caCertificates ?? [];
  const cards: Uint8Array[] = [];
  for (const founder of founders) cards.push(await founder.card(salt));
  const tpms: Tpm[] = [];
  try {
    for (const { tpm } of founders) tpms.push(await connectTpm(tpm.tcti));
    const candidates = tpms.map((tpm, index) => ({ card: cards[index] as Uint8Array, tpm }));
    const references = referencesOf(await measureSoftware(BOARD), BOARD);
    const network = await foundNetwork('joining', salt, candidates, authorities, references);
    return { ...network, genesis: { ...network.genesis, consensus } };
  } finally {
    await Promise.all(tpms.map((tpm) => tpm.close()));
  }
}

function changedTree(folder: string): string {
  const tree = join(folder, 'changed-tree');
  for (const part of ['device', 'protocol', 'board-configs', 'build', 'package.json', 'package-lock.json', 'tsconfig.json'])
    cpSync(join(root, part), join(tree, part), { recursive: true });
  symlinkSync(join(root, 'node_modules'), join(tree, 'node_modules'));
  writeFileSync(join(tree, 'device/extra.ts'), '/** Somebody has added something to the firmware. */\nexport const extra = 1;\n');
  return tree;
}
