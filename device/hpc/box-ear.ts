/** What boxes say: read, judged, and turned into events of the jobs that they are at work on. Specification §6. */
import { BoxCheckMessage, BoxEvidenceMessage, Hello, ReportMessage, RunLog, RunProgress, RunState } from '#protocol/box-messages.ts';
import { BlobChunk, BlobNeed } from '#protocol/blob-transfer.ts';
import { decodeBulk } from '#protocol/codec.ts';
import { hex } from '#protocol/digest.ts';
import { LIMITS } from '#protocol/limits.ts';
import { decodeManifest } from '#protocol/manifest.ts';
import { harmless, type Schema } from '#protocol/schema.ts';
import { softwareDigest } from '#protocol/software-state.ts';
import { peekSigned, type SignedKind } from '#protocol/signed.ts';
import { FENCED_UP, type BoxUp } from '#protocol/topics.ts';
import type { BoxWatch, Challenged } from '../control/ports.ts';
import { LineLimit } from '../line-limit.ts';
import type { Clock, Log, Random } from '../ports.ts';
import type { BlobStore } from '../store/blob-store.ts';
import { chunkOf } from '../store/served-chunk.ts';
import type { StoredJob } from '../store/job-store.ts';
import type { BoxLink } from './box-link.ts';
import type { BoxMeasuring, BoxSuspicion } from './box-measuring.ts';
import type { KnownBox } from './box-registry.ts';
import { trustLacking } from './box-standing.ts';
import type { Boxes } from './boxes.ts';
import { judgeBoxCheck, judgeBoxEvidence, judgeReport, spanFault, type Listener } from './box-voice.ts';
import { drawMoments, momentBytes } from './check-moments.ts';
import { isOnBox, openCheck, type Job, type JobEvent, type Measuring } from './job.ts';
import { BOX_LIMITS } from './limits.ts';

export interface EarParts {
  readonly boxes: Boxes;
  readonly link: BoxLink;
  readonly blobs: BlobStore;
  readonly listener: Listener;
  readonly now: Clock;
  readonly random: Random;
  readonly log: Log;
  /** The job of a run that is this box's and has not ended. */
  readonly jobOf: (box: string, run: string) => StoredJob | undefined;
  /** Whether a run was ever given to a box, as far as this device remembers. */
  readonly wasGiven: (box: string, run: string) => boolean;
  readonly apply: (run: string, event: JobEvent) => void;
  readonly progressed: (stored: StoredJob, progress: RunProgress) => void;
  readonly logged: (stored: StoredJob, log: RunLog) => void;
  readonly chunkReceived: (box: string, chunk: BlobChunk) => void;
  readonly measuring: BoxMeasuring;
  readonly control: BoxWatch;
  /** A box whose evidence or report was refused. */
  readonly suspected?: ((suspicion: BoxSuspicion) => void) | undefined;
  /** Whether a blob belongs to the input of a run of this box. */
  readonly mayHaveInput: (box: string, digest: string) => boolean;
  /** A box has said what it is; it may not have heard what it is owed. */
  readonly introduced: () => void;
}

export class BoxEar {
  readonly #parts: EarParts;
  readonly #lines = new LineLimit(BOX_LIMITS.ignoredLinesPerMinute);
  /** When a box was last told to forget a run that this device does not remember. */
  readonly #foreignAtMs = new Map<string, number>();

  /** What was said before this program started was not heard. */
  readonly #upSinceMs: number;

  constructor(parts: EarParts) {
    this.#parts = parts;
    this.#upSinceMs = parts.now();
  }

  /** A message of the box `name`, which the broker has made sure of. */
  boxSaid(name: string, kind: BoxUp, payload: Uint8Array): void {
    const { boxes, control, log } = this.#parts;
    const box = boxes.find(name);
    if (!box) return this.#lines.takes(name, this.#parts.now()) ? log('unknownBoxIgnored', { box: name }) : undefined;
    // The broker keeps the rest from a fenced box too; a message may have been on its way.
    if (control.fitnessOf(name) === 'fenced' && !FENCED_UP.includes(kind)) return;
    boxes.heard(name);
    control.heard(name);
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
          this.#forJob(name, progress.run, (stored) => this.#parts.progressed(stored, progress)),
        );
      case 'log':
        return this.#read(name, RunLog, payload, (words) => this.#forJob(name, words.run, (stored) => this.#parts.logged(stored, words)));
      case 'need':
        return this.#read(
          name,
          BlobNeed,
          payload,
          (need) =>
            void this.#serveBlob(name, need).catch((error: unknown) =>
              this.#ignored(name, 'need', error instanceof Error ? error.message : 'unknown'),
            ),
        );
      case 'chunk':
        return this.#read(name, BlobChunk, payload, (chunk) => {
          this.#parts.chunkReceived(name, chunk);
          this.#parts.measuring.chunkReceived(name, chunk);
        });
    }
  }

  /**
   * A run that no open job waits for: what it did counts no more, and the box may forget it. Of runs that this device does not remember
   * a box forgets one after the other: whoever invents runs is not answered twice for each.
   */
  dropRun(box: string, run: string): void {
    if (this.#parts.jobOf(box, run)) return;
    if (!this.#parts.wasGiven(box, run)) {
      const atMs = this.#parts.now();
      const sinceMs = atMs - (this.#foreignAtMs.get(box) ?? -Infinity);
      if (sinceMs >= 0 && sinceMs < BOX_LIMITS.foreignRunEveryMs) return;
      this.#foreignAtMs.set(box, atMs);
    }
    this.#parts.link.cancel(box, run, 'cancelled-by-client');
    this.#parts.link.acknowledge(box, run);
  }

  /** @param before the box as it was known until now */
  #helloSaid(before: KnownBox, hello: Hello): void {
    this.#parts.boxes.introduced(before, hello);
    this.#parts.measuring.introduced(before, hello.tpm);
    this.#parts.control.introduced(before.name, hello);
    for (const run of new Set(hello.runs)) this.dropRun(before.name, run);
    this.#parts.introduced();
  }

  /** A box that has nothing of a run is told nothing about it: it would say so again, for ever. */
  #stateSaid(name: string, { run, state }: RunState): void {
    if (state !== 'unknown') this.dropRun(name, run);
    this.#forJob(name, run, ({ manifest }) => {
      if (state === 'running') this.#parts.apply(run, { type: 'runStarted', atMs: this.#parts.now(), moments: this.#momentsOf(manifest) });
      if (state === 'unknown') this.#parts.apply(run, { type: 'runForgotten' });
    });
  }

  #momentsOf(manifest: Uint8Array | undefined): number[] {
    const decoded = manifest && decodeManifest(manifest);
    const wallMs = decoded?.status === 'decoded' ? decoded.value.limits.wallMs : 0;
    return drawMoments(this.#parts.random(momentBytes), this.#parts.now(), wallMs);
  }

  #evidenceSaid(box: KnownBox, payload: Uint8Array): void {
    const run = this.#runIn(BoxEvidenceMessage, payload) ?? this.#runIn(BoxCheckMessage, payload);
    if (run === undefined) return this.#ignored(box.name, 'evidence', 'malformed');
    const challenge = this.#parts.control.challengeOf(box.name, run);
    if (challenge) return this.#answered(box, run, challenge, payload);
    this.#forJob(box.name, run, ({ job, manifest }) => {
      const measuring = job.state === 'assigned' ? job.before : isOnBox(job) ? openCheck(job) : job.after;
      if (!measuring || measuring.evidence) return;
      const verdict = this.#judgeAnswer(box, run, job, measuring, payload);
      if (verdict.status === 'ignored') return this.#ignored(box.name, 'evidence', verdict.detail);
      if (verdict.status === 'refused') return this.#refused(box.name, run, verdict.detail);
      const { beacon, software, tpm } = verdict.answer;
      const when = job.state === 'assigned' ? 'before' : 'within';
      this.#parts.measuring.answered(
        { box, when, run, nonce: measuring.nonce, beacon, software, tpm },
        {
          accepted: () => {
            const given = { assignedAtMs: this.#parts.now(), moments: this.#momentsOf(manifest) };
            this.#accepted(run, manifest, { type: 'evidenceAccepted', nonce: measuring.nonce, evidence: payload, given });
          },
          refused: (detail) => this.#refused(box.name, run, detail),
        },
      );
    });
  }

  /** A box of a level below what the capsule asks for is in order, and not the one for it: the run is given back. */
  #accepted(run: string, manifest: Uint8Array | undefined, event: JobEvent): void {
    const lacking = trustLacking(manifest, this.#parts.measuring.standingOf(run));
    this.#parts.apply(run, lacking === undefined ? event : { type: 'trustLacking', detail: lacking });
  }

  /** To a challenge of control's own (§17.1): judged as before a run. */
  #answered(box: KnownBox, run: string, challenge: Challenged, payload: Uint8Array): void {
    const { listener, now, control } = this.#parts;
    const verdict = judgeBoxEvidence(payload, { run, measuring: challenge, atMs: now() }, box, listener);
    if (verdict.status === 'ignored') return this.#ignored(box.name, 'evidence', verdict.detail);
    if (verdict.status === 'refused') return control.refused(box.name, verdict.detail);
    const { beacon, software, tpm } = verdict.evidence;
    this.#parts.measuring.answered(
      { box, when: 'outside', run, nonce: challenge.nonce, beacon, software: softwareDigest(software), tpm },
      {
        accepted: () => control.attested(box.name, run, software),
        refused: (detail) => control.refused(box.name, harmless(detail, LIMITS.noteCharactersMax)),
      },
    );
  }

  /** During a run a check is wanted, before and after it the whole (§6.6). */
  #judgeAnswer(box: KnownBox, run: string, job: Job, measuring: Measuring, payload: Uint8Array) {
    const { listener, now } = this.#parts;
    const earlier = job.state === 'assigned' ? undefined : job.before?.evidence;
    const asked = { run, measuring, atMs: now() };
    if (isOnBox(job)) {
      if (!earlier) return { status: 'ignored', detail: 'a check of a run that was not measured before it' } as const;
      const verdict = judgeBoxCheck(payload, { ...asked, earlier }, box, listener);
      return verdict.status === 'accepted' ? { status: verdict.status, answer: verdict.check } : verdict;
    }
    const verdict = judgeBoxEvidence(payload, { ...asked, ...(earlier ? { earlier } : {}) }, box, listener);
    if (verdict.status !== 'accepted') return verdict;
    return { status: verdict.status, answer: { ...verdict.evidence, software: softwareDigest(verdict.evidence.software) } };
  }

  #reportSaid(box: KnownBox, payload: Uint8Array): void {
    const run = this.#runIn(ReportMessage, payload);
    if (run === undefined) return this.#ignored(box.name, 'report', 'malformed');
    this.dropRun(box.name, run);
    this.#forJob(box.name, run, ({ job, manifest }) => {
      if (job.state === 'reported' || !manifest) return;
      const verdict = judgeReport(payload, { run, manifest, evidence: job.before?.evidence }, box, this.#parts.listener);
      if (verdict.status === 'refused') return this.#ignored(box.name, 'report', verdict.detail);
      if (verdict.status === 'contradictory') return this.#refused(box.name, run, verdict.detail);
      const { report } = verdict;
      const untimely = spanFault(report, { ...job, atMs: this.#parts.now(), upSinceMs: this.#upSinceMs });
      if (untimely !== undefined) return this.#refused(box.name, run, untimely);
      const lacking = [...new Set([...report.outputs, report.stdout, report.stderr].map((blob) => hex(blob.digest)))];
      const measuring = { nonce: this.#parts.random(32), atMs: this.#parts.now() };
      const energy = this.#parts.control.energyOf(run);
      this.#parts.apply(run, { type: 'reportAccepted', bytes: payload, report, lacking, energy, ...measuring });
      this.#parts.control.reported(box.name, report, energy);
    });
  }

  /** Ends the run, and makes the box suspect. */
  #refused(box: string, run: string, detail: string): void {
    const words = harmless(detail, LIMITS.noteCharactersMax);
    this.#parts.log('boxEvidenceRefused', { box, run, detail: words });
    this.#parts.apply(run, { type: 'evidenceRefused', detail: words });
    this.#parts.suspected?.({ box, run, detail: words });
  }

  /** The run that an envelope claims to be about. */
  #runIn(kind: SignedKind<{ run: string }>, payload: Uint8Array): string | undefined {
    const peeked = peekSigned(kind, payload);
    return peeked.status === 'decoded' ? peeked.value.run : undefined;
  }

  /** A box may have the blobs of the capsules that it was given. */
  async #serveBlob(box: string, need: BlobNeed): Promise<void> {
    const digest = hex(need.digest);
    const total = this.#parts.mayHaveInput(box, digest) ? await this.#parts.blobs.size(digest) : undefined;
    this.#parts.link.chunk(box, await chunkOf(this.#parts.blobs, need, total));
  }

  #forJob(box: string, run: string, act: (stored: StoredJob) => void): void {
    const stored = this.#parts.jobOf(box, run);
    if (stored) act(stored);
  }

  #read<T>(box: string, schema: Schema<T>, payload: Uint8Array, act: (value: T) => void): void {
    const decoded = decodeBulk(schema, payload, LIMITS.packetBytesMax);
    if (decoded.status === 'decoded') act(decoded.value);
    else this.#ignored(box, 'message', decoded.detail);
  }

  #ignored(box: string, what: string, detail: string): void {
    if (this.#lines.takes(box, this.#parts.now())) this.#parts.log('boxMessageIgnored', { box, what, detail });
  }
}
