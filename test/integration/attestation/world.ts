/** The machines of three devices in a world whose time stands still unless a test moves it; their TPMs are real. */
import { answerTo } from '../../../device/attestation/host.ts';
import { startAttestation, step } from '../../../device/attestation/machine.ts';
import { decodeRecord, encodeRecord, type AttestationRecord } from '../../../device/attestation/record.ts';
import type { PeerStanding } from '../../../device/attestation/standing.ts';
import type { AttestationEffect, AttestationEvent, AttestationState, Task } from '../../../device/attestation/state.ts';
import type { Crypto } from '#protocol/crypto.ts';
import type { Network } from '#protocol/network.ts';
import type { AttestationKind } from '#protocol/topics.ts';
import { crypto as nodeCrypto, type Bench, type Device } from './bench.ts';

export interface Message {
  readonly from: string;
  readonly kind: AttestationKind;
  readonly payload: Uint8Array;
}

export class World {
  /** The certificates of these TPMs are valid from a moment ago: time begins a little later. */
  nowMs: number = Date.now() + 60_000;
  readonly nodes = new Map<string, Node>();
  readonly #queue: Message[] = [];
  /** What travels may be changed or lost. */
  tamper: (message: Message) => Message | undefined = (message) => message;

  constructor(
    bench: Bench,
    changes: {
      readonly network?: Network;
      readonly crypto?: Crypto;
      readonly records?: ReadonlyMap<string, AttestationRecord>;
      readonly leftToOthers?: readonly Uint8Array[];
    } = {},
  ) {
    const { network = bench.network, crypto = nodeCrypto, records, leftToOthers = [] } = changes;
    for (const device of bench.devices) {
      this.nodes.set(
        device.name,
        new Node(this, device, { network, crypto, leftToOthers, record: records?.get(device.name) ?? { peers: [] } }),
      );
    }
  }

  node(name: string): Node {
    const node = this.nodes.get(name);
    if (!node) throw new Error(`no node ${name}`);
    return node;
  }

  /** How one device stands with another. */
  standing(of: string, to: string): PeerStanding | undefined {
    return this.node(to).state.peers.get(of)?.standing;
  }

  publish(message: Message): void {
    this.#queue.push(message);
  }

  /** Until nobody has anything to say. */
  async settle(): Promise<void> {
    for (const node of this.nodes.values()) await node.start();
    for (let message = this.#queue.shift(); message; message = this.#queue.shift()) {
      const arriving = this.tamper(message);
      if (arriving)
        for (const node of this.nodes.values())
          if (node.device.name !== arriving.from) await node.take({ type: 'received', ...arriving, nowMs: this.nowMs });
    }
  }

  /** Time passes, in which everybody looks once at what is due, unless `silent`. */
  async pass(durationMs: number, silent: readonly string[] = []): Promise<void> {
    this.nowMs += durationMs;
    for (const [name, node] of this.nodes) if (!silent.includes(name)) await node.take({ type: 'ticked', nowMs: this.nowMs });
    await this.settle();
  }
}

interface NodeSetup {
  readonly network: Network;
  readonly crypto: Crypto;
  readonly record: AttestationRecord;
  readonly leftToOthers: readonly Uint8Array[];
}

export class Node {
  readonly state: AttestationState;
  readonly device: Device;
  readonly notes: string[] = [];
  readonly asked: Task['task'][] = [];
  /** Tasks that the TPM refuses. */
  readonly refusing = new Set<Task['task']>();
  readonly published = new Map<AttestationKind, Uint8Array>();
  record: AttestationRecord;
  readonly #world: World;
  readonly #network: Network;
  #pending: AttestationEffect[];

  constructor(world: World, device: Device, { network, crypto, record, leftToOthers }: NodeSetup) {
    const { node } = device.identity;
    const { state, effects } = startAttestation({ network, crypto, node, record, leftToOthers, nowMs: world.nowMs });
    this.state = state;
    this.device = device;
    this.record = record;
    this.#world = world;
    this.#network = network;
    this.#pending = effects;
  }

  async start(): Promise<void> {
    await this.#perform(this.#pending.splice(0));
  }

  async take(event: AttestationEvent): Promise<void> {
    await this.#perform(step(this.state, event));
  }

  async #perform(effects: readonly AttestationEffect[]): Promise<void> {
    for (const effect of effects) await this.#performOne(effect);
  }

  async #performOne(effect: AttestationEffect): Promise<void> {
    switch (effect.effect) {
      case 'persist':
        this.record = decodeRecord(encodeRecord(effect.record));
        return;
      case 'publish':
        this.published.set(effect.kind, effect.payload);
        this.#world.publish({ from: this.device.name, kind: effect.kind, payload: effect.payload });
        return;
      case 'ask':
        return this.take(await this.#answer(effect.task));
      case 'note':
        this.notes.push(`${effect.device}: ${effect.note}`);
        return;
      case 'report':
        return;
    }
  }

  async #answer(task: Task): Promise<AttestationEvent> {
    const { nowMs } = this.#world;
    this.asked.push(task.task);
    if (this.refusing.has(task.task)) return { type: 'task-failed', task, nowMs };
    const random = (bytes: number): Uint8Array => globalThis.crypto.getRandomValues(new Uint8Array(bytes));
    const news = await answerTo(task, { attester: this.device.identity, network: this.#network, clock: () => nowMs, random });
    return { ...news, nowMs };
  }
}
