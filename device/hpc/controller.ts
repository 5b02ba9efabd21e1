/**
 * The host of the jobs: takes events, stores what the jobs become, and does the duties that follow. Specification §6.4, §7.6.
 *
 * It decides nothing about a job (`job.ts` does). A job is stored before anything that depends on it is said.
 */
import { BoxEvidenceMessage, Hello, ReportMessage, RunLog, RunProgress, runIdOf, RunState } from '#protocol/box-messages.ts';
import { BlobChunk, BlobNeed } from '#protocol/blob-transfer.ts';
import { hasEnded } from '#protocol/capsule.ts';
import { decodeBulk, encodeBulk } from '#protocol/codec.ts';
import { hex } from '#protocol/digest.ts';
import { LIMITS } from '#protocol/limits.ts';
import { decodeManifest } from '#protocol/manifest.ts';
import { harmless, type Schema } from '#protocol/schema.ts';
import { peekSigned, type SignedKind } from '#protocol/signed.ts';
import type { BoxUp } from '#protocol/topics.ts';
import { DEVICE_LIMITS } from '../limits.ts';
import type { Clock, Log, OperationalSigner, Publisher, Random } from '../ports.ts';
import { BlobCollector, type BlobSource, type CollectFailure } from '../store/blob-collector.ts';
import type { BlobStore } from '../store/blob-store.ts';
import type { AcceptedCapsule, Store, StoredCapsule } from '../store/store.ts';
import { BoxLink } from './box-link.ts';
import type { KnownBox, PairedBox } from './box-registry.ts';
import { Boxes } from './boxes.ts';
import { judgeBoxEvidence, judgeReport, type Listener } from './box-voice.ts';
import { dutiesOf, newJob, stepJob, type Duty, type Job, type JobEvent } from './job.ts';
import { issueReceipt, type Issuer } from './receipt-issuer.ts';

/** What clients are told of their capsules; the gateway does the telling. */
export interface News {
  jobChanged(capsule: StoredCapsule): void;
  progressed(capsule: StoredCapsule, progress: RunProgress): void;
  logged(capsule: StoredCapsule, log: RunLog): void;
}

export interface ControllerParts {
  readonly store: Store;
  readonly blobs: BlobStore;
  readonly publisher: Publisher;
  readonly listener: Listener;
  readonly sign: OperationalSigner;
  /** The device with evidence fresh enough for a receipt; undefined while it has none. */
  readonly issuer: () => Issuer | undefined;
  readonly news: News;
  readonly now: Clock;
  readonly random: Random;
  readonly log: Log;
}

export class Controller {
  readonly #parts: ControllerParts;
  readonly #collector: BlobCollector;
  readonly #link: BoxLink;
  readonly #open = new Map<string, StoredCapsule>();
  readonly #boxes: Boxes;

  constructor(parts: ControllerParts) {
    this.#parts = parts;
    this.#boxes = new Boxes(parts);
    this.#link = new BoxLink(parts.publisher, { ...parts.listener, sign: parts.sign });
    this.#collector = new BlobCollector(parts.blobs, {
      ask: (source, need) => this.#askForBlob(source, need),
      stored: (source, digest) => this.#blobStored(source, digest),
      failed: (source, digest, reason, detail) => this.#blobFailed(source, digest, reason, detail),
      now: parts.now,
    });
  }

  /** Takes up again what was not finished when the program last ended. */
  resume(): void {
    for (const capsule of this.#parts.store.unended()) this.#open.set(capsule.capsule, capsule);
    this.#parts.log('jobsResumed', { open: this.#open.size });
    this.doDuties();
  }

  /** Stores a capsule and begins with it. It will not be lost after this returns. */
  accept(accepted: AcceptedCapsule, lacking: string[], deadlineMs: number | undefined): StoredCapsule {
    const { capsule, client, acceptedAtMs } = accepted;
    const job = newJob({ capsule, client, acceptedAtMs, lacking, ...(deadlineMs === undefined ? {} : { deadlineMs }) });
    this.#parts.store.addCapsule(accepted, job);
    this.#parts.store.trimClient(client, DEVICE_LIMITS.capsulesKeptPerClientMax);
    const stored = { ...accepted, job };
    this.#open.set(capsule, stored);
    this.#parts.news.jobChanged(stored);
    this.#doDutiesOf(stored);
    return stored;
  }

  cancel(capsule: string): void {
    this.#apply(capsule, { type: 'cancelAsked' });
  }

  /** A name was paired anew: what another has done under it is not for the new one to see. */
  forgetClient(client: string): void {
    for (const { capsule } of [...this.#open.values()].filter((open) => open.client === client)) this.#open.delete(capsule);
    this.#parts.store.forgetClient(client);
  }

  openCapsules(): readonly StoredCapsule[] {
    return [...this.#open.values()];
  }

  runtimesByBox(): ReadonlyMap<string, readonly string[]> {
    return this.#boxes.runtimes();
  }

  setPairedBoxes(paired: readonly PairedBox[]): void {
    this.#boxes.setPaired(paired);
  }

  boxNames(): readonly string[] {
    return this.#boxes.names();
  }

  chunkFromClient(client: string, chunk: BlobChunk): void {
    this.#collector.chunkReceived(`client.${client}`, chunk);
  }

  /** To be called every `DEVICE_LIMITS.dutyIntervalMs`. */
  timePassed(): void {
    const atMs = this.#parts.now();
    this.#collector.timePassed();
    for (const { capsule, job } of [...this.#open.values()]) {
      this.#apply(capsule, { type: 'timePassed', atMs, nonce: this.#parts.random(32) });
      if (job.box !== undefined && this.#boxes.silenceMs(job.box) > DEVICE_LIMITS.boxSilenceMaxMs)
        this.#apply(capsule, { type: 'boxSilent' });
    }
    this.doDuties();
  }

  /** Does again what every open job owes: after a silence, a lost connection or a restart. */
  doDuties(): void {
    for (const capsule of [...this.#open.values()]) this.#doDutiesOf(capsule);
  }

  /** A message of the box `name`, which the broker has made sure of. */
  boxSaid(name: string, kind: BoxUp, payload: Uint8Array): void {
    const box = this.#boxes.find(name);
    if (!box) return this.#parts.log('unknownBoxIgnored', { box: name });
    this.#boxes.heard(name);
    switch (kind) {
      case 'hello':
        return this.#read(name, Hello, payload, (hello) => this.#helloSaid(box, hello));
      case 'state':
        return this.#read(name, RunState, payload, (state) => this.#stateSaid(name, state));
      case 'evidence':
        return this.#evidenceSaid(box, payload);
      case 'report':
        return this.#reportSaid(box, payload);
      case 'progress':
        return this.#read(name, RunProgress, payload, (progress) =>
          this.#forOpenRun(name, progress.run, (capsule) => this.#parts.news.progressed(capsule, progress)),
        );
      case 'log':
        return this.#read(name, RunLog, payload, (log) =>
          this.#forOpenRun(name, log.run, (capsule) => this.#parts.news.logged(capsule, log)),
        );
      case 'need':
        return this.#read(name, BlobNeed, payload, (need) => void this.#serveBlob(name, need));
      case 'chunk':
        return this.#read(name, BlobChunk, payload, (chunk) => this.#collector.chunkReceived(`box.${name}`, chunk));
    }
  }

  /** @param before the box as it was known until now */
  #helloSaid(before: KnownBox, hello: Hello): void {
    this.#boxes.introduced(before, hello);
    for (const run of hello.runs) this.#dropOutdatedRun(before.name, run);
    this.doDuties();
  }

  #stateSaid(name: string, { run, state }: RunState): void {
    this.#dropOutdatedRun(name, run);
    this.#forOpenRun(name, run, ({ capsule }) => {
      if (state === 'running') this.#apply(capsule, { type: 'runStarted' });
      if (state === 'unknown') this.#apply(capsule, { type: 'runForgotten' });
    });
  }

  #evidenceSaid(box: KnownBox, payload: Uint8Array): void {
    const run = this.#runIn(BoxEvidenceMessage, payload);
    if (run === undefined) return this.#ignored(box.name, 'evidence', 'malformed');
    this.#forOpenRun(box.name, run, ({ capsule, job }) => {
      const measuring = job.state === 'assigned' ? job.before : job.after;
      if (!measuring || measuring.evidence) return;
      const earlier = job.state === 'assigned' ? undefined : job.before?.evidence;
      const asked = { run, measuring, atMs: this.#parts.now(), ...(earlier ? { earlier } : {}) };
      const verdict = judgeBoxEvidence(payload, asked, box, this.#parts.listener);
      if (verdict.status === 'ignored') return this.#ignored(box.name, 'evidence', verdict.detail);
      if (verdict.status === 'refused')
        return this.#apply(capsule, { type: 'evidenceRefused', detail: harmless(verdict.detail, LIMITS.noteCharactersMax) });
      this.#apply(capsule, { type: 'evidenceAccepted', nonce: measuring.nonce, evidence: payload });
    });
  }

  #reportSaid(box: KnownBox, payload: Uint8Array): void {
    const run = this.#runIn(ReportMessage, payload);
    if (run === undefined) return this.#ignored(box.name, 'report', 'malformed');
    this.#dropOutdatedRun(box.name, run);
    this.#forOpenRun(box.name, run, (capsule) => {
      if (capsule.job.state === 'reported') return;
      const evidence = capsule.job.before?.evidence;
      const verdict = judgeReport(payload, { run, manifest: capsule.manifest, evidence }, box, this.#parts.listener);
      if (verdict.status === 'refused') return this.#ignored(box.name, 'report', verdict.detail);
      if (verdict.status === 'contradictory') {
        this.#apply(capsule.capsule, { type: 'evidenceRefused', detail: verdict.detail });
        return this.#dropOutdatedRun(box.name, run);
      }
      const { report } = verdict;
      const blobs = [...report.outputs, report.stdout, report.stderr];
      const lacking = [...new Set(blobs.map((blob) => hex(blob.digest)))];
      this.#apply(capsule.capsule, {
        type: 'reportAccepted',
        bytes: payload,
        report,
        lacking,
        nonce: this.#parts.random(32),
        atMs: this.#parts.now(),
      });
      this.#dropOutdatedRun(box.name, run);
    });
  }

  /** The run that an envelope claims to be about. */
  #runIn(kind: SignedKind<{ run: string }>, payload: Uint8Array): string | undefined {
    const peeked = peekSigned(kind, payload);
    return peeked.status === 'decoded' ? peeked.value.run : undefined;
  }

  #apply(id: string, event: JobEvent): void {
    const capsule = this.#open.get(id);
    if (!capsule) return;
    const job = stepJob(capsule.job, event);
    if (job === capsule.job) return;
    const endedAtMs = hasEnded(job.state) ? this.#parts.now() : undefined;
    this.#parts.store.saveJob(job, endedAtMs);
    this.#changed(capsule, job, endedAtMs);
  }

  #changed(capsule: StoredCapsule, job: Job, endedAtMs: number | undefined): void {
    const changed: StoredCapsule = { ...capsule, job, ...(endedAtMs === undefined ? {} : { endedAtMs }) };
    if (endedAtMs === undefined) this.#open.set(job.capsule, changed);
    else this.#open.delete(job.capsule);
    if (job.state !== capsule.job.state || job.attempt !== capsule.job.attempt) {
      this.#parts.log('jobChanged', {
        capsule: job.capsule,
        state: job.state,
        attempt: job.attempt,
        ...(job.end?.reason ? { reason: job.end.reason } : {}),
      });
      this.#parts.news.jobChanged(changed);
    }
    if (dutyWords(job) !== dutyWords(capsule.job)) this.#doDutiesOf(changed);
  }

  #doDutiesOf(capsule: StoredCapsule): void {
    for (const duty of dutiesOf(capsule.job)) this.#doDuty(capsule, duty);
  }

  #doDuty(capsule: StoredCapsule, duty: Duty): void {
    const { job, manifest } = capsule;
    const run = runIdOf(job.capsule, job.attempt);
    switch (duty.duty) {
      case 'collectInput':
        return this.#collect(`client.${capsule.client}`, duty.digests, inputsOf(capsule));
      case 'drawBox':
        return this.#drawBox(capsule);
      case 'challenge':
        return this.#link.challenge(duty.box, run, duty.measuring);
      case 'assign':
        return this.#link.assign(duty.box, run, { capsule: job.capsule, attempt: job.attempt, manifest, assignedAtMs: this.#parts.now() });
      case 'cancelRun':
        return this.#link.cancel(duty.box, run, 'cancelled-by-client');
      case 'collectOutput':
        return this.#collect(`box.${duty.box}`, duty.digests, outputsOf(job));
      case 'issueReceipt':
        return this.#issueReceipt(capsule);
    }
  }

  #drawBox(capsule: StoredCapsule): void {
    const manifest = decodeManifest(capsule.manifest);
    if (manifest.status === 'malformed') return;
    const atMs = this.#parts.now();
    const load = new Map<string, number>();
    for (const { job } of this.#open.values()) if (job.box !== undefined) load.set(job.box, (load.get(job.box) ?? 0) + 1);
    const box = this.#boxes.draw(manifest.value.runtime, load);
    if (box !== undefined) this.#apply(capsule.capsule, { type: 'boxDrawn', box, nonce: this.#parts.random(32), atMs });
  }

  #issueReceipt(capsule: StoredCapsule): void {
    const box = capsule.job.box === undefined ? undefined : this.#boxes.find(capsule.job.box);
    const issuer = this.#parts.issuer();
    if (!box || !issuer) return this.#parts.log('receiptWaits', { capsule: capsule.capsule, for: issuer ? 'pairing' : 'evidence' });
    const endedAtMs = this.#parts.now();
    const receipt = issueReceipt(capsule, capsule.job, box, issuer, endedAtMs);
    const job = stepJob(capsule.job, { type: 'receiptStored' });
    this.#parts.store.saveReceipt(job, receipt, [...outputsOf(job).keys()], endedAtMs);
    this.#link.acknowledge(box.name, runIdOf(job.capsule, job.attempt));
    this.#changed(capsule, job, endedAtMs);
  }

  /** A run that no open job waits for: what it did counts no more, and the box may forget it. */
  #dropOutdatedRun(box: string, run: string): void {
    const job = this.#open.get(run.slice(0, 32))?.job;
    if (job && job.box === box && runIdOf(job.capsule, job.attempt) === run) return;
    this.#link.cancel(box, run, 'cancelled-by-client');
    this.#link.acknowledge(box, run);
  }

  #collect(source: BlobSource, digests: readonly string[], sizes: ReadonlyMap<string, number>): void {
    for (const digest of digests) {
      this.#collector.collect(source, { digest: Uint8Array.fromHex(digest), bytes: sizes.get(digest) ?? 0 });
    }
  }

  #askForBlob(source: BlobSource, need: BlobNeed): void {
    const { publisher, listener } = this.#parts;
    const name = source.slice(source.indexOf('.') + 1);
    if (source.startsWith('box.')) return this.#link.need(name, need);
    publisher.publish({ to: 'client', device: listener.device, client: name, kind: 'upload/need' }, encodeBulk(BlobNeed, need), {
      expirySeconds: DEVICE_LIMITS.downExpirySeconds,
    });
  }

  #blobStored(source: BlobSource, digest: string): void {
    if (source.startsWith('client.')) this.#parts.store.addHolding(source.slice('client.'.length), digest);
    for (const capsule of this.#waitingFor(source)) this.#apply(capsule.capsule, { type: 'blobStored', digest });
  }

  /** Open capsules that a source owes blobs. */
  #waitingFor(source: BlobSource): StoredCapsule[] {
    return [...this.#open.values()].filter(({ client, job }) =>
      job.state === 'submitted' ? source === `client.${client}` : source === `box.${job.box ?? ''}`,
    );
  }

  #blobFailed(source: BlobSource, digest: string, reason: CollectFailure, detail: string): void {
    this.#parts.log('blobFailed', { source, digest, reason, detail });
    if (reason === 'unanswered') return;
    const endReason = reason === 'missing' ? 'blob-missing' : reason === 'disk-full' ? 'disk-full' : 'blob-wrong';
    for (const { capsule, job } of this.#waitingFor(source)) {
      if (job.lacking.includes(digest))
        this.#apply(capsule, {
          type: 'blobRefused',
          reason: endReason,
          detail: harmless(`blob ${digest}: ${detail}`, LIMITS.noteCharactersMax),
        });
    }
  }

  /** A box may have the blobs of the capsules that it was given. */
  async #serveBlob(box: string, need: BlobNeed): Promise<void> {
    const digest = hex(need.digest);
    const isIts = [...this.#open.values()].some((capsule) => capsule.job.box === box && inputsOf(capsule).has(digest));
    const total = isIts ? await this.#parts.blobs.size(digest) : undefined;
    this.#link.chunk(box, await chunkOf(this.#parts.blobs, need, total));
  }

  #forOpenRun(box: string, run: string, act: (capsule: StoredCapsule) => void): void {
    const capsule = this.#open.get(run.slice(0, 32));
    if (capsule && capsule.job.box === box && runIdOf(capsule.capsule, capsule.job.attempt) === run) act(capsule);
  }

  #read<T>(box: string, schema: Schema<T>, payload: Uint8Array, act: (value: T) => void): void {
    const decoded = decodeBulk(schema, payload, LIMITS.packetBytesMax);
    if (decoded.status === 'decoded') act(decoded.value);
    else this.#ignored(box, 'message', decoded.detail);
  }

  #ignored(box: string, what: string, detail: string): void {
    this.#parts.log('boxMessageIgnored', { box, what, detail });
  }
}

/** The answer to a need: a piece of the blob, or that it isn't here. */
export async function chunkOf(blobs: BlobStore, need: BlobNeed, total: number | undefined): Promise<BlobChunk> {
  if (total === undefined) return { chunk: 'missing', digest: need.digest };
  const offset = Math.min(need.offset, total);
  const content = await blobs.read(hex(need.digest), offset, Math.min(need.bytes, total - offset));
  return { chunk: 'content', digest: need.digest, offset, total, content };
}

/** Which duties a job has: while they stay the same, the regular repetition is enough. */
function dutyWords(job: Job): string {
  return [job.state, job.attempt, ...dutiesOf(job).map((duty) => duty.duty)].join(' ');
}

function inputsOf(capsule: StoredCapsule): Map<string, number> {
  const manifest = decodeManifest(capsule.manifest);
  return new Map(manifest.status === 'decoded' ? manifest.value.files.map((file) => [hex(file.digest), file.bytes]) : []);
}

/** Sizes in bytes of everything that a run left, by hexadecimal digest. */
function outputsOf(job: Job): Map<string, number> {
  const report = job.report ? peekSigned(ReportMessage, job.report) : undefined;
  if (report?.status !== 'decoded') return new Map();
  const { outputs, stdout, stderr } = report.value;
  return new Map([...outputs, stdout, stderr].map((blob) => [hex(blob.digest), blob.bytes]));
}
