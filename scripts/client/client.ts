/**
 * The client of a device: submits capsules, gives and fetches files, watches. Specification §7.3-§7.5, §8 and §14.5.
 *
 * Every request is repeated until it is answered, and news that got lost is asked for again, so a broker or a device may
 * be killed at any moment. Nothing here has to be believed: the receipt is checked with `protocol/receipt-verifier.ts`.
 */
import { randomBytes } from 'node:crypto';
import { setTimeout as sleep } from 'node:timers/promises';

import { BlobChunk, BlobNeed } from '#protocol/blob-transfer.ts';
import { HeadView, type ChainQuestion, type ChainView } from '#protocol/chain/chain-view.ts';
import { capsuleIdOf, hasEnded, type CapsuleState } from '#protocol/capsule.ts';
import { Answer, CancelRequest, Query, Submission, type Acceptance, type CapsuleLine, type ResultNews } from '#protocol/client-messages.ts';
import type { Crypto } from '#protocol/crypto.ts';
import { nobleCrypto } from '#protocol/crypto-noble.ts';
import type { FinalityNews } from '#protocol/finality-news.ts';
import { capsuleDigest, decodeManifest, encodeManifest, type Manifest } from '#protocol/manifest.ts';
import type { ConnectionState, Incoming, PublishOutcome } from '#protocol/mqtt-port.ts';
import type { Network } from '#protocol/network.ts';
import type { ClientAnswer, ClientRequest, Topic } from '#protocol/topics.ts';
import { judgeAcceptance, type Submitted } from './acceptance.ts';
import { DeviceWatch, type DeviceTrust } from './device-trust.ts';
import { Downloads, type WantedFile } from './downloads.ts';
import { ClientFailure } from './failure.ts';
import { CLIENT_LIMITS, type ClientTimes } from './limits.ts';
import type { News } from './news.ts';
import { Offers, type OfferedBlob } from './offers.ts';
import { Requests } from './requests.ts';
import { Uploads } from './uploads.ts';
import { Watches } from './watches.ts';
import { Wire, type WireSettings } from './wire.ts';

export interface ClientSettings extends WireSettings {
  /** The network file, by which the device's evidence is judged; without it signatures of acceptances stay unchecked. */
  readonly networkFile?: Network;
  readonly crypto?: Crypto;
  readonly times?: Partial<ClientTimes>;
}

export interface CapsuleToSubmit {
  readonly manifest: Manifest;
  /** One for each digest that the manifest names. */
  readonly blobs: readonly OfferedBlob[];
  /** 16 bytes; the same request again is the same capsule. Random unless given. */
  readonly request?: Uint8Array;
  /** Called as the device takes files: bytes given out, of all bytes of the capsule. It doesn't ask for what it has. */
  readonly onUpload?: ((bytes: number, total: number) => void) | undefined;
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
  readonly #times: ClientTimes;
  readonly #wire: Wire;
  readonly #deviceWatch: DeviceWatch;
  readonly #requests: Requests;
  readonly #watches: Watches;
  readonly #offers: Offers;
  readonly #uploads: Uploads;
  readonly #downloads: Downloads;
  readonly #subscribed = new Set<string>();

  constructor(settings: ClientSettings) {
    const wire = new Wire(settings);
    this.device = settings.device;
    this.client = settings.client;
    this.#settings = settings;
    this.#times = { ...CLIENT_LIMITS, ...settings.times };
    this.#wire = wire;
    this.#deviceWatch = new DeviceWatch(settings.device, settings.networkFile, settings.crypto ?? nobleCrypto);
    this.#requests = new Requests(
      this.#times,
      () => wire.situation(),
      (sentence) => wire.warn(sentence),
    );
    this.#watches = new Watches(this.#times, {
      askAgain: async (capsule) => {
        await this.status(capsule);
      },
      subscribe: (capsule) => this.#subscribeTo(capsule),
      onState: (capsule, state) => state !== 'submitted' && this.#uploads.end(capsule),
      read: (schema, message) => wire.read(schema, message),
      warn: (sentence) => wire.warn(sentence),
    });
    this.#offers = new Offers(
      async (chunk) => {
        await wire.send('upload/chunk', BlobChunk, chunk);
      },
      (sentence) => wire.warn(sentence),
    );
    this.#uploads = new Uploads(this.#offers);
    this.#downloads = new Downloads(settings.device, this.#times, (need) => void wire.send('download/need', BlobNeed, need));
  }

  /** Called once, by {@link connectClient}. */
  async open(): Promise<void> {
    const { connection } = this.#settings;
    connection.onState((state) => this.#stateChanged(state));
    await connection.connected(CLIENT_LIMITS.connectWaitMs).catch((error: unknown) => {
      throw new ClientFailure(
        'not-connected',
        `device ${this.device} is not reached: ${error instanceof Error ? error.message : String(error)}; is it running (npm start)?`,
        { cause: error },
      );
    });
    await this.#wire.subscribe(['answer', 'upload/need', 'download/chunk'], (topic, message) => this.#received(topic, message));
    this.#downloads.connected(this.#wire.isConnected);
  }

  /** Hands a capsule over: when this returns, the device has promised by signature to keep it. Its files follow on demand. */
  async submit({ manifest: given, blobs, request = randomBytes(16), onUpload }: CapsuleToSubmit): Promise<AcceptedCapsule> {
    const manifest = requireManifest(given);
    const { network, device, client } = this.#settings;
    const submitted: Submitted = { network, device, client, request, digest: capsuleDigest(manifest) };
    const capsule = capsuleIdOf({ ...submitted, capsule: submitted.digest });
    const send = (correlation: Uint8Array): Promise<PublishOutcome> =>
      this.#wire.ask('submit', Submission, { network, request, manifest }, correlation);
    this.#watches.expect(capsule);
    await this.deviceTrust();
    this.#uploads.begin(capsule, { blobs, onUpload, remind: () => void send(randomBytes(16)) });
    try {
      return await this.#acceptance(() => this.#requests.ask({ awaited: `accept the capsule "${given.name}"`, send }), submitted);
    } catch (error) {
      this.#uploads.end(capsule);
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
    const send = (correlation: Uint8Array): Promise<PublishOutcome> =>
      this.#wire.ask('query', Query, { query: 'capsule', capsule }, correlation);
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
    throw new ClientFailure(
      'no-receipt',
      `device ${this.device} has given no receipt for capsule ${capsule} within ${Math.round(waitMs / 1_000)} s`,
    );
  }

  /**
   * How sure the chain is of the receipt, as the device says: waits for `final`, with its proof, as long as it is worth it.
   * @returns the last word, not yet judged; `undefined` when the device has nothing to say about it
   */
  async finality(capsule: string, waitMs: number = CLIENT_LIMITS.finalityWaitMs): Promise<FinalityNews | undefined> {
    const heard = this.#watches.finality(capsule, waitMs);
    const settled = heard.then(() => 'settled' as const);
    do await this.status(capsule);
    while ((await Promise.race([settled, sleep(this.#times.repeatMs)])) !== 'settled');
    return heard;
  }

  /** Fetches a file of the result; goes on where an earlier attempt stopped, and checks the digest. */
  async fetchOutput(digest: Uint8Array, bytes: number, intoFile: string, onProgress?: WantedFile['onProgress']): Promise<void> {
    await this.#downloads.fetch({ digest, bytes, into: intoFile, ...(onProgress ? { onProgress } : {}) });
  }

  /** @returns the state in which the request met it; that it is `cancelled` is news */
  async cancel(capsule: string): Promise<CapsuleState> {
    const send = (correlation: Uint8Array): Promise<PublishOutcome> => this.#wire.ask('cancel', CancelRequest, { capsule }, correlation);
    const answer = await this.#requests.ask({ awaited: `answer the request to cancel capsule ${capsule}`, send });
    if (answer.answer !== 'cancelling') throw this.#unexpected(answer, 'a request to cancel');
    return answer.state;
  }

  /** This client's capsules that the device remembers. */
  async list(): Promise<CapsuleLine[]> {
    const send = (correlation: Uint8Array): Promise<PublishOutcome> => this.#wire.ask('query', Query, { query: 'list' }, correlation);
    const answer = await this.#requests.ask({ awaited: 'list the capsules', send });
    if (answer.answer !== 'capsules') throw this.#unexpected(answer, 'a query');
    return answer.capsules;
  }

  /** What the device knows of the chain: its word, not a proof (§14.5). @throws ClientFailure `refused-unknown-block` */
  async chain<S extends ChainView['show']>(question: Extract<ChainQuestion, { show: S }>): Promise<Extract<ChainView, { show: S }>> {
    const query = { query: 'chain', question } as const;
    const send = (correlation: Uint8Array): Promise<PublishOutcome> => this.#wire.ask('query', Query, query, correlation);
    const answer = await this.#requests.ask({ awaited: 'show the chain', send });
    if (answer.answer !== 'chain' || !isShowing(answer.view, question.show)) throw this.#unexpected(answer, 'a query about the chain');
    return answer.view;
  }

  /** Where the device stands on the chain: how it stood last, then every change, and at least every 3 s while it lives. */
  watchHead(hear: (view: HeadView) => void): Promise<void> {
    return this.#wire.subscribeToChain((message) => use(this.#wire.read(HeadView, message), hear));
  }

  async close(): Promise<void> {
    this.#uploads.close();
    this.#requests.close();
    this.#watches.close();
    this.#downloads.close();
    await this.#settings.connection.close();
  }

  /**
   * Asks until the acceptance holds. After a reset of its TPM a device signs with a new key and shows the evidence of it a
   * moment later; if the TPM is reset again meanwhile, only another answer, by the key after that, can be checked.
   */
  async #acceptance(ask: () => Promise<Answer>, submitted: Submitted): Promise<AcceptedCapsule> {
    const endMs = performance.now() + this.#times.newKeyWaitMs;
    for (;;) {
      const answer = await ask();
      if (answer.answer !== 'accepted') throw this.#unexpected(answer, 'a submission');
      const verdict = judgeAcceptance(answer.acceptance, submitted, this.#deviceWatch.keys, this.#settings.crypto ?? nobleCrypto);
      if (verdict.status === 'accepted')
        return { ...verdict, capsule: verdict.acceptance.capsule, state: answer.state, encodedAcceptance: answer.acceptance };
      if (verdict.reason !== 'bad-signature' || performance.now() > endMs) {
        throw new ClientFailure(
          'acceptance-refused',
          `device ${this.device} answered with an acceptance that does not hold (${verdict.reason}): ${verdict.detail}`,
        );
      }
      await this.#deviceWatch.nextStatus(this.#times.repeatMs);
    }
  }

  #subscribeTo(capsule: string): void {
    if (this.#subscribed.has(capsule)) return;
    this.#subscribed.add(capsule);
    this.#wire.subscribeToCapsule(capsule, (topic, message) => this.#received(topic, message));
  }

  #stateChanged(state: ConnectionState): void {
    this.#downloads.connected(state === 'connected');
    if (state !== 'connected') return;
    this.#requests.sendAgain();
    this.#watches.askAll();
    this.#uploads.remindAll();
  }

  #received(topic: Topic, message: Incoming): void {
    if (topic.to === 'capsule') return this.#watches.received(topic.capsule, topic.kind, message);
    if (topic.to === 'status') return this.#deviceWatch.received(message.payload);
    if (topic.to === 'client') this.#spokenTo(topic.kind, message);
  }

  #spokenTo(kind: ClientRequest | ClientAnswer, message: Incoming): void {
    if (kind === 'answer') use(this.#wire.read(Answer, message), (answer) => this.#requests.answered(message.correlationData, answer));
    if (kind === 'upload/need') use(this.#wire.read(BlobNeed, message), (need) => this.#offers.needed(need));
    if (kind === 'download/chunk') use(this.#wire.read(BlobChunk, message), (chunk) => this.#downloads.received(chunk));
  }

  #unexpected(answer: Answer, to: string): ClientFailure {
    if (answer.answer === 'refused')
      return new ClientFailure(`refused-${answer.reason}`, `device ${this.device} refuses (${answer.reason}): ${answer.detail}`);
    return new ClientFailure('no-answer', `device ${this.device} answered ${to} with "${answer.answer}", which means something else`);
  }
}

function isShowing<S extends ChainView['show']>(view: ChainView, show: S): view is Extract<ChainView, { show: S }> {
  return view.show === show;
}

function use<T>(value: T | undefined, act: (value: T) => void): void {
  if (value !== undefined) act(value);
}

/** @throws Error when the manifest contradicts itself, which is its writer's mistake */
function requireManifest(manifest: Manifest): Uint8Array {
  const encoded = encodeManifest(manifest);
  const decoded = decodeManifest(encoded);
  if (decoded.status === 'malformed') throw new Error(`this manifest can't be submitted: ${decoded.detail}`);
  return encoded;
}
