/** What clients may ask of a device, and what they are told of their capsules. Specification §7.3-§7.5. */
import { BlobChunk, BlobNeed } from '#protocol/blob-transfer.ts';
import { hasEnded } from '#protocol/capsule.ts';
import type { ChainQuestion } from '#protocol/chain/chain-view.ts';
import {
  AcceptanceMessage,
  Answer,
  CancelRequest,
  EnergyNews,
  LogNews,
  ProgressNews,
  Query,
  ResultNews,
  StateNews,
  type CapsuleLine,
  type Refusal,
} from '#protocol/client-messages.ts';
import { decodeBulk, decodeJson, encodeBulk, encodeJson, type Decoded } from '#protocol/codec.ts';
import { PowerCommand, type ControlOutcome } from '#protocol/control-messages.ts';
import { hex } from '#protocol/digest.ts';
import { LIMITS } from '#protocol/limits.ts';
import { capsuleDigest } from '#protocol/manifest.ts';
import type { RunNewsOf } from '#protocol/peer-messages.ts';
import { harmless, type Schema } from '#protocol/schema.ts';
import { signMessage } from '#protocol/signed.ts';
import { clientSubtree, isTopicName, type CapsuleNews, type ClientRequest } from '#protocol/topics.ts';
import type { ShowChain } from '../chain/chain-port.ts';
import { FinalityNews } from '#protocol/finality-news.ts';
import { DEVICE_LIMITS } from '../limits.ts';
import type { Clock, Log, OperationalSigner, Publisher, Random } from '../ports.ts';
import type { BlobStore } from '../store/blob-store.ts';
import { chunkOf } from '../store/served-chunk.ts';
import type { ClientNotation, Store, StoredCapsule } from '../store/store.ts';
import type { ClientNews } from './client-news.ts';
import { whyOf } from './order.ts';
import type { Orders } from './orders.ts';
import { takeRequest, type RequestRates } from './request-rate.ts';
import { resultOf } from './result.ts';
import { RetainedNews } from './retained-news.ts';
import { judgeManifest, readSubmission, type GatewayView, type ReadSubmission } from './submission.ts';

/** A client's message; `client` is the name in its certificate, which the broker has made sure of. */
export interface ClientMessage {
  readonly client: string;
  readonly kind: ClientRequest;
  readonly payload: Uint8Array;
  readonly contentType?: string;
  readonly responseTopic?: string;
  readonly correlationData?: Uint8Array;
}

export interface GatewayParts {
  readonly network: Uint8Array;
  readonly networkLabel: string;
  readonly node: Uint8Array;
  readonly device: string;
  readonly store: Store;
  readonly blobs: BlobStore;
  readonly publisher: Publisher;
  readonly sign: OperationalSigner;
  readonly now: Clock;
  readonly random: Random;
  readonly log: Log;
  readonly showChain: ShowChain;
  /** Does with a box of this device what a client asks, where the configuration lets it (§17.2). */
  readonly command: (client: string, command: PowerCommand) => Promise<ControlOutcome>;
}

export class Gateway implements ClientNews {
  readonly #parts: GatewayParts;
  #queryRates: RequestRates = new Map();

  constructor(parts: GatewayParts) {
    this.#parts = parts;
  }

  /** What is to be said again whenever the broker has lost what it retained. */
  retainedNews(orders: Orders): RetainedNews {
    const { store, now } = this.#parts;
    const sinceMs = (): number => now() - DEVICE_LIMITS.newsExpirySeconds * 1_000;
    return new RetainedNews({
      remembered: () => store.currentSince(sinceMs(), DEVICE_LIMITS.retainedAgainMax),
      capsule: (id) => store.capsule(id),
      say: (capsule) => this.#sayAll(capsule, orders),
    });
  }

  async clientSaid(message: ClientMessage, orders: Orders): Promise<void> {
    if (message.kind === 'upload/chunk') return this.#chunkSaid(message, orders);
    if (message.kind === 'download/need') return this.#needSaid(message);
    if (!this.#mayBeAnswered(message)) return;
    switch (message.kind) {
      case 'submit':
        return this.#submitSaid(message, orders);
      case 'cancel':
        return this.#cancelSaid(message, orders);
      case 'query':
        return this.#mayQuery(message.client) ? this.#querySaid(message, orders) : undefined;
      case 'control':
        return this.#mayQuery(message.client) ? this.#controlSaid(message) : undefined;
    }
  }

  orderChanged(capsule: StoredCapsule): void {
    const { order } = capsule;
    const why = whyOf(order);
    this.#tell(capsule, 'state', StateNews, {
      capsule: order.capsule,
      state: order.state,
      ...(why?.reason === undefined ? {} : { reason: why.reason }),
      ...(why?.detail === undefined ? {} : { detail: why.detail }),
      ...(order.executor ? { box: order.executor.box, device: order.executor.device } : {}),
      ...(order.attempt === 0 ? {} : { attempt: order.attempt }),
      atMs: this.#parts.now(),
    });
    if (hasEnded(order.state)) void this.#tellEnd(capsule);
  }

  finalityChanged(capsule: StoredCapsule, finality: FinalityNews): void {
    this.#tell(capsule, 'finality', FinalityNews, finality);
  }

  runSaid(stored: StoredCapsule, said: RunNewsOf<'progress' | 'log' | 'energy'>): void {
    const { capsule } = stored;
    if (said.news === 'progress') {
      const { permille, note } = said;
      return this.#tell(stored, 'progress', ProgressNews, { capsule, permille, ...(note === undefined ? {} : { note }) });
    }
    if (said.news === 'energy') {
      const { source, milliwatts, millijoules } = said;
      return this.#tell(stored, 'energy', EnergyNews, { capsule, source, milliwatts, millijoules });
    }
    const { stream, offset, content } = said;
    this.#tell(stored, 'log', LogNews, { capsule, attempt: stored.order.attempt, stream, offset, text: new TextDecoder().decode(content) });
  }

  /** A response topic outside the sender's own subtree is answered where the sender may read: with a refusal. */
  #mayBeAnswered(message: ClientMessage): boolean {
    const { responseTopic, client } = message;
    const own = clientSubtree(this.#parts.networkLabel, this.#parts.device, client);
    if (responseTopic === undefined || (responseTopic.startsWith(own) && isTopicName(responseTopic))) return true;
    const { responseTopic: _foreign, ...answerable } = message;
    this.#refuse(answerable, 'response-topic-forbidden', `answers go to a topic below ${own}, without wildcards`);
    return false;
  }

  async #submitSaid(message: ClientMessage, orders: Orders): Promise<void> {
    const { client, payload } = message;
    const { network, device, now, random, store } = this.#parts;
    const submission = { client, notation: notationOf(message), payload, freshRequest: random(16) };
    const read = readSubmission(submission, { network, device, atMs: now() });
    if (read.status === 'refused') return this.#refuse(message, read.reason, read.detail);
    const known = store.capsuleOfRequest(client, read.request);
    if (known) return this.#answerAccepted(message, known);
    const refusal = judgeManifest(read.manifest, await this.#view(client, orders));
    if (refusal) return this.#refuse(message, refusal.reason, refusal.detail);
    try {
      this.#answerAccepted(message, await this.#accept(message, read, orders));
    } catch (error) {
      if (!isDiskFull(error)) throw error;
      this.#refuse(
        message,
        'disk-full',
        'the device has no room to keep this capsule; try again when others have ended, or tell its operator',
      );
    }
  }

  async #view(client: string, orders: Orders): Promise<GatewayView> {
    const open = orders.openCapsules();
    return {
      runtimesByBox: orders.runtimesByBox(),
      openCapsules: open.length,
      openCapsulesOfClient: open.filter((capsule) => capsule.client === client).length,
      freeBytes: await this.#parts.blobs.freeBytes(),
      atMs: this.#parts.now(),
    };
  }

  async #accept(message: ClientMessage, read: ReadSubmission, orders: Orders): Promise<StoredCapsule> {
    const { capsule, request, manifest, encodedManifest, content } = read;
    for (const [blob, bytes] of content) {
      this.#parts.blobs.put(blob, bytes);
      this.#parts.store.addHolding(message.client, blob);
    }
    const lacking = await this.#lacking(message.client, manifest.files);
    const acceptedAtMs = this.#parts.now();
    const notation = notationOf(message);
    const accepted = { capsule, client: message.client, name: manifest.name, notation, request, manifest: encodedManifest, acceptedAtMs };
    this.#parts.log('capsuleAccepted', { capsule, client: message.client, lacking: lacking.length });
    const { policy, limits } = manifest;
    const bounds = { wallMs: limits.wallMs, ...(policy.deadlineMs === undefined ? {} : { deadlineMs: policy.deadlineMs }) };
    return this.#parts.store.capsuleOfRequest(message.client, request) ?? orders.accept(accepted, lacking, bounds);
  }

  /** What the client has not given itself counts as lacking, even when another client's blob of that digest is here. */
  async #lacking(client: string, files: readonly { digest: Uint8Array }[]): Promise<string[]> {
    const digests = [...new Set(files.map((file) => hex(file.digest)))];
    const sizes = await Promise.all(digests.map((digest) => this.#parts.blobs.size(digest)));
    return digests.filter((digest, index) => sizes[index] === undefined || !this.#parts.store.holds(client, digest));
  }

  #cancelSaid(message: ClientMessage, orders: Orders): void {
    const decoded = decodeRequest(CancelRequest, message);
    if (decoded.status === 'malformed') return this.#refuse(message, 'malformed', decoded.detail);
    const capsule = this.#own(message.client, decoded.value.capsule);
    if (!capsule) return this.#refuse(message, 'unknown-capsule', `you have no capsule ${decoded.value.capsule} here`);
    if (hasEnded(capsule.order.state))
      return this.#refuse(message, 'already-ended', `capsule ${capsule.capsule} has ended: ${capsule.order.state}`);
    orders.cancel(capsule.capsule);
    const { state } = this.#own(message.client, capsule.capsule)?.order ?? capsule.order;
    this.#answer(message, { answer: 'cancelling', capsule: capsule.capsule, state });
  }

  /** Who asks too often is not answered: clients repeat what they need. */
  #mayQuery(client: string): boolean {
    const { allowed, rates } = takeRequest(this.#queryRates, client, this.#parts.now());
    this.#queryRates = rates;
    if (!allowed) this.#parts.log('queryPassedOver', { client });
    return allowed;
  }

  #querySaid(message: ClientMessage, orders: Orders): void {
    const decoded = decodeRequest(Query, message);
    if (decoded.status === 'malformed') return this.#refuse(message, 'malformed', decoded.detail);
    if (decoded.value.query === 'list') {
      return this.#answer(message, { answer: 'capsules', capsules: this.#parts.store.capsulesOf(message.client).map(lineOf) });
    }
    if (decoded.value.query === 'chain') return this.#chainAsked(message, decoded.value.question);
    const capsule = this.#own(message.client, decoded.value.capsule);
    if (!capsule) return this.#refuse(message, 'unknown-capsule', `you have no capsule ${decoded.value.capsule} here`);
    this.#answer(message, { answer: 'capsule', ...lineOf(capsule) });
    this.#sayAll(capsule, orders);
  }

  /** What stays on the broker of a capsule. */
  #sayAll(capsule: StoredCapsule, orders: Orders): void {
    this.orderChanged(capsule);
    const finality = orders.finalityOf(capsule);
    if (finality) this.finalityChanged(capsule, finality);
  }

  async #controlSaid(message: ClientMessage): Promise<void> {
    const decoded = decodeRequest(PowerCommand, message);
    if (decoded.status === 'malformed') return this.#refuse(message, 'malformed', decoded.detail);
    const outcome = await this.#parts.command(message.client, decoded.value);
    this.#answer(message, { answer: 'control', request: decoded.value.request, ...outcome });
  }

  #chainAsked(message: ClientMessage, question: ChainQuestion): void {
    const shown = this.#parts.showChain(question);
    if (shown.status === 'refused') return this.#refuse(message, shown.reason, shown.detail);
    this.#answer(message, { answer: 'chain', view: shown.view });
  }

  #chunkSaid(message: ClientMessage, orders: Orders): void {
    const decoded = decodeBulk(BlobChunk, message.payload, LIMITS.packetBytesMax);
    if (decoded.status === 'decoded') orders.chunkFromClient(message.client, decoded.value);
    else this.#parts.log('clientMessageIgnored', { client: message.client, kind: message.kind, detail: decoded.detail });
  }

  /** A client may have the outputs of its own capsules. */
  async #needSaid(message: ClientMessage): Promise<void> {
    const decoded = decodeBulk(BlobNeed, message.payload, LIMITS.packetBytesMax);
    if (decoded.status === 'malformed')
      return this.#parts.log('clientMessageIgnored', { client: message.client, kind: message.kind, detail: decoded.detail });
    const digest = hex(decoded.value.digest);
    const isIts = this.#parts.store.hasOutput(message.client, digest);
    const total = isIts ? await this.#parts.blobs.size(digest) : undefined;
    const chunk = encodeBulk(BlobChunk, await chunkOf(this.#parts.blobs, decoded.value, total));
    const topic = { to: 'client', device: this.#parts.device, client: message.client, kind: 'download/chunk' } as const;
    this.#parts.publisher.publish(topic, chunk, { expirySeconds: DEVICE_LIMITS.downExpirySeconds });
  }

  #own(client: string, id: string): StoredCapsule | undefined {
    const capsule = this.#parts.store.capsule(id);
    return capsule?.client === client ? capsule : undefined;
  }

  async #tellEnd(capsule: StoredCapsule): Promise<void> {
    const receipt = capsule.order.receipt === 'none' ? undefined : this.#parts.store.receipt(capsule.capsule);
    this.#tell(capsule, 'result', ResultNews, await resultOf(capsule, receipt, this.#parts.blobs));
    if (receipt) this.#publishNews(capsule, 'receipt', receipt, 'application/cbor');
  }

  #tell<T>(capsule: StoredCapsule, kind: CapsuleNews, schema: Schema<T>, news: T): void {
    const payload = capsule.notation === 'json' ? encodeJson(schema, news) : encodeBulk(schema, news);
    this.#publishNews(capsule, kind, payload, contentTypeOf(capsule.notation));
  }

  /** State, result, receipt and its finality stay readable for whoever subscribes later; progress, log and energy are for those who watch. */
  #publishNews(capsule: StoredCapsule, kind: CapsuleNews, payload: Uint8Array | string, contentType: string): void {
    const topic = { to: 'capsule', device: this.#parts.device, client: capsule.client, capsule: capsule.capsule, kind } as const;
    const retain = kind !== 'progress' && kind !== 'log' && kind !== 'energy';
    this.#parts.publisher.publish(topic, payload, {
      contentType,
      retain,
      ...(retain ? { expirySeconds: DEVICE_LIMITS.newsExpirySeconds } : {}),
    });
  }

  /** Signed anew at each answer: the key that signed an earlier one may be gone with a reset of the TPM. */
  #answerAccepted(message: ClientMessage, { capsule, client, request, manifest, acceptedAtMs, order }: StoredCapsule): void {
    const { network, node, device, sign } = this.#parts;
    const acceptance = signMessage(
      AcceptanceMessage,
      { network, node, device, client, request, capsule, digest: capsuleDigest(manifest), acceptedAtMs },
      sign,
    );
    this.#answer(message, { answer: 'accepted', capsule, state: order.state, acceptance });
  }

  #refuse(message: ClientMessage, reason: Refusal, detail: string): void {
    this.#parts.log('clientRefused', { client: message.client, kind: message.kind, reason });
    this.#answer(message, { answer: 'refused', reason, detail: harmless(detail, LIMITS.noteCharactersMax) });
  }

  #answer(message: ClientMessage, answer: Answer): void {
    const notation = notationOf(message);
    const payload = notation === 'json' ? encodeJson(Answer, answer) : encodeBulk(Answer, answer);
    const options = {
      contentType: contentTypeOf(notation),
      ...(message.correlationData ? { correlationData: message.correlationData } : {}),
    };
    const { publisher, device } = this.#parts;
    if (message.responseTopic !== undefined) return publisher.publishTo(message.responseTopic, payload, options);
    publisher.publish({ to: 'client', device, client: message.client, kind: 'answer' }, payload, options);
  }
}

/** ENOSPC and EDQUOT of the file system, SQLITE_FULL (13) of the store. */
function isDiskFull(error: unknown): boolean {
  if (!(error instanceof Error)) return false;
  return ('code' in error && (error.code === 'ENOSPC' || error.code === 'EDQUOT')) || ('errcode' in error && error.errcode === 13);
}

function decodeRequest<T>(schema: Schema<T>, message: ClientMessage): Decoded<T> {
  return notationOf(message) === 'json'
    ? decodeJson(schema, message.payload, LIMITS.packetBytesMax)
    : decodeBulk(schema, message.payload, LIMITS.packetBytesMax);
}

/** JSON when the content type says so or, where there is none (MQTT 3.1.1), when the payload begins as a JSON object. */
function notationOf({ contentType, payload }: ClientMessage): ClientNotation {
  if (contentType !== undefined) return contentType === 'application/json' ? 'json' : 'cbor';
  return payload[0] === '{'.charCodeAt(0) ? 'json' : 'cbor';
}

function contentTypeOf(notation: ClientNotation): string {
  return notation === 'json' ? 'application/json' : 'application/cbor';
}

function lineOf({ capsule, name, order, acceptedAtMs, endedAtMs }: StoredCapsule): CapsuleLine {
  return {
    capsule,
    name,
    state: order.state,
    ...(hasEnded(order.state) && order.end?.reason ? { reason: order.end.reason } : {}),
    submittedAtMs: acceptedAtMs,
    ...(endedAtMs === undefined ? {} : { endedAtMs }),
    ...(hasEnded(order.state) && order.receipt !== 'none' ? { finality: order.receipt } : {}),
  };
}
