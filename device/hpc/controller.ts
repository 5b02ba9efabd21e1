/**
 * The host of the jobs: takes what the chain assigns, what gateways and boxes say, stores what the jobs become, and does the
 * duties that follow. Specification §6.4, §7.6, §15.3.
 *
 * It decides nothing about a job (`job.ts` does). A job is stored before anything that depends on it is said.
 */
import { BlobNeed, type BlobChunk } from '#protocol/blob-transfer.ts';
import { capsuleIdOf, hasEnded } from '#protocol/capsule.ts';
import { decodeBulk, encodeBulk, sameBytes } from '#protocol/codec.ts';
import { blobDigest, domainDigest, hex } from '#protocol/digest.ts';
import { LIMITS } from '#protocol/limits.ts';
import { capsuleDigest, decodeManifest } from '#protocol/manifest.ts';
import { RunNews, RunOrder } from '#protocol/peer-messages.ts';
import { harmless } from '#protocol/schema.ts';
import type { BoxUp } from '#protocol/topics.ts';
import type { Chain } from '../chain/chain-port.ts';
import { DEVICE_LIMITS } from '../limits.ts';
import type { BoxWatch } from '../control/ports.ts';
import type { Clock, Log, OperationalSigner, Peers, Publisher, Random } from '../ports.ts';
import { BlobCollector, type BlobSource, type CollectFailure } from '../store/blob-collector.ts';
import type { BlobStore } from '../store/blob-store.ts';
import type { StoredJob } from '../store/job-store.ts';
import { inputSizes, outputSizes } from '../store/run-blobs.ts';
import type { Store } from '../store/store.ts';
import { assignmentsOf, standingOf } from './assignments.ts';
import { BoxEar } from './box-ear.ts';
import { BoxLink } from './box-link.ts';
import type { PairedBox } from './box-registry.ts';
import { BoxOffers } from './box-offers.ts';
import { trustLacking } from './box-standing.ts';
import { Boxes } from './boxes.ts';
import { ControlledJobs } from './controlled-jobs.ts';
import { BoxMeasuring, type MeasuringParts } from './box-measuring.ts';
import type { Listener } from './box-voice.ts';
import { answerOf, dutiesOf, hasReceipt, isClosed, isOnBox, newJob, runOf, stepJob, type Duty, type Job, type JobEvent } from './job.ts';
import { issueReceipt, type Issuer } from './receipt-issuer.ts';

export interface ControllerParts {
  readonly store: Store;
  readonly blobs: BlobStore;
  readonly publisher: Publisher;
  readonly chain: Chain;
  readonly peers: Peers;
  readonly listener: Listener;
  readonly sign: OperationalSigner;
  /** The device with evidence fresh enough for a receipt; undefined while it has none. */
  readonly issuer: () => Issuer | undefined;
  readonly now: Clock;
  readonly random: Random;
  readonly log: Log;
  /** Of boxes with a TPM (§6.5): who certifies them, the device's TPM, what they may measure, and where their logs lie. */
  readonly measuring: Pick<MeasuringParts, 'authorities' | 'closeSecret' | 'references' | 'logs'>;
  readonly control: BoxWatch;
}

export class Controller {
  readonly #parts: ControllerParts;
  readonly #collector: BlobCollector;
  readonly #link: BoxLink;
  readonly #boxes: Boxes;
  readonly #offers: BoxOffers;
  readonly #ear: BoxEar;
  readonly #measuring: BoxMeasuring;
  /** What control does by this room (§17.2). */
  readonly underControl: ControlledJobs;
  /** Jobs that still owe something, by run id; those of before are known from the first word on. */
  readonly #open: Map<string, StoredJob>;
  /** Runs whose assignment is not in the head, and since when (§15.3). */
  readonly #unseenSinceMs = new Map<string, number>();

  constructor(parts: ControllerParts) {
    this.#parts = parts;
    this.#open = new Map(parts.store.jobs.unclosed().map((stored) => [runOf(stored.job), stored]));
    this.#boxes = new Boxes(parts);
    this.#link = new BoxLink(parts.publisher, { ...parts.listener, sign: parts.sign });
    this.#collector = new BlobCollector(parts.blobs, {
      ask: (source, need) => this.#askForBlob(source, need),
      stored: (source, digest) => this.#blobStored(source, digest),
      failed: (source, digest, reason, detail) => this.#blobFailed(source, digest, reason, detail),
      now: parts.now,
    });
    this.#measuring = new BoxMeasuring({
      ...parts,
      ...{ ...parts.measuring, ...parts.listener, paired: () => this.#boxes.all() },
      ask: (box, need) => this.#link.need(box, need),
    });
    this.#offers = new BoxOffers(parts, this.#boxes, {
      offering: (box) => this.underControl.offeringOf(box),
      level: (box) => this.#measuring.levelOf(box),
    });
    this.underControl = new ControlledJobs({
      ...parts,
      ...{ link: this.#link, measuring: this.#measuring, open: () => this.#open.values(), changed: () => this.#lookAgain() },
      ...{ apply: this.#apply.bind(this), tellNews: this.#tellNews.bind(this) },
    });
    this.#ear = new BoxEar({
      ...parts,
      ...{ measuring: this.#measuring, boxes: this.#boxes, link: this.#link },
      suspected: ({ box, detail }) => parts.control.refused(box, detail),
      jobOf: (box, run) => this.#jobOf(box, run),
      wasGiven: (box, run) => this.#parts.store.jobs.job(...partsOf(run))?.job.box === box,
      apply: (run, event) => this.#apply(run, event),
      progressed: (stored, progress) => this.#tellNews(stored.job, { news: 'progress', ...progress }),
      logged: (stored, log) => this.#tellNews(stored.job, { news: 'log', ...log }),
      chunkReceived: (box, chunk) => this.#collector.chunkReceived(`box.${box}`, chunk),
      mayHaveInput: (box, digest) =>
        [...this.#open.values()].some(({ job, manifest }) => job.box === box && isOnBox(job) && inputSizes(manifest).has(digest)),
      introduced: () => this.#lookAgain(),
    });
  }

  /** Takes up again what was not finished when the program last ended. */
  resume(): void {
    this.underControl.resume();
    this.#parts.log('jobsResumed', { open: this.#open.size });
    this.chainChanged();
    this.doDuties();
  }

  setPairedBoxes(paired: readonly PairedBox[]): void {
    this.#boxes.setPaired(paired);
    this.#parts.control.boxesPaired(paired);
    this.underControl.resume();
    this.#offers.look();
  }

  boxNames(): readonly string[] {
    return this.#boxes.names();
  }

  /** A message of the box `name`, which the broker has made sure of. */
  boxSaid(name: string, kind: BoxUp, payload: Uint8Array): void {
    this.#ear.boxSaid(name, kind, payload);
  }

  /** To be called after every change of the chain: takes what is assigned, lets go of what is not. */
  chainChanged(): void {
    const { chain } = this.#parts;
    const { state } = chain.head();
    for (const [run, assignment] of assignmentsOf(chain.node, state)) {
      if (this.#open.has(run)) continue;
      const known = this.#parts.store.jobs.job(assignment.capsule, assignment.attempt);
      if (known) this.#open.set(run, known);
      else this.#begin({ job: newJob(assignment) });
    }
    for (const stored of [...this.#open.values()]) this.#compareWithChain(stored);
    this.#offers.look();
  }

  /** What a gateway says about a run of this device. */
  orderSaid(gateway: string, payload: Uint8Array): void {
    const decoded = decodeBulk(RunOrder, payload, LIMITS.packetBytesMax);
    if (decoded.status === 'malformed') return this.#parts.log('peerMessageIgnored', { peer: gateway, kind: 'order' });
    const order = decoded.value;
    const stored = this.#open.get(order.run) ?? this.#parts.store.jobs.job(...partsOf(order.run));
    if (!stored || stored.job.gateway.device !== gateway) return;
    switch (order.order) {
      case 'run':
        return this.#orderGiven(stored, order);
      case 'cancel':
        return this.#apply(order.run, { type: 'cancelAsked' });
      case 'acknowledge':
        return this.#apply(order.run, { type: 'acknowledged' });
    }
  }

  chunkFromGateway(gateway: string, chunk: BlobChunk): void {
    this.#collector.chunkReceived(`gateway.${gateway}`, chunk);
  }

  /** A gateway may have what its runs have left (§8). */
  mayHave(gateway: string, digest: string): boolean {
    return [...this.#open.values()].some(
      ({ job }) => job.gateway.device === gateway && hasReceipt(job) && outputSizes(job.report).has(digest),
    );
  }

  /** To be called every `DEVICE_LIMITS.dutyIntervalMs`. */
  timePassed(): void {
    const atMs = this.#parts.now();
    this.#collector.timePassed();
    this.#measuring.timePassed();
    for (const [run, { job }] of [...this.#open]) {
      this.#apply(run, { type: 'timePassed', atMs, nonce: this.#parts.random(32) });
      if (!hasEnded(job.state) && this.#boxes.silenceMs(job.box) > DEVICE_LIMITS.boxSilenceMaxMs) this.#apply(run, { type: 'boxSilent' });
    }
    this.underControl.timePassed();
    this.chainChanged();
    this.doDuties();
  }

  /** Does again what every open job owes: after a silence, a lost connection or a restart. */
  doDuties(): void {
    for (const stored of [...this.#open.values()]) this.#doDutiesOf(stored);
  }

  #lookAgain(): void {
    this.#offers.look();
    this.doDuties();
  }

  #begin(stored: StoredJob): void {
    this.#parts.store.jobs.save(stored);
    this.#open.set(runOf(stored.job), stored);
    const { capsule, attempt, box, gateway } = stored.job;
    this.#parts.log('jobAssigned', { capsule, attempt, box, gateway: gateway.device });
    this.#doDutiesOf(stored);
  }

  #compareWithChain(stored: StoredJob): void {
    const { chain, now } = this.#parts;
    const run = runOf(stored.job);
    const digest = stored.receipt && domainDigest('receipt', stored.receipt);
    const standing = standingOf(stored.job, chain.node, chain.head().state, digest);
    if (standing !== 'unseen') this.#unseenSinceMs.delete(run);
    if (standing === 'gone') return this.#apply(run, { type: 'withdrawn' });
    if (standing === 'assigned') {
      if (stored.job.standing === 'withdrawn') this.#apply(run, { type: 'assignedAgain' });
      this.#answer(stored.job);
      if (digest && chain.receiptInclusion(stored.job.capsule, digest).status === 'final') this.#apply(run, { type: 'receiptFinal' });
      return;
    }
    const sinceMs = this.#unseenSinceMs.get(run) ?? now();
    this.#unseenSinceMs.set(run, sinceMs);
    if (now() - sinceMs > DEVICE_LIMITS.withdrawalWaitMs) this.#apply(run, { type: 'withdrawn' });
  }

  /** So that a run that goes on is not given to another box. */
  #answer(job: Job): void {
    const { capsule, attempt } = job;
    const asked = this.#parts.chain.head().state.capsules.get(capsule)?.asked?.height;
    const run = answerOf(job);
    if (asked !== undefined && run) this.#parts.chain.act({ action: 'answer', capsule, attempt, run, asked });
  }

  /** What the chain has of the capsule decides whether these are its manifest, its client and its request. */
  #orderGiven(stored: StoredJob, order: RunOrder & { order: 'run' }): void {
    const { job, receipt } = stored;
    // A gateway that asks anew has lost the receipt: its chain had undone the draw for a while.
    if (receipt) return this.#tellNews(job, { news: 'receipt', run: order.run, receipt });
    if (job.order || hasEnded(job.state)) return;
    const { client, request, manifest } = order;
    const decoded = decodeManifest(manifest);
    const id = capsuleIdOf({ network: this.#parts.listener.network, device: job.gateway.device, client, request, capsule: job.digest });
    const isOrdered = sameBytes(blobDigest(manifest), job.manifest) && sameBytes(capsuleDigest(manifest), job.digest);
    if (decoded.status === 'malformed' || !isOrdered || id !== job.capsule)
      return this.#parts.log('orderRefused', {
        capsule: job.capsule,
        gateway: job.gateway.device,
        reason: isOrdered ? 'client' : 'manifest',
      });
    const digests = [...new Set(decoded.value.files.map((file) => hex(file.digest)))];
    const lacking = digests.filter((digest) => !this.#parts.store.holds(gatewaySource(job), digest));
    this.#open.set(runOf(job), { ...stored, manifest });
    this.#apply(runOf(job), { type: 'orderGiven', client, request, lacking });
  }

  #jobOf(box: string, run: string): StoredJob | undefined {
    const stored = this.#open.get(run);
    return stored && stored.job.box === box && !hasEnded(stored.job.state) ? stored : undefined;
  }

  #apply(run: string, event: JobEvent): void {
    const stored = this.#open.get(run);
    if (!stored) return;
    const job = stepJob(stored.job, event);
    if (job !== stored.job) this.#changed(stored, { ...stored, job });
  }

  #changed(before: StoredJob, stored: StoredJob): void {
    const { job } = stored;
    this.#parts.store.jobs.save(stored);
    if (isClosed(job)) this.#open.delete(runOf(job));
    else this.#open.set(runOf(job), stored);
    if (job.state !== before.job.state) {
      const { capsule, state, attempt, end } = job;
      this.#parts.log('jobChanged', { capsule, state, attempt, box: job.box, ...(end?.reason ? { reason: end.reason } : {}) });
    }
    this.underControl.jobChanged(job);
    if (hasEnded(job.state) && !hasEnded(before.job.state)) this.#letBoxForget(job);
    if (dutyWords(job) !== dutyWords(before.job)) this.#doDutiesOf(stored);
  }

  #letBoxForget(job: Job): void {
    if (hasReceipt(job)) this.#link.acknowledge(job.box, runOf(job));
    else this.#ear.dropRun(job.box, runOf(job));
  }

  #doDutiesOf(stored: StoredJob): void {
    for (const duty of dutiesOf(stored.job)) this.#doDuty(stored, duty);
  }

  #doDuty(stored: StoredJob, duty: Duty): void {
    const { job, manifest, receipt } = stored;
    const { capsule, attempt, box } = job;
    const run = runOf(job);
    switch (duty.duty) {
      case 'tellState':
        return this.#tellState(job);
      case 'collectInput':
        return this.#collect(gatewaySource(job), duty.digests, inputSizes(stored.manifest));
      case 'beginMeasuring':
        if (!this.underControl.mayBegin(box)) return;
        return this.#apply(run, { type: 'measuringBegun', nonce: this.#parts.random(32), atMs: this.#parts.now() });
      case 'challenge':
        return this.#link.challenge(box, run, duty.measuring, { check: duty.check, activation: this.#measuring.activationFor(box) });
      case 'assign':
        return manifest && this.#link.assign(box, run, { capsule, attempt, manifest, assignedAtMs: this.#parts.now() });
      case 'cancelRun':
        return this.#link.cancel(box, run, 'cancelled-by-client');
      case 'collectOutput':
        return this.#collect(`box.${box}`, duty.digests, outputSizes(job.report));
      case 'issueReceipt':
        return this.#issueReceipt(stored);
      case 'deliverReceipt':
        return receipt && this.#tellNews(job, { news: 'receipt', run, receipt });
      case 'settle':
        return receipt && this.#settle(job, receipt);
      case 'giveUp':
        return this.#parts.chain.act({ action: 'answer', capsule, attempt, run: duty.run });
    }
  }

  #tellState(job: Job): void {
    const { state, end } = job;
    const ended = hasEnded(state) ? end : undefined;
    const reason = ended?.reason === undefined ? {} : { reason: ended.reason };
    const detail = ended?.detail === undefined ? {} : { detail: ended.detail };
    this.#tellNews(job, { news: 'state', run: runOf(job), state, ...reason, ...detail });
  }

  #tellNews(job: Job, news: RunNews): void {
    this.#parts.peers.say(job.gateway.device, 'news', encodeBulk(RunNews, news));
  }

  #settle(job: Job, receipt: Uint8Array): void {
    const { capsule, attempt, end } = job;
    if (!end) return;
    const reason = end.reason === undefined ? {} : { reason: end.reason };
    this.#parts.chain.act({ action: 'receipt', capsule, attempt, receipt: domainDigest('receipt', receipt), state: end.state, ...reason });
  }

  #issueReceipt(stored: StoredJob): void {
    const { job } = stored;
    const box = this.#boxes.find(job.box);
    const issuer = this.#parts.issuer();
    if (!box || !issuer) return this.#parts.log('receiptWaits', { capsule: job.capsule, for: issuer ? 'pairing' : 'evidence' });
    const endedAtMs = this.#parts.now();
    const standing = this.#measuring.standingOf(runOf(job));
    const lacking = trustLacking(stored.manifest, standing);
    if (lacking !== undefined) return this.#apply(runOf(job), { type: 'trustLacking', detail: lacking });
    const receipt = issueReceipt(stored, { ...box, standing }, issuer, endedAtMs);
    this.#changed(stored, { ...stored, job: stepJob(job, { type: 'receiptStored', atMs: endedAtMs }), receipt });
  }

  #collect(source: BlobSource, digests: readonly string[], sizes: ReadonlyMap<string, number>): void {
    for (const digest of digests) {
      this.#collector.collect(source, { digest: Uint8Array.fromHex(digest), bytes: sizes.get(digest) ?? 0 });
    }
  }

  #askForBlob(source: BlobSource, need: BlobNeed): void {
    const name = source.slice(source.indexOf('.') + 1);
    if (source.startsWith('box.')) this.#link.need(name, need);
    else this.#parts.peers.say(name, 'need', encodeBulk(BlobNeed, need));
  }

  #blobStored(source: BlobSource, digest: string): void {
    if (source.startsWith('gateway.')) this.#parts.store.addHolding(source, digest);
    for (const { job } of this.#waitingFor(source)) this.#apply(runOf(job), { type: 'blobStored', digest });
  }

  /** Open jobs to which a source owes blobs. */
  #waitingFor(source: BlobSource): StoredJob[] {
    return [...this.#open.values()].filter(({ job }) => source === (job.state === 'assigned' ? gatewaySource(job) : `box.${job.box}`));
  }

  #blobFailed(source: BlobSource, digest: string, reason: CollectFailure, detail: string): void {
    this.#parts.log('blobFailed', { source, digest, reason, detail });
    if (reason === 'unanswered') return;
    const endReason = reason === 'missing' ? 'blob-missing' : reason === 'disk-full' ? 'disk-full' : 'blob-wrong';
    const words = harmless(`blob ${digest}: ${detail}`, LIMITS.noteCharactersMax);
    for (const { job } of this.#waitingFor(source))
      if (job.lacking.includes(digest)) this.#apply(runOf(job), { type: 'blobRefused', reason: endReason, detail: words });
  }
}

/** Capsule and attempt of a run. */
function partsOf(run: string): [string, number] {
  return [run.slice(0, -2), Number(run.slice(-1))];
}

function gatewaySource({ gateway }: Job): `gateway.${string}` {
  return `gateway.${gateway.device}`;
}

/** Which duties a job has: while they stay the same, the regular repetition is enough. */
function dutyWords(job: Job): string {
  return [job.state, ...dutiesOf(job).map((duty) => duty.duty)].join(' ');
}
