/**
 * A box with a real (software) TPM, started as the machine of test/vectors/measured-box was, and the desk of a device that measures it
 * with a TPM of its own. The two meet without a broker.
 */
import { randomBytes } from 'node:crypto';
import { mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { BlobNeed } from '#protocol/blob-transfer.ts';
import { servedRange } from '#protocol/blob-fetch.ts';
import { domainDigest } from '#protocol/digest.ts';
import type { BoxTpmEvidence } from '#protocol/measured-box/box-tpm.ts';
import type { BoxLogs } from '#protocol/measured-box/measurement.ts';
import { decodeBootLog } from '#protocol/measured-box/uefi-log.ts';
import { connectTpm } from '../../../device/identity/connect.ts';
import { BoxMeasuring, type BoxAnswer } from '../../../device/hpc/box-measuring.ts';
import type { PairedBox } from '../../../device/hpc/box-registry.ts';
import { ReferenceFiles } from '../../../device/hpc/reference-file.ts';
import { BlobStore } from '../../../device/store/blob-store.ts';
import type { Store } from '../../../device/store/store.ts';
import { makeCredential } from '../../../device/tpm/credential.ts';
import { pcrExtend } from '../../../device/tpm/pcr.ts';
import { startSoftwareTpm, type SoftwareTpm } from '../../../device/tpm/swtpm.ts';
import { openBoxTpm, type BoxTpm } from '../../../hpc-agent/tpm/box-tpm.ts';
import { crypto, extensionOf, imaEntries } from '../../unit/measured-box/boots.ts';
import { softwareSigner } from '../../unit/protocol/workshop.ts';

export const network = new Uint8Array(32).fill(7);
export const software = new Uint8Array(32).fill(8);
const quiet = (): void => undefined;

/** A machine with a TPM and logs. Power off and on is `boot`. */
export class Machine {
  readonly folder: string;
  readonly #authorityFolder: string;
  #software: SoftwareTpm | undefined;
  tpm: BoxTpm | undefined;
  logs: BoxLogs = { boot: new Uint8Array(), ima: new Uint8Array() };

  constructor(folder: string, authorityFolder: string) {
    this.folder = folder;
    this.#authorityFolder = authorityFolder;
  }

  get authorities(): readonly Uint8Array[] {
    return this.#software?.caCertificates ?? [];
  }

  /** Measures as the logs say, then starts the agent's side of the TPM. */
  async boot(logs: BoxLogs): Promise<BoxTpm> {
    await this.#software?.kill();
    await mkdir(this.folder, { recursive: true });
    this.#software = await startSoftwareTpm({ folder: this.folder, authorityFolder: this.#authorityFolder });
    const boot = decodeBootLog(logs.boot);
    if (boot.status === 'malformed') throw new Error(boot.detail);
    await this.extend(...boot.value.events.map(({ pcr, digest }) => [pcr, digest] as const), ...imaExtensions(logs.ima));
    await this.showLogs(logs);
    const configuration = { tcti: this.#software.tcti, bootLog: join(this.folder, 'boot.log'), imaLog: join(this.folder, 'ima.log') };
    this.tpm ??= await openBoxTpm(configuration, join(this.folder, 'agent'), quiet);
    return this.tpm;
  }

  async extend(...extensions: readonly (readonly [number, Uint8Array])[]): Promise<void> {
    const tpm = await connectTpm(this.#software?.tcti ?? '');
    for (const [pcr, digest] of extensions) await pcrExtend(tpm, pcr, 'sha256', digest);
    await tpm.close();
  }

  /** The kernel measures a file: into PCR 10 and its log. @param entry of an IMA log */
  async measureFile(entry: Uint8Array): Promise<void> {
    await this.extend(...imaExtensions(entry));
    await this.showLogs({ ...this.logs, ima: new Uint8Array(Buffer.concat([this.logs.ima, entry])) });
  }

  async showLogs(logs: BoxLogs): Promise<void> {
    this.logs = logs;
    await writeFile(join(this.folder, 'boot.log'), logs.boot);
    await writeFile(join(this.folder, 'ima.log'), logs.ima);
  }

  async stop(): Promise<void> {
    await this.#software?.stop();
  }
}

interface Answered {
  readonly run: string;
  readonly nonce: Uint8Array;
  readonly tpm: BoxTpmEvidence | undefined;
}

export class World {
  readonly folder: string;
  readonly machine: Machine;
  readonly signer = softwareSigner(new Uint8Array(randomBytes(32)));
  readonly box: PairedBox;
  paired: readonly PairedBox[];
  readonly references: ReferenceFiles;
  readonly logs: BlobStore;
  /** By the device's TPM. */
  secretsClosed = 0;
  readonly lines: string[] = [];
  /** Of control, where there is one. */
  askNow: (box: string) => void = () => undefined;
  readonly #device: SoftwareTpm;
  readonly #memory = new Map<string, Uint8Array>();
  readonly store = {
    memory: (name: string) => this.#memory.get(name),
    setMemory: (name: string, value: Uint8Array) => void this.#memory.set(name, value),
  } as Store;
  readonly now = (): number => Date.now() + this.aheadMs;
  /** By how much the device's clock is ahead of the machine's. */
  aheadMs = 0;
  /** Answers the device's asks for logs. */
  serving: Machine;
  /** No log is handed over. */
  withholds = false;
  readonly asked: string[] = [];
  desk: BoxMeasuring;

  private constructor(folder: string, device: SoftwareTpm, machine: Machine) {
    this.folder = folder;
    this.#device = device;
    this.machine = machine;
    this.serving = machine;
    this.box = { name: 'box', signingKey: this.signer.publicKey };
    this.paired = [this.box];
    this.references = new ReferenceFiles(folder);
    this.logs = new BlobStore(join(folder, 'box-logs'));
    this.desk = this.#openDesk();
  }

  static async open(logs: BoxLogs): Promise<World> {
    const folder = await mkdtemp(join(tmpdir(), 'capstan-measured-'));
    const machine = new Machine(join(folder, 'box'), join(folder, 'authority'));
    await machine.boot(logs);
    const device = await startSoftwareTpm({ folder: join(folder, 'device'), authorityFolder: join(folder, 'authority') });
    const world = new World(folder, device, machine);
    await world.greet(machine);
    return world;
  }

  /** The box's hello; waits until the device has closed its secret. */
  async greet(machine: Machine, box = this.box): Promise<void> {
    this.serving = machine;
    this.desk.introduced(box, machine.tpm?.keys);
    for (let waited = 0; waited < 200 && !this.desk.activationFor(box.name) && !this.#memory.has(`box-tpm/${box.name}`); waited += 1)
      await new Promise((resolve) => setTimeout(resolve, 25));
  }

  /** Asks the box and judges what it answers. @returns `accepted`, or why it is refused */
  async measure(run: string, when: BoxAnswer['when'], from = this.serving, box = this.box): Promise<string> {
    return this.judge(await this.answer(run, from, box), when, box);
  }

  /** What the box answers when it is asked. */
  async answer(run: string, from = this.serving, box = this.box): Promise<Answered> {
    const nonce = new Uint8Array(randomBytes(32));
    const beacon = domainDigest('beacon-value', network, nonce);
    const activation = this.desk.activationFor(box.name);
    const tpm = await from.tpm?.answer({ network, beacon, run, boxKey: box.signingKey, software, nonce, activation });
    return { run, nonce, tpm };
  }

  judge({ run, nonce, tpm }: Answered, when: BoxAnswer['when'], box = this.box): Promise<string> {
    const beacon = domainDigest('beacon-value', network, nonce);
    return new Promise((resolve) => {
      const outcome = { accepted: () => resolve('accepted'), refused: (detail: string) => resolve(detail) };
      this.desk.answered({ box, when, run, nonce, beacon, software, tpm }, outcome);
    });
  }

  restartDevice(): void {
    this.desk = this.#openDesk();
  }

  async close(): Promise<void> {
    await this.machine.stop();
    await this.#device.stop();
    await rm(this.folder, { recursive: true, force: true });
  }

  #openDesk(): BoxMeasuring {
    return new BoxMeasuring({
      store: this.store,
      logs: this.logs,
      network,
      authorities: this.machine.authorities.map((certificate) => ({ certificate, softwareTpm: true })),
      crypto,
      references: this.references,
      control: { askNow: (box) => this.askNow(box) },
      paired: () => this.paired,
      closeSecret: async (secret, endorsementKey, name) => {
        this.secretsClosed += 1;
        const tpm = await connectTpm(this.#device.tcti);
        return makeCredential(tpm, { endorsementKey, name, credential: secret }).finally(() => tpm.close());
      },
      ask: (box, need) => void setImmediate(() => this.#serve(box, need)),
      now: this.now,
      random: (bytes) => new Uint8Array(randomBytes(bytes)),
      log: (event, fields = {}) => void this.lines.push(`${event} ${JSON.stringify(fields)}`),
    });
  }

  #serve(box: string, need: BlobNeed): void {
    if (this.withholds) return void this.asked.push(need.digest.toHex());
    const piece = this.serving.tpm?.piece(need.digest);
    if (!piece) return this.desk.chunkReceived(box, { chunk: 'missing', digest: need.digest });
    const { offset, bytes } = servedRange(need, piece.length);
    this.desk.chunkReceived(box, {
      chunk: 'content',
      digest: need.digest,
      offset,
      total: piece.length,
      content: piece.slice(offset, offset + bytes),
    });
  }
}

function imaExtensions(log: Uint8Array): (readonly [number, Uint8Array])[] {
  return imaEntries(log).map((entry) => [10, extensionOf(entry)] as const);
}
