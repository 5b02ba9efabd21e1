/** Two devices with a box each, their rooms and stores real, the lines between them and the chain in memory. Specification §15. */
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { randomBytes } from 'node:crypto';
import { Answer, ResultNews, StateNews } from '#protocol/client-messages.ts';
import { decodeJson } from '#protocol/codec.ts';
import { FinalityNews } from '#protocol/finality-news.ts';
import { LIMITS } from '#protocol/limits.ts';
import type { Schema } from '#protocol/schema.ts';
import type { CapsuleNews, Topic } from '#protocol/topics.ts';
import { ReferenceFiles } from '../../../device/hpc/reference-file.ts';
import { openCapsuleRooms, type CapsuleRooms } from '../../../device/capsule-rooms.ts';
import type { BoxWatch } from '../../../device/control/ports.ts';
import { DEVICE_LIMITS } from '../../../device/limits.ts';
import type { CapsuleKind, PeerLines } from '../../../device/peers.ts';
import { BlobStore } from '../../../device/store/blob-store.ts';
import { openStore, type Store } from '../../../device/store/store.ts';
import { alpha, bravo, crypto, network, networkIdentity, startMs, text } from '../protocol/workshop.ts';
import { MemoryChain } from './memory-chain.ts';
import { ToldBox } from './told-box.ts';

const MEMBERS = { alpha, bravo } as const;
const HELLO_EVERY_MS = 15_000;
export type DeviceName = keyof typeof MEMBERS;

/** What one device says to another; a test may change or drop it. */
export interface PeerMessage {
  readonly from: DeviceName;
  readonly to: string;
  readonly kind: CapsuleKind;
  readonly payload: Uint8Array;
}

export class Bench {
  nowMs = startMs;
  readonly chain = new MemoryChain(() => this.nowMs);
  readonly folder = mkdtempSync(join(tmpdir(), 'capstan-orders-'));
  readonly devices = new Map<DeviceName, TestDevice>();
  readonly lines: string[] = [];
  /** How often anybody has said anything, and how many files are being read or written. */
  said = 0;
  working = 0;
  /** `undefined`: it gets lost. */
  tamper: (message: PeerMessage) => PeerMessage | undefined = (message) => message;

  constructor() {
    for (const name of ['alpha', 'bravo'] as const) this.devices.set(name, new TestDevice(this, name));
  }

  device(name: DeviceName): TestDevice {
    const found = this.devices.get(name);
    if (!found) throw new Error(`there is no ${name}`);
    return found;
  }

  /** Boxes paired, said on the chain; every capsule goes to a box of one of `offering`. */
  async offer(...offering: DeviceName[]): Promise<void> {
    for (const name of offering) {
      const device = this.device(name);
      device.pair();
      device.box.hello();
    }
    await this.pass();
    await this.block();
  }

  async block(): Promise<void> {
    this.chain.block();
    await this.settled();
  }

  /** A duty interval, or `ms`; boxes speak at least every 15 s, as they do (§6.1). */
  async pass(ms: number = DEVICE_LIMITS.dutyIntervalMs): Promise<void> {
    for (let leftMs = ms; leftMs > 0; leftMs -= HELLO_EVERY_MS) {
      this.nowMs += Math.min(leftMs, HELLO_EVERY_MS);
      const running = [...this.devices.values()].filter(({ isOn }) => isOn);
      for (const { box } of running) box.hello();
      await this.settled();
      for (const { rooms } of running) rooms.timePassed();
      await this.settled();
    }
  }

  /** Until nothing has been said for some turns of the loop, in which files are written. */
  async settled(): Promise<void> {
    for (let [quiet, before] = [0, -1]; quiet < 5; before = this.said) {
      quiet = before === this.said && this.working === 0 ? quiet + 1 : 0;
      await new Promise((resolve) => setTimeout(resolve, 1));
    }
  }

  /** Blocks and duties until `done`; fails when it never comes. */
  async until(done: () => boolean, blocks = 6): Promise<void> {
    for (let block = 0; block < blocks && !done(); block += 1) {
      await this.pass();
      await this.block();
    }
    if (!done()) throw new Error(`it did not happen; the last lines:\n${this.lines.slice(-20).join('\n')}`);
  }

  close(): void {
    for (const { rooms, store } of this.devices.values()) {
      rooms.close();
      store.close();
    }
    rmSync(this.folder, { recursive: true, force: true });
  }

  deliver(message: PeerMessage): void {
    this.said += 1;
    const passed = this.tamper(message);
    const target = passed && this.devices.get(passed.to as DeviceName);
    if (passed && target) setImmediate(() => target.hear(passed));
  }
}

export class TestDevice {
  readonly name: DeviceName;
  readonly box: ToldBox;
  isOn = true;
  store!: Store;
  rooms!: CapsuleRooms;
  readonly published: { readonly topic: Topic; readonly payload: Uint8Array }[] = [];
  readonly #bench: Bench;
  #handlers: ((from: string, kind: CapsuleKind, payload: Uint8Array) => void)[] = [];

  constructor(bench: Bench, name: DeviceName) {
    this.name = name;
    this.#bench = bench;
    this.box = new ToldBox(
      name,
      () => bench.nowMs,
      (kind, payload) => {
        bench.said += 1;
        setImmediate(() => this.isOn && this.rooms.controller.boxSaid(this.box.name, kind, payload));
      },
    );
    this.#open();
  }

  /** As after kill -9: what was not stored is gone. @param meanwhile before it is told of its box and resumes */
  async restart(meanwhile: () => Promise<void> = () => Promise.resolve()): Promise<void> {
    this.rooms.close();
    this.store.close();
    this.#handlers = [];
    this.#open();
    this.isOn = true;
    await meanwhile();
    this.pair();
    this.rooms.resume();
  }

  /** Tells it of its box. */
  pair(): void {
    this.rooms.controller.setPairedBoxes([{ name: this.box.name, signingKey: this.box.keys.publicKey }]);
  }

  hear({ from, kind, payload }: PeerMessage): void {
    if (this.isOn) for (const handler of this.#handlers) handler(from, kind, payload);
  }

  /** A small capsule of `client` through this gateway. @returns its id */
  async submit(changes: object = {}, client = 'ada'): Promise<string> {
    const written = { capsule: 1, runtime: 'node', entry: 'main.js', content: { 'main.js': 'print(42)' }, ...changes };
    await this.rooms.gateway.clientSaid({ client, kind: 'submit', payload: text(JSON.stringify(written)) }, this.rooms.orders);
    const answer = this.last(Answer, ({ to, ...topic }) => to === 'client' && 'kind' in topic && topic.kind === 'answer');
    if (answer?.answer !== 'accepted') throw new Error(`the capsule was not accepted: ${JSON.stringify(answer)}`);
    await this.#bench.settled();
    return answer.capsule;
  }

  async cancel(capsule: string): Promise<void> {
    const payload = text(JSON.stringify({ capsule }));
    await this.rooms.gateway.clientSaid({ client: 'ada', kind: 'cancel', payload }, this.rooms.orders);
    await this.#bench.settled();
  }

  state(capsule: string): string | undefined {
    return this.store.capsule(capsule)?.order.state;
  }

  news(capsule: string): StateNews | undefined {
    return this.last(StateNews, isNews(capsule, 'state'));
  }

  result(capsule: string): ResultNews | undefined {
    return this.last(ResultNews, isNews(capsule, 'result'));
  }

  finality(capsule: string): FinalityNews | undefined {
    return this.last(FinalityNews, isNews(capsule, 'finality'));
  }

  last<T>(schema: Schema<T>, isIt: (topic: Topic) => boolean): T | undefined {
    const found = this.published.findLast(({ topic }) => isIt(topic));
    const decoded = found && decodeJson(schema, found.payload, LIMITS.packetBytesMax);
    return decoded?.status === 'decoded' ? decoded.value : undefined;
  }

  #open(): void {
    const { name } = this;
    const bench = this.#bench;
    const { node, sign, evidence } = MEMBERS[name];
    this.store = openStore(join(bench.folder, `${name}.sqlite`));
    const peers: PeerLines = {
      say: (to, kind, payload) => {
        if (this.isOn && kind !== 'response') bench.deliver({ from: name, to, kind, payload });
      },
      onSaid: (handler) => void this.#handlers.push(handler),
      close: () => undefined,
    };
    this.rooms = openCapsuleRooms({
      ...{ network, device: name, node, store: this.store, blobs: watched(new BlobStore(join(bench.folder, `${name}-blobs`)), bench) },
      ...{ peers, crypto, sign, chain: bench.chain.for(node), now: () => bench.nowMs },
      publisher: { publish: (topic, payload) => this.#published(topic, payload), publishTo: () => undefined },
      showChain: () => ({ status: 'refused', reason: 'unknown-block', detail: 'no chain is shown here' }),
      issuer: () => ({ network: networkIdentity, node, device: name, tpm: 'software-tpm', evidence, sign }),
      random: (bytes) => Uint8Array.from(randomBytes(bytes)),
      closeSecret: () => Promise.reject(new Error('this device has no TPM')),
      references: new ReferenceFiles(join(bench.folder, name)),
      boxLogs: new BlobStore(join(bench.folder, `${name}-box-logs`)),
      control: unwatched,
      log: (event, fields = {}) => void bench.lines.push(`${name} ${event} ${JSON.stringify(fields)}`),
    });
  }

  #published(topic: Topic, payload: Uint8Array | string): void {
    this.#bench.said += 1;
    const bytes = typeof payload === 'string' ? text(payload) : payload;
    if (topic.to === 'box' && topic.direction === 'down') return void setImmediate(() => this.box.told(topic.kind, bytes));
    this.published.push({ topic, payload: bytes });
  }
}

/** Control that holds nothing against anybody: what it does is for its own tests. */
const unwatched: BoxWatch = {
  fitnessOf: () => 'ready',
  boxesPaired: () => undefined,
  heard: () => undefined,
  introduced: () => undefined,
  challengeOf: () => undefined,
  attested: () => undefined,
  askNow: () => undefined,
  refused: () => undefined,
  runsChanged: () => undefined,
  energyOf: () => undefined,
  reported: () => undefined,
  command: () => Promise.resolve({ outcome: 'refused' }),
};

/** Counts what the store is at work on. */
function watched(blobs: BlobStore, bench: Bench): BlobStore {
  return new Proxy(blobs, {
    get: (target, name) => {
      const method: unknown = Reflect.get(target, name);
      if (typeof method !== 'function') return method;
      return (...line: unknown[]): unknown => {
        const result: unknown = Reflect.apply(method, target, line);
        if (!(result instanceof Promise)) return result;
        bench.working += 1;
        return result.finally(() => (bench.working -= 1));
      };
    },
  });
}

function isNews(capsule: string, kind: CapsuleNews): (topic: Topic) => boolean {
  return (topic) => topic.to === 'capsule' && topic.capsule === capsule && topic.kind === kind;
}
