/**
 * The client of a device: submits capsules, gives and fetches files, watches. Specification §7.3-§7.5 and §8.
 *
 * Every request is repeated until it is answered, and news that got lost is asked for again, so a broker or a device may
 * be killed at any moment. Nothing here has to be believed: the receipt is checked with `protocol/receipt-verifier.ts`.
 */
import { randomBytes } from 'node:crypto';

import { BlobChunk, BlobNeed } from '#protocol/blob-transfer.ts';
import { capsuleIdOf, hasEnded, type CapsuleState } from '#protocol/capsule.ts';
import { Answer, CancelRequest, Query, Submission, type Acceptance, type CapsuleLine, type ResultNews } from '#protocol/client-messages.ts';
import { encodeBulk } from '#protocol/codec.ts';
import type { Crypto } from '#protocol/crypto.ts';
import { nobleCrypto } from '#protocol/crypto-noble.ts';
import { LIMITS } from '#protocol/limits.ts';
import { capsuleDigest, decodeManifest, encodeManifest, type Manifest } from '#protocol/manifest.ts';
import type { Connection, ConnectionState, Incoming, PublishOptions, PublishOutcome } from '#protocol/mqtt-port.ts';
import type { Schema } from '#protocol/schema.ts';
import type { Network } from '#protocol/network.ts';
import { clientSubtree, parseTopic, topicOf, type ClientRequest } from '#protocol/topics.ts';
import { judgeAcceptance, type Submitted } from './acceptance.ts';
import { DeviceWatch, type DeviceTrust } from './device-trust.ts';
import { Downloads, type WantedFile } from './downloads.ts';
import { ClientFailure } from './failure.ts';
import { CLIENT_LIMITS, type ClientTimes } from './limits.ts';
import { CBOR, readMessage } from './message.ts';
import type { News } from './news.ts';
import { Offers, type OfferedBlob } from './offers.ts';
import { Requests } from './requests.ts';
import { Watches } from './watches.ts';

/** Who speaks with whom. `network`: the 32-byte id; its first 8 bytes stand in topics. */
export interface Parties {
  readonly network: Uint8Array;
  readonly device: string;
  readonly client: string;
}

export interface ClientSettings extends Parties {
  readonly connection: Connection;
  /** Where it leads, for people: `mqtts://host:port`. */
  readonly address: string;
  /** The network file, by which the device's evidence is judged; without it signatures of acceptances stay unchecked. */
  readonly networkFile?: Network;
  readonly crypto?: Crypto;
  /** For sentences about messages and files that had to be passed over. */
  readonly warn?: (sentence: string) => void;
  readonly times?: Partial<ClientTimes>;
}

export interface CapsuleToSubmit {
  readonly manifest: Manifest;
  /** One for each digest that the manifest names. */
  readonly blobs: readonly OfferedBlob[];
  /** 16 bytes; the same request again is the same capsule. Random unless given. */
  readonly request?: Uint8Array;
  /** Called as the device takes files: bytes given out, of all bytes of the capsule. It doesn't ask for what it has. */
  readonly onUpload?: (bytes: number, total: number) => void;
}

export interface AcceptedCapsule {
  readonly capsule: string;
  readonly state: CapsuleState;
  readonly acceptance: Acceptance;
  /** The signed message, to be kept. */
  readonly encodedAcceptance: Uint8Array;
  /** `unchecked`: the device's key is not known from evidence. */
  readonly signature: 'checked' | 'unchecked';
}

/** Connects, subscribes, and answers the device from then on. @throws ClientFailure `not-connected`; the connection stays the caller's to close then */
export async function connectClient(settings: ClientSettings): Promise<Client> {
  const client = new Client(settings);
  await client.open();
  return client;
}

/** All that fails for a reason of the other side throws {@link ClientFailure}. */
export class Client {
  readonly device: string;
  readonly client: string;
  readonly #settings: ClientSettings;
  readonly #label: string;
  readonly #times: ClientTimes;
  readonly #deviceWatch: DeviceWatch;
  readonly #subscribed = new Set<string>();
  readonly #requests: Requests;
  readonly #watches: Watches;
  readonly #offers: Offers;
  readonly #downloads: Downloads;
  readonly #uploading = new Map<string, () => void>();
  readonly #reminders = new Map<string, () => void>();

  constructor(settings: ClientSettings) {
    const times: ClientTimes = { ...CLIENT_LIMITS, ...settings.times };
    const warn = settings.warn ?? (() => undefined);
    this.device = settings.device;
    this.client = settings.client;
    this.#settings = settings;
    this.#label = settings.network.subarray(0, 8).toHex();
    this.#requests = new Requests(times, () => this.#situation());
    this.#times = times;
    this.#deviceWatch = new DeviceWatch(settings.device, settings.networkFile, settings.crypto ?? nobleCrypto);
    this.#watches = new Watches(times, {
      askAgain: async (capsule) => void (await this.status(capsule)),
      subscribe: (capsule) => this.#subscribeTo(capsule),
      onState: (capsule, state) => void (state !== 'submitted' && this.#uploading.get(capsule)?.()),
      warn,
    });
    this.#offers = new Offers(async (chunk) => void (await this.#publish('upload/chunk', BlobChunk, chunk, {})), warn);
    this.#downloads = new Downloads(settings.device, times, (need) => void this.#send('download/need', BlobNeed, need, {}));
  }

  /** Called once, by {@link connectClient}. */
  async open(): Promise<void> {
    const { connection } = this.#settings;
    const subtree = this.#subtree();
    connection.onState((state) => this.#stateChanged(state));
    await connection.connected(CLIENT_LIMITS.connectWaitMs).catch((error: unknown) => {
      throw new ClientFailure('not-connected', `device ${this.device} is not reached: ${error instanceof Error ? error.message : String(error)}; is it running (npm start)?`, { cause: error });
    });
    const receive = (message: Incoming): void => this.#received(message);
    // Not the whole subtree: the broker would send back our uploads, and the retained results of all capsules.
    const filters = ['answer', 'upload/need', 'download/chunk'].map((kind) => `${subtree}${kind}`);
    const status = topicOf(this.#label, { to: 'status', device: this.device });
    await Promise.all([...filters, status].map((filter) => connection.subscribe(filter, receive)));
    this.#downloads.connected(this.#isConnected());
  }

  /** Hands a capsule over: when this returns, the device has promised by signature to keep it. Its files follow on demand. */
  async submit(toSubmit: CapsuleToSubmit): Promise<AcceptedCapsule> {
    const manifest = requireManifest(toSubmit.manifest);
    const { network, device, client } = this.#settings;
    const submitted: Submitted = { network, device, client, request: toSubmit.request ?? randomBytes(16), digest: capsuleDigest(manifest) };
    const capsule = capsuleIdOf({ ...submitted, capsule: submitted.digest });
    const send = (correlation: Uint8Array): Promise<PublishOutcome> => this.#ask('submit', Submission, { network, request: submitted.request, manifest }, correlation);
    this.#watches.expect(capsule);
    await this.deviceTrust();
    const withdraw = this.#offer(capsule, toSubmit, () => void send(randomBytes(16)));
    try {
      const answer = await this.#requests.ask({ awaited: `accept the capsule "${toSubmit.manifest.name}"`, send });
      return this.#accepted(answer, submitted);
    } catch (error) {
      withdraw();
      throw error;
    }
  }

  /** What the device's evidence shows; `unknown` without a network file. */
  deviceTrust(): Promise<DeviceTrust> {
    return this.#deviceWatch.trust(this.#times.statusWaitMs);
  }

  /** News of a capsule from now on, of one submitted here from its beginning; ends with the result. */
  watch(capsule: string): AsyncIterableIterator<News> {
    return this.#watches.watch(capsule);
  }

  /** The device's record of a capsule; its state, result and receipt are published again for whoever watches. */
  async status(capsule: string): Promise<CapsuleLine> {
    const send = (correlation: Uint8Array): Promise<PublishOutcome> => this.#ask('query', Query, { query: 'capsule', capsule }, correlation);
    const answer = await this.#requests.ask({ awaited: `answer a query about the capsule ${capsule}`, send });
    if (answer.answer !== 'capsule') throw this.#unexpected(answer, 'a query');
    const { answer: _, ...line } = answer;
    return line;
  }

  /** Waits for the end of a capsule, as long as its device answers. */
  async result(capsule: string): Promise<ResultNews> {
    for await (const news of this.watch(capsule)) {
      if (news.news === 'result') return news;
    }
    const { state } = await this.status(capsule);
    return { capsule, state, outputs: [] };
  }

  /** The receipt, as it came: not yet judged. Only a capsule that was run has one. */
  async receipt(capsule: string, waitMs: number = CLIENT_LIMITS.receiptWaitMs): Promise<Uint8Array> {
    const until = Date.now() + waitMs;
    for (let leftMs = waitMs; leftMs > 0; leftMs = until - Date.now()) {
      const next = this.#watches.nextReceipt(capsule, Math.min(leftMs, CLIENT_LIMITS.repeatMs));
      const { state } = await this.status(capsule);
      const receipt = await next;
      if (receipt) return receipt;
      if (!hasEnded(state)) throw new ClientFailure('no-receipt', `capsule ${capsule} is ${state}; it gets its receipt when it has ended`);
    }
    throw new ClientFailure('no-receipt', `device ${this.device} has given no receipt for capsule ${capsule} within ${Math.round(waitMs / 1_000)} s`);
  }

  /** Fetches a file of the result; goes on where an earlier attempt stopped, and checks the digest. */
  async fetchOutput(digest: Uint8Array, bytes: number, intoFile: string, onProgress?: WantedFile['onProgress']): Promise<void> {
    await this.#downloads.fetch({ digest, bytes, into: intoFile, ...(onProgress ? { onProgress } : {}) });
  }

  /** @returns the state in which the request met it; that it is `cancelled` is news */
  async cancel(capsule: string): Promise<CapsuleState> {
    const send = (correlation: Uint8Array): Promise<PublishOutcome> => this.#ask('cancel', CancelRequest, { capsule }, correlation);
    const answer = await this.#requests.ask({ awaited: `answer the request to cancel capsule ${capsule}`, send });
    if (answer.answer !== 'cancelling') throw this.#unexpected(answer, 'a request to cancel');
    return answer.state;
  }

  /** This client's capsules that the device remembers. */
  async list(): Promise<CapsuleLine[]> {
    const send = (correlation: Uint8Array): Promise<PublishOutcome> => this.#ask('query', Query, { query: 'list' }, correlation);
    const answer = await this.#requests.ask({ awaited: 'list the capsules', send });
    if (answer.answer !== 'capsules') throw this.#unexpected(answer, 'a query');
    return answer.capsules;
  }

  async close(): Promise<void> {
    for (const stop of this.#uploading.values()) stop();
    this.#requests.close();
    this.#watches.close();
    this.#downloads.close();
    await this.#settings.connection.close();
  }

  #accepted(answer: Answer, submitted: Submitted): AcceptedCapsule {
    if (answer.answer !== 'accepted') throw this.#unexpected(answer, 'a submission');
    const verdict = judgeAcceptance(answer.acceptance, submitted, this.#deviceWatch.keys, this.#settings.crypto ?? nobleCrypto);
    if (verdict.status === 'refused') {
      throw new ClientFailure('acceptance-refused', `device ${this.device} answered with an acceptance that does not hold (${verdict.reason}): ${verdict.detail}`);
    }
    const { acceptance, signature } = verdict;
    return { capsule: acceptance.capsule, state: answer.state, acceptance, encodedAcceptance: answer.acceptance, signature };
  }

  /** Once; the connection renews it. What is published after this call arrives, so nobody has to wait for the broker's answer. */
  #subscribeTo(capsule: string): void {
    if (this.#subscribed.has(capsule)) return;
    this.#subscribed.add(capsule);
    const subscribed = this.#settings.connection.subscribe(`${this.#subtree()}capsules/${capsule}/+`, (message) => this.#received(message));
    subscribed.catch((error: unknown) => this.#settings.warn?.(`the broker does not show this client its capsule ${capsule}: ${String(error)}`));
  }

  /** Offers the files until the capsule is past `submitted`, that is, until the device has them all; `again` reminds it after a reconnection. */
  #offer(capsule: string, { blobs, onUpload }: CapsuleToSubmit, again: () => void): () => void {
    const total = blobs.reduce((sum, blob) => sum + blob.bytes, 0);
    const ends = new Map<OfferedBlob, number>();
    const served = (blob: OfferedBlob, end: number): void => {
      ends.set(blob, Math.max(end, ends.get(blob) ?? 0));
      onUpload?.([...ends.values()].reduce((sum, bytes) => sum + bytes, 0), total);
    };
    this.#offers.add(blobs, served);
    const withdraw = (): void => {
      this.#uploading.delete(capsule);
      this.#reminders.delete(capsule);
      this.#offers.withdraw(blobs, served);
    };
    this.#uploading.set(capsule, withdraw);
    this.#reminders.set(capsule, again);
    return withdraw;
  }

  #stateChanged(state: ConnectionState): void {
    this.#downloads.connected(state === 'connected');
    if (state !== 'connected') return;
    this.#requests.sendAgain();
    this.#watches.askAll();
    for (const remind of this.#reminders.values()) remind();
  }

  #isConnected(): boolean {
    return this.#settings.connection.state === 'connected';
  }

  #received(message: Incoming): void {
    const topic = parseTopic(this.#label, message.topic);
    if (topic?.to === 'capsule') return this.#watches.received(topic.capsule, topic.kind, message);
    if (topic?.to === 'status') return this.#deviceWatch.received(message.payload);
    if (topic?.to !== 'client') return;
    if (topic.kind === 'answer') this.#take(Answer, message, (answer) => this.#requests.answered(message.correlationData, answer));
    if (topic.kind === 'upload/need') this.#take(BlobNeed, message, (need) => this.#offers.needed(need));
    if (topic.kind === 'download/chunk') this.#take(BlobChunk, message, (chunk) => this.#downloads.received(chunk));
  }

  #take<T>(schema: Schema<T>, message: Incoming, use: (value: T) => void): void {
    const decoded = readMessage(schema, message, LIMITS.packetBytesMax);
    if (decoded.status === 'decoded') use(decoded.value);
    else this.#settings.warn?.(`a message of the device on ${message.topic} is not understood: ${decoded.detail}`);
  }

  #ask<T>(kind: ClientRequest, schema: Schema<T>, value: T, correlationData: Uint8Array): Promise<PublishOutcome> {
    return this.#send(kind, schema, value, { responseTopic: `${this.#subtree()}answer`, correlationData });
  }

  /** What is not sent is lost like any other message: whoever waits for the answer sends again. */
  #send<T>(kind: ClientRequest, schema: Schema<T>, value: T, properties: PublishOptions): Promise<PublishOutcome> {
    return this.#isConnected() ? this.#publish(kind, schema, value, properties) : Promise.resolve('dropped');
  }

  #publish<T>(kind: ClientRequest, schema: Schema<T>, value: T, properties: PublishOptions): Promise<PublishOutcome> {
    const { connection, device, client } = this.#settings;
    const topic = topicOf(this.#label, { to: 'client', device, client, kind });
    return connection.publish(topic, encodeBulk(schema, value), { contentType: CBOR, ...properties });
  }

  #subtree(): string {
    return clientSubtree(this.#label, this.device, this.client);
  }

  #situation(): string {
    const reached = this.#isConnected() ? 'its broker is reached' : 'its broker is not reached';
    return `device ${this.device} (${reached} at ${this.#settings.address})`;
  }

  #unexpected(answer: Answer, to: string): ClientFailure {
    if (answer.answer === 'refused') return new ClientFailure(`refused-${answer.reason}`, `device ${this.device} refuses (${answer.reason}): ${answer.detail}`);
    return new ClientFailure('no-answer', `device ${this.device} answered ${to} with "${answer.answer}", which means something else`);
  }
}

/** @throws Error when the manifest contradicts itself, which is its writer's mistake */
function requireManifest(manifest: Manifest): Uint8Array {
  const encoded = encodeManifest(manifest);
  const decoded = decodeManifest(encoded);
  if (decoded.status === 'malformed') throw new Error(`this manifest can't be submitted: ${decoded.detail}`);
  return encoded;
}
