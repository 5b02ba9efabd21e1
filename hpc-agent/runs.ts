/**
 * All runs of this box: the host that performs what the machine in `run.ts` decides. Specification §6.4.
 *
 * Events of one run are worked off one after the other, each with all its effects, so that nothing is said before what
 * it rests on is on the disk; no run waits for a lost connection. Runs start in the order in which they were assigned,
 * as places become free.
 */
import { setTimeout as wait } from 'node:timers/promises';
import { ReportMessage, type Report } from '#protocol/box-messages.ts';
import type { EndReason } from '#protocol/capsule.ts';
import { hex } from '#protocol/digest.ts';
import { capsuleDigest, type Manifest } from '#protocol/manifest.ts';
import { peekSigned, signMessage } from '#protocol/signed.ts';
import { errorCode, isDiskFull } from './atomic-file.ts';
import type { BoxIdentity } from './identity.ts';
import { forgottenMax, forgottenMs, persistAgainMs, restoreMs, runsHeldMax } from './limits.ts';
import { assignRun, restoreRun, stepRun, type Draft, type Run, type RunEffect, type RunEvent, type RunStep } from './run.ts';
import type { RunFolders, RunRecord, StoredRun } from './run-record.ts';
import { RunWork, type WorkParts } from './run-work.ts';

export interface RunsParts extends WorkParts {
  readonly identity: BoxIdentity;
  readonly folders: RunFolders;
  /** Runs at one time. */
  readonly places: number;
  readonly nowMs: () => number;
}

/** An assignment whose signature, addressee and age have been judged. */
export interface JudgedAssignment {
  readonly run: string;
  readonly manifest: Manifest;
  readonly encodedManifest: Uint8Array;
}

interface Entry {
  readonly run: string;
  machine: Run;
  /** Digest of the manifest; a forgotten or reported run of an earlier agent needs none. */
  readonly capsule: Uint8Array;
  readonly work: RunWork | undefined;
  /** Unix time by which it must have started. */
  readonly deadlineMs: number | undefined;
  /** Its record is on the disk, so that it may have a place. */
  isReady: boolean;
  /** Blobs of a reported run that the store holds for the device. */
  left: readonly Uint8Array[];
  queue: Promise<void>;
  repeat: NodeJS.Timeout | undefined;
}

export class Runs {
  readonly #parts: RunsParts;
  readonly #entries = new Map<string, Entry>();
  readonly #line: Entry[] = [];
  readonly #placed = new Set<Entry>();
  readonly #sweep: NodeJS.Timeout;
  #state: 'open' | 'stopping' | 'closed' = 'open';

  constructor(parts: RunsParts) {
    this.#parts = parts;
    this.#sweep = setInterval(() => {
      void this.#removeForgotten();
    }, sweepMs);
  }

  /** Takes over what an earlier agent left. Runs that it was fetching or running are over. */
  async restore(): Promise<void> {
    for (const stored of await this.#parts.folders.list()) this.#restoreRun(stored);
    for (const entry of this.#entries.values()) this.#tell(entry, { event: 'agentRestarted', atMs: this.#parts.nowMs() });
    await Promise.race([this.#settled(), wait(restoreMs, undefined, { ref: false })]);
  }

  /** Every run that the device has not acknowledged. */
  held(): string[] {
    return [...this.#entries.values()].filter(({ machine }) => machine.state !== 'forgotten').map(({ run }) => run);
  }

  knows(run: string): boolean {
    return this.#entries.has(run);
  }

  assignedAgain(run: string): void {
    this.#tellIfKnown(run, { event: 'assignedAgain' });
  }

  /** Takes a new run, or says why it doesn't. */
  assign(assignment: JudgedAssignment): void {
    if (this.#state !== 'open') return this.refuse(assignment.run, 'the agent of the box is stopping');
    if (this.held().length >= runsHeldMax) return this.refuse(assignment.run, `the box holds ${runsHeldMax} runs already`);
    const { run, manifest } = assignment;
    const capsule = capsuleDigest(assignment.encodedManifest);
    const work = new RunWork({ run, manifest, folder: this.#parts.folders.folderOf(run) }, this.#parts);
    const first = assignRun(capsule, this.#parts.nowMs());
    const entry: Entry = {
      run,
      machine: first.run,
      capsule,
      work,
      deadlineMs: manifest.policy.deadlineMs,
      isReady: false,
      left: [],
      queue: Promise.resolve(),
      repeat: undefined,
    };
    this.#entries.set(run, entry);
    this.#line.push(entry);
    this.#parts.log('run-assigned', { run, capsule: hex(capsule), runtime: manifest.runtime });
    this.#enqueue(entry, () => this.#begin(entry, first));
  }

  /** Tells the device that this box does nothing for a run. */
  refuse(run: string, note: string): void {
    this.#parts.log('run-refused', { run, reason: note });
    void this.#parts.voice.state({ run, state: 'unknown', note });
  }

  cancel(run: string, reason: EndReason): void {
    if (!this.knows(run)) return this.refuse(run, 'the box has no such run');
    this.#parts.log('run-cancelled', { run, reason });
    this.#tellIfKnown(run, { event: 'cancelled', reason, atMs: this.#parts.nowMs() });
  }

  acknowledge(run: string): void {
    this.#tellIfKnown(run, { event: 'acknowledged', atMs: this.#parts.nowMs() });
  }

  connected(): void {
    for (const entry of this.#entries.values()) {
      if (entry.machine.state === 'forgotten') continue;
      entry.work?.connected();
      this.#tell(entry, { event: 'connected' });
    }
  }

  /** Whether a blob is something that a reported run has left for the device. */
  hasLeft(digest: Uint8Array): boolean {
    const name = hex(digest);
    return [...this.#entries.values()].some(({ left }) => left.some((one) => hex(one) === name));
  }

  /** Ends every run and returns when its report is on the disk and on its way. */
  async stop(): Promise<void> {
    this.#state = 'stopping';
    for (const entry of this.#entries.values()) this.#tell(entry, { event: 'agentStopping', atMs: this.#parts.nowMs() });
    await this.#settled();
  }

  /** Does nothing from now on; what is on the disk is for the next agent. */
  close(): void {
    this.#state = 'closed';
    clearInterval(this.#sweep);
    for (const entry of this.#entries.values()) clearTimeout(entry.repeat);
  }

  /** No run is under way and no effect is outstanding. */
  async #settled(): Promise<void> {
    for (;;) {
      await Promise.all([...this.#entries.values()].map((entry) => entry.queue));
      const busy = [...this.#entries.values()].filter(({ machine }) => machine.state !== 'reported' && machine.state !== 'forgotten');
      if (busy.length === 0) return;
      await wait(settleMs);
    }
  }

  #restoreRun({ run, record }: StoredRun): void {
    const known: RunRecord = record ?? { stage: 'forgotten', forgottenAtMs: this.#parts.nowMs() };
    if (record === undefined) this.#parts.log('run-record-unreadable', { run });
    const capsule = known.stage === 'assigned' || known.stage === 'running' ? known.capsule : new Uint8Array();
    const entry: Entry = {
      run,
      machine: restoreRun(known),
      capsule,
      work: undefined,
      deadlineMs: undefined,
      isReady: true,
      left: [],
      queue: Promise.resolve(),
      repeat: undefined,
    };
    if (known.stage === 'reported') entry.left = blobsOf(known.report).filter((digest) => this.#parts.store.hold(digest));
    this.#entries.set(run, entry);
    this.#parts.log('run-restored', { run, state: known.stage });
  }

  #tellIfKnown(run: string, event: RunEvent): void {
    const entry = this.#entries.get(run);
    if (entry !== undefined) this.#tell(entry, event);
  }

  #tell(entry: Entry, event: RunEvent): void {
    this.#enqueue(entry, () => this.#take(entry, stepRun(entry.machine, event)));
  }

  #enqueue(entry: Entry, job: () => Promise<void>): void {
    entry.queue = entry.queue.then(() => (this.#state === 'closed' ? undefined : job()));
  }

  /** A box that can't store an assignment has no such run. */
  async #begin(entry: Entry, first: RunStep): Promise<void> {
    try {
      await this.#take(entry, first);
    } catch (error) {
      entry.machine = { state: 'forgotten', sinceMs: 0 };
      this.#entries.delete(entry.run);
      this.#leavePlace(entry);
      await this.#parts.folders.remove(entry.run);
      const reason = isDiskFull(error) ? 'its disk is full' : (errorCode(error) ?? 'an unexpected failure');
      this.refuse(entry.run, `the box can't store the run: ${reason}`);
    }
  }

  async #take(entry: Entry, { run, effects }: RunStep): Promise<void> {
    if (run.state !== entry.machine.state) this.#parts.log('run-state', { run: entry.run, state: run.state });
    entry.machine = run;
    for (const effect of effects) {
      if (this.#state === 'closed') return;
      await this.#perform(entry, effect);
    }
  }

  async #perform(entry: Entry, effect: RunEffect): Promise<void> {
    switch (effect.effect) {
      case 'persist':
        return this.#persist(entry, effect.record);
      case 'say':
        void this.#parts.voice.state({ run: entry.run, state: effect.state, ...(effect.note === undefined ? {} : { note: effect.note }) });
        return;
      case 'lineUp':
        entry.isReady = true;
        return this.#givePlaces();
      case 'leavePlace':
        return this.#leavePlace(entry);
      case 'fetch':
        void this.#fetch(entry);
        return;
      case 'start':
        void this.#execute(entry);
        return;
      case 'stop':
        entry.work?.stop();
        return;
      case 'sign':
        this.#tell(entry, { event: 'reportSigned', report: this.#sign(entry, effect.draft) });
        return;
      case 'send':
        void this.#parts.voice.signed('report', effect.report);
        return;
      case 'repeatAfter':
        this.#repeatAfter(entry, effect.waitMs);
        return;
      case 'forget':
        return this.#forget(entry);
    }
  }

  /** The first record may fail; later ones are what the device will be told, so they are written as soon as the disk lets us. */
  async #persist(entry: Entry, record: RunRecord): Promise<void> {
    for (;;) {
      try {
        return await this.#saveWithRoom(entry, record);
      } catch (error) {
        if (record.stage === 'assigned') throw error;
        await wait(persistAgainMs);
        if (this.#state === 'closed') return;
      }
    }
  }

  async #saveWithRoom({ run }: Entry, record: RunRecord): Promise<void> {
    try {
      await this.#parts.folders.save(run, record);
    } catch (error) {
      this.#parts.log('run-unwritten', { run, record: record.stage, reason: errorCode(error) ?? String(error) });
      await this.#parts.store.clear();
      await this.#parts.folders.save(run, record);
    }
  }

  #givePlaces(): void {
    while (this.#placed.size < this.#parts.places) {
      const [next] = this.#line;
      if (next?.isReady !== true) return;
      this.#line.shift();
      this.#placed.add(next);
      const atMs = this.#parts.nowMs();
      this.#tell(next, isLate(next, atMs) ? { event: 'cancelled', reason: 'deadline', atMs } : { event: 'placeGiven' });
    }
  }

  #leavePlace(entry: Entry): void {
    this.#placed.delete(entry);
    const index = this.#line.indexOf(entry);
    if (index >= 0) this.#line.splice(index, 1);
    entry.work?.releaseInputs();
    this.#givePlaces();
  }

  async #fetch(entry: Entry): Promise<void> {
    const verdict = await entry.work?.fetch();
    const atMs = this.#parts.nowMs();
    if (verdict?.status === 'refused') this.#tell(entry, { event: 'inputRefused', outcome: verdict.outcome, atMs });
    else this.#tell(entry, { event: 'inputFetched', atMs });
  }

  async #execute(entry: Entry): Promise<void> {
    const ending = await entry.work?.execute();
    if (ending === undefined) return;
    entry.left = [ending.stdout.digest, ending.stderr.digest, ...ending.outputs.map(({ digest }) => digest)];
    this.#tell(entry, { event: 'ended', ending, atMs: this.#parts.nowMs() });
  }

  /** A report too large to travel is replaced by one that says so. */
  #sign(entry: Entry, draft: Draft): Uint8Array {
    const signed = this.#signDraft(entry, draft);
    if (signed.length <= ReportMessage.bytesMax) return signed;
    const detail = `the names of its ${draft.outputs.length} output files don't fit a report of ${ReportMessage.bytesMax} bytes`;
    return this.#signDraft(entry, { ...draft, outputs: [], outcome: { outcome: 'failed', reason: 'output-files', detail } });
  }

  #signDraft({ run, capsule }: Entry, draft: Draft): Uint8Array {
    const { networkId, device, box, sign } = this.#parts.identity;
    const report: Report = { network: networkId, device, box, run, capsule, ...draft };
    return signMessage(ReportMessage, report, sign);
  }

  #repeatAfter(entry: Entry, waitMs: number): void {
    clearTimeout(entry.repeat);
    if (this.#state !== 'closed')
      entry.repeat = setTimeout(() => {
        this.#tell(entry, { event: 'repeatDue' });
      }, waitMs);
  }

  async #forget(entry: Entry): Promise<void> {
    clearTimeout(entry.repeat);
    entry.work?.silence();
    for (const digest of entry.left) this.#parts.store.release(digest);
    entry.left = [];
    await this.#parts.folders.strip(entry.run);
    await this.#parts.store.tidy();
  }

  /** Forgotten runs whose assignment can't come again; the oldest before their time where there are too many. */
  async #removeForgotten(): Promise<void> {
    const forgotten = [...this.#entries.values()].flatMap((entry) =>
      entry.machine.state === 'forgotten' ? [{ run: entry.run, sinceMs: entry.machine.sinceMs }] : [],
    );
    forgotten.sort((left, right) => left.sinceMs - right.sinceMs);
    const oldestMs = this.#parts.nowMs() - forgottenMs;
    const excess = forgotten.length - forgottenMax;
    for (const { run } of forgotten.filter(({ sinceMs }, index) => sinceMs <= oldestMs || index < excess)) {
      this.#entries.delete(run);
      await this.#parts.folders.remove(run);
    }
  }
}

const settleMs = 20;
const sweepMs = 60_000;

function isLate({ deadlineMs }: Entry, atMs: number): boolean {
  return deadlineMs !== undefined && atMs > deadlineMs;
}

function blobsOf(report: Uint8Array): Uint8Array[] {
  const peeked = peekSigned(ReportMessage, report);
  if (peeked.status === 'malformed') return [];
  const { stdout, stderr, outputs } = peeked.value;
  return [stdout.digest, stderr.digest, ...outputs.map(({ digest }) => digest)];
}
