/**
 * The host of the orders: takes what clients ask, what the chain decides and what executors say, stores what the orders
 * become, and does the duties that follow. Specification §15.
 *
 * It decides nothing about an order (`order.ts` does). An order is stored before anything that depends on it is said.
 */
import { runIdOf } from '#protocol/box-messages.ts';
import { BlobNeed, type BlobChunk } from '#protocol/blob-transfer.ts';
import { hasEnded, requestDigestOf } from '#protocol/capsule.ts';
import type { ChainState } from '#protocol/chain/state.ts';
import { decodeBulk, encodeBulk, encodeStrict, sameBytes } from '#protocol/codec.ts';
import type { Crypto } from '#protocol/crypto.ts';
import { blobDigest, domainDigest } from '#protocol/digest.ts';
import { FinalityNews } from '#protocol/finality-news.ts';
import { LIMITS } from '#protocol/limits.ts';
import { capsuleDigest, decodeManifest } from '#protocol/manifest.ts';
import type { Network } from '#protocol/network.ts';
import { RunNews, RunOrder, type RunNewsOf } from '#protocol/peer-messages.ts';
import { harmless } from '#protocol/schema.ts';
import type { Chain } from '../chain/chain-port.ts';
import { DEVICE_LIMITS } from '../limits.ts';
import type { Clock, Log, Peers, Publisher } from '../ports.ts';
import { BlobCollector, type BlobSource, type CollectFailure } from '../store/blob-collector.ts';
import type { BlobStore } from '../store/blob-store.ts';
import { inputSizes, outputSizesInReceipt } from '../store/run-blobs.ts';
import type { AcceptedCapsule, OrderChange, Store, StoredCapsule } from '../store/store.ts';
import type { ClientNews } from './client-news.ts';
import { boxLacking, drawIn, isMember, isNoMore, membersIn, offeredRuntimes, withdrawalOf } from './order-on-chain.ts';
import { judgeOrderReceipt } from './order-receipt.ts';
import { isNews, isOut, isSettled, newOrder, orderDuties, stepOrder } from './order.ts';
import type { Executor, Order, OrderDuty, OrderEvent } from './order.ts';

export interface OrdersParts {
  readonly network: Network;
  /** This device's name. */
  readonly device: string;
  readonly store: Store;
  readonly blobs: BlobStore;
  readonly publisher: Publisher;
  readonly chain: Chain;
  readonly peers: Peers;
  readonly crypto: Crypto;
  readonly news: ClientNews;
  readonly now: Clock;
  readonly log: Log;
}

export class Orders {
  readonly #parts: OrdersParts;
  readonly #collector: BlobCollector;
  /** Orders that can still change, by capsule; those of before are known from the first word on. */
  readonly #open: Map<string, StoredCapsule>;
  /** When the executor of a capsule was last heard. */
  readonly #heardAtMs = new Map<string, number>();
  /** In which block a client was last told that its receipt stands. */
  readonly #toldBlock = new Map<string, Uint8Array>();

  constructor(parts: OrdersParts) {
    this.#parts = parts;
    this.#open = new Map(parts.store.unsettled().map((stored) => [stored.capsule, stored]));
    this.#collector = new BlobCollector(parts.blobs, {
      ask: (source, need) => this.#askForBlob(source, need),
      stored: (source, digest) => this.#blobStored(source, digest),
      failed: (source, digest, reason, detail) => this.#blobFailed(source, digest, reason, detail),
      now: parts.now,
    });
  }

  /** Takes up again what was not settled when the program last ended. */
  resume(): void {
    this.#parts.log('ordersResumed', { open: this.#open.size });
    this.chainChanged();
    this.doDuties();
  }

  /** Stores a capsule and begins with it. It will not be lost after this returns. */
  accept(accepted: AcceptedCapsule, lacking: string[], bounds: { readonly wallMs: number; readonly deadlineMs?: number }): StoredCapsule {
    const { capsule, client, acceptedAtMs } = accepted;
    const order = newOrder({ capsule, client, acceptedAtMs, lacking, ...bounds });
    this.#parts.store.addCapsule(accepted, order);
    this.#parts.store.trimClient(client, DEVICE_LIMITS.capsulesKeptPerClientMax);
    const stored = { ...accepted, order };
    this.#open.set(capsule, stored);
    this.#parts.news.orderChanged(stored);
    this.#doDutiesOf(stored);
    return stored;
  }

  cancel(capsule: string): void {
    this.#apply(capsule, { type: 'cancelAsked' });
  }

  /** A name was paired anew: what another has done under it is not for the new one to see. */
  forgetClient(client: string): void {
    for (const { capsule } of [...this.#open.values()].filter((open) => open.client === client)) this.#forget(capsule);
    this.#parts.store.forgetClient(client);
  }

  /** Those that have not ended. */
  openCapsules(): readonly StoredCapsule[] {
    return [...this.#open.values()].filter(({ order }) => !hasEnded(order.state));
  }

  /** Runtimes that the network has for this member, by the box that offers them. */
  runtimesByBox(): ReadonlyMap<string, readonly string[]> {
    return offeredRuntimes(this.#parts.chain.head().state, this.#parts.chain.node);
  }

  chunkFromClient(client: string, chunk: BlobChunk): void {
    this.#collector.chunkReceived(`client.${client}`, chunk);
  }

  chunkFromExecutor(executor: string, chunk: BlobChunk): void {
    this.#collector.chunkReceived(`executor.${executor}`, chunk);
  }

  /** An executor may have the files of the capsules that the chain has given to it (§8). */
  mayHave(executor: string, digest: string): boolean {
    return this.openCapsules().some((capsule) => capsule.order.executor?.device === executor && inputSizes(capsule.manifest).has(digest));
  }

  /** What an executor says about a run of this gateway's. */
  newsSaid(executor: string, payload: Uint8Array): void {
    const decoded = decodeBulk(RunNews, payload, LIMITS.packetBytesMax);
    if (decoded.status === 'malformed') return this.#parts.log('peerMessageIgnored', { peer: executor, kind: 'news' });
    const news = decoded.value;
    const capsule = this.#open.get(news.run.slice(0, 32));
    if (!capsule) return this.#settledNewsSaid(executor, news);
    if (capsule.order.executor?.device !== executor || runOf(capsule.order) !== news.run) return;
    this.#heardAtMs.set(capsule.capsule, this.#parts.now());
    switch (news.news) {
      case 'state':
        return this.#stateSaid(capsule, news);
      case 'receipt':
        return this.#receiptSaid(capsule, news.receipt);
      default:
        return isOut(capsule.order) ? this.#parts.news.runSaid(capsule, news) : undefined;
    }
  }

  /** To be called after every change of the chain. */
  chainChanged(): void {
    const { state } = this.#parts.chain.head();
    for (const capsule of [...this.#open.values()]) this.#compareWithChain(capsule, state);
  }

  /** To be called every `DEVICE_LIMITS.dutyIntervalMs`. */
  timePassed(): void {
    const atMs = this.#parts.now();
    this.#collector.timePassed();
    for (const { capsule, order } of [...this.#open.values()]) {
      this.#apply(capsule, { type: 'timePassed', atMs });
      if (isOut(order) && atMs - (this.#heardAtMs.get(capsule) ?? atMs) > DEVICE_LIMITS.executorSilenceMaxMs) this.#silent(capsule, order);
      else if (isOut(order) && !this.#heardAtMs.has(capsule)) this.#heardAtMs.set(capsule, atMs);
    }
    this.chainChanged();
    this.doDuties();
  }

  /** Does again what every order owes: after a silence, a lost connection or a restart. */
  doDuties(): void {
    for (const capsule of [...this.#open.values()]) this.#doDutiesOf(capsule);
  }

  /** Of a capsule's receipt, as far as is known. */
  finalityOf(capsule: StoredCapsule): FinalityNews | undefined {
    const { store, chain } = this.#parts;
    const kept = store.finality(capsule.capsule);
    const decoded = kept && decodeBulk(FinalityNews, kept, kept.length);
    if (decoded?.status === 'decoded') return decoded.value;
    const receipt = store.receipt(capsule.capsule);
    const inclusion = receipt && chain.receiptInclusion(capsule.capsule, domainDigest('receipt', receipt));
    if (!inclusion || inclusion.status === 'unknown') return undefined;
    if (inclusion.status === 'final') return { finality: 'final', capsule: capsule.capsule, proof: inclusion.proof };
    return { finality: 'not-final', capsule: capsule.capsule, height: inclusion.height, block: inclusion.block };
  }

  #silent(capsule: string, { executor }: Order): void {
    const detail = `device ${executor?.device ?? ''} has said nothing for ${DEVICE_LIMITS.executorSilenceMaxMs / 1_000} s`;
    this.#apply(capsule, { type: 'attemptFailed', reason: 'box-lost', detail });
  }

  #stateSaid({ capsule, order }: StoredCapsule, { state, reason, detail }: RunNewsOf<'state'>): void {
    if (hasEnded(state)) {
      const words = harmless(detail ?? `device ${order.executor?.device ?? ''} gave the run up`, LIMITS.noteCharactersMax);
      return this.#apply(capsule, { type: 'attemptFailed', reason: reason ?? 'box-lost', detail: words });
    }
    this.#apply(capsule, { type: 'runMoved', state, atMs: this.#parts.now() });
    const stored = this.#open.get(capsule);
    if (stored && state === 'assigned') this.#doDutiesOf(stored);
  }

  /** Only a receipt that holds, of the box that the chain has drawn, ends a capsule. */
  #receiptSaid(capsule: StoredCapsule, encoded: Uint8Array): void {
    const { order } = capsule;
    const { executor } = order;
    if (!executor || order.state === 'reported') return;
    if (hasEnded(order.state)) return this.#acknowledgeIfKept(capsule, encoded);
    if (!isOut(order)) return;
    const { network, crypto, device, chain, now } = this.#parts;
    const ordered = { ...capsule, gateway: { node: chain.node, device }, attempt: order.attempt, executor };
    const members = membersIn(chain.head().state);
    const verdict = judgeOrderReceipt(encoded, ordered, { network: { ...network, members }, crypto, nowMs: now() });
    if (verdict.status === 'refused') {
      this.#parts.log('receiptRefused', { capsule: order.capsule, executor: executor.device, reason: verdict.reason });
      const detail = harmless(`the receipt of device ${executor.device} is refused: ${verdict.detail}`, LIMITS.noteCharactersMax);
      return this.#apply(order.capsule, { type: 'attemptFailed', reason: 'box-evidence-refused', detail });
    }
    const { state, reason } = verdict.receipt;
    const event = { type: 'receiptAccepted', state, ...(reason === undefined ? {} : { reason }) } as const;
    this.#apply(order.capsule, { ...event, lacking: [...outputSizesInReceipt(encoded).keys()] }, { receipt: encoded });
  }

  #acknowledgeIfKept({ capsule, order }: StoredCapsule, encoded: Uint8Array): void {
    const kept = this.#parts.store.receipt(capsule);
    if (order.executor && kept && sameBytes(kept, encoded)) this.#tellExecutor(order.executor, { order: 'acknowledge', run: runOf(order) });
  }

  /** An executor that has missed the acknowledgement, or serves a client that is forgotten, need not go on. */
  #settledNewsSaid(executor: string, news: RunNews): void {
    if (news.news !== 'receipt') return;
    const known = this.#parts.store.capsule(news.run.slice(0, 32));
    if (known && known.order.executor?.device !== executor) return;
    if (known) this.#acknowledgeIfKept(known, news.receipt);
    else this.#parts.peers.say(executor, 'order', encodeBulk(RunOrder, { order: 'acknowledge', run: news.run }));
  }

  #compareWithChain(capsule: StoredCapsule, state: ChainState): void {
    const { order } = capsule;
    if (order.state === 'submitted') return;
    const record = state.capsules.get(order.capsule);
    if (order.receipt !== 'none' && hasEnded(order.state)) this.#lookAtFinality(capsule);
    if (isNoMore(order, record, this.#parts.now())) return this.#apply(order.capsule, { type: 'withdrawn' });
    const end = record?.end;
    if (end && !end.receipt) this.#apply(order.capsule, { type: 'endedOnChain', ...end });
    this.#apply(order.capsule, { type: 'undrawn', attempts: record?.attempts.length ?? 0 });
    if (record?.awaitsDraw === 'yes') this.#apply(order.capsule, { type: 'boxSought', lacking: boxLacking(record, state) });
    const draw = record && drawIn(record, state);
    if (!draw) return;
    this.#apply(order.capsule, { type: 'drawn', ...draw, atMs: this.#parts.now() });
    if (record.answeredHeight !== undefined && !record.asked) this.#apply(order.capsule, { type: 'answered', attempt: draw.attempt });
    const isLost = !draw.executor.key || !isMember(draw.executor.node, state);
    if (isLost && this.#open.get(order.capsule)?.order.state !== 'reported')
      this.#apply(order.capsule, { type: 'attemptFailed', reason: 'box-lost', detail: `box ${draw.executor.box} is offered no more` });
  }

  #lookAtFinality(capsule: StoredCapsule): void {
    const finality = this.finalityOf(capsule);
    if (!finality) return;
    if (finality.finality === 'final') {
      this.#parts.log('receiptFinal', { capsule: capsule.capsule });
      this.#apply(capsule.capsule, { type: 'receiptFinal' }, { finality: encodeStrict(FinalityNews, finality) });
      return this.#parts.news.finalityChanged(capsule, finality);
    }
    const told = this.#toldBlock.get(capsule.capsule);
    if (told && sameBytes(told, finality.block)) return;
    this.#toldBlock.set(capsule.capsule, finality.block);
    this.#parts.news.finalityChanged(capsule, finality);
  }

  #apply(id: string, event: OrderEvent, kept: Pick<OrderChange, 'receipt' | 'finality'> = {}): void {
    const capsule = this.#open.get(id);
    if (!capsule) return;
    const order = stepOrder(capsule.order, event);
    if (order === capsule.order) return;
    const ends = hasEnded(order.state) && !hasEnded(capsule.order.state);
    const endedAtMs = ends ? this.#parts.now() : hasEnded(order.state) ? capsule.endedAtMs : undefined;
    const receipt = kept.receipt ?? (ends ? this.#parts.store.receipt(id) : undefined);
    const outputs = ends && order.receipt !== 'none' && receipt ? [...outputSizesInReceipt(receipt).keys()] : [];
    this.#parts.store.saveOrder(order, { ...kept, endedAtMs, outputs });
    const { endedAtMs: _before, ...rest } = capsule;
    this.#changed(capsule, { ...rest, order, ...(endedAtMs === undefined ? {} : { endedAtMs }) });
  }

  #changed({ order: before }: StoredCapsule, capsule: StoredCapsule): void {
    const { order } = capsule;
    if (isSettled(order)) this.#forget(order.capsule);
    else this.#open.set(order.capsule, capsule);
    if (order.attempt !== before.attempt || !isOut(order)) this.#heardAtMs.delete(order.capsule);
    if (isNews(before, order)) this.#tell(capsule);
    if (hasEnded(order.state) && !hasEnded(before.state)) this.#ended(order);
    if (dutyWords(order) !== dutyWords(before)) this.#doDutiesOf(capsule);
  }

  #tell(capsule: StoredCapsule): void {
    const { order } = capsule;
    const about = { capsule: order.capsule, state: order.state, attempt: order.attempt };
    const reason = order.end?.reason ?? order.failure?.reason;
    const executor = order.executor ? { executor: order.executor.device } : {};
    this.#parts.log('orderChanged', { ...about, ...executor, ...(reason === undefined ? {} : { reason }) });
    this.#parts.news.orderChanged(capsule);
  }

  #ended(order: Order): void {
    this.#toldBlock.delete(order.capsule);
    if (order.receipt === 'none' || !order.executor) return;
    this.#tellExecutor(order.executor, { order: 'acknowledge', run: runOf(order) });
  }

  #forget(capsule: string): void {
    this.#open.delete(capsule);
    this.#heardAtMs.delete(capsule);
    this.#toldBlock.delete(capsule);
  }

  #doDutiesOf(capsule: StoredCapsule): void {
    for (const duty of orderDuties(capsule.order)) this.#doDuty(capsule, duty);
  }

  #doDuty(capsule: StoredCapsule, duty: OrderDuty): void {
    const { chain } = this.#parts;
    const { order, client, request, manifest } = capsule;
    const id = order.capsule;
    const run = runOf(order);
    switch (duty.duty) {
      case 'collectInput':
        return this.#collect(`client.${client}`, duty.digests, inputSizes(capsule.manifest));
      case 'submit':
        return this.#submit(capsule);
      case 'retry':
        return chain.act({ action: 'retry', capsule: id, attempt: duty.attempt });
      case 'withdraw':
        return chain.act(withdrawalOf(order, chain.head().state.capsules.get(id)));
      case 'giveOrder':
        return this.#tellExecutor(duty.executor, { order: 'run', run, client, request, manifest });
      case 'cancelRun':
        return this.#tellExecutor(duty.executor, { order: 'cancel', run });
      case 'collectOutput':
        return this.#collect(`executor.${duty.executor.device}`, duty.digests, outputSizesInReceipt(this.#parts.store.receipt(id)));
    }
  }

  #submit({ order, client, request, manifest: encoded, acceptedAtMs }: StoredCapsule): void {
    const { chain } = this.#parts;
    const manifest = decodeManifest(encoded);
    if (manifest.status === 'malformed' || chain.head().state.capsules.has(order.capsule)) return;
    const { runtime, policy } = manifest.value;
    chain.act({
      action: 'submission',
      capsule: order.capsule,
      requestDigest: requestDigestOf(client, request),
      digest: capsuleDigest(encoded),
      manifest: blobDigest(encoded),
      manifestBytes: encoded.length,
      runtime,
      trust: policy.trust,
      acceptedAtMs,
      ...(policy.deadlineMs === undefined ? {} : { deadlineMs: policy.deadlineMs }),
    });
  }

  #tellExecutor(executor: Executor, order: RunOrder): void {
    this.#parts.peers.say(executor.device, 'order', encodeBulk(RunOrder, order));
  }

  #collect(source: BlobSource, digests: readonly string[], sizes: ReadonlyMap<string, number>): void {
    for (const digest of digests) {
      this.#collector.collect(source, { digest: Uint8Array.fromHex(digest), bytes: sizes.get(digest) ?? 0 });
    }
  }

  #askForBlob(source: BlobSource, need: BlobNeed): void {
    const name = source.slice(source.indexOf('.') + 1);
    const encoded = encodeBulk(BlobNeed, need);
    if (source.startsWith('executor.')) return this.#parts.peers.say(name, 'need', encoded);
    this.#parts.publisher.publish({ to: 'client', device: this.#parts.device, client: name, kind: 'upload/need' }, encoded, {
      expirySeconds: DEVICE_LIMITS.downExpirySeconds,
    });
  }

  #blobStored(source: BlobSource, digest: string): void {
    if (source.startsWith('client.')) this.#parts.store.addHolding(source.slice('client.'.length), digest);
    for (const { capsule } of this.#waitingFor(source)) this.#apply(capsule, { type: 'blobStored', digest });
  }

  /** Orders to which a source owes blobs. */
  #waitingFor(source: BlobSource): StoredCapsule[] {
    return [...this.#open.values()].filter(({ client, order }) =>
      order.state === 'submitted' ? source === `client.${client}` : source === `executor.${order.executor?.device ?? ''}`,
    );
  }

  #blobFailed(source: BlobSource, digest: string, reason: CollectFailure, detail: string): void {
    this.#parts.log('blobFailed', { source, digest, reason, detail });
    if (reason === 'unanswered') return;
    const endReason = reason === 'missing' ? 'blob-missing' : reason === 'disk-full' ? 'disk-full' : 'blob-wrong';
    const words = harmless(`blob ${digest}: ${detail}`, LIMITS.noteCharactersMax);
    for (const { capsule, order } of this.#waitingFor(source))
      if (order.lacking.includes(digest)) this.#apply(capsule, { type: 'blobRefused', reason: endReason, detail: words });
  }
}

function runOf({ capsule, attempt }: Order): string {
  return runIdOf(capsule, attempt);
}

/** Which duties an order has: while they stay the same, the regular repetition is enough. */
function dutyWords(order: Order): string {
  return [order.state, order.attempt, order.executor?.box ?? '', ...orderDuties(order).map(({ duty }) => duty)].join(' ');
}
