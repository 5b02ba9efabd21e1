/** A box that does as it is told: answers challenges, runs nothing, reports what its story says. Specification §6. */
import {
  AssignmentMessage,
  BoxCheckMessage,
  BoxEvidenceMessage,
  ChallengeMessage,
  Hello,
  ReportMessage,
  RunState,
  type Outcome,
  type Report,
} from '#protocol/box-messages.ts';
import { BlobChunk, BlobNeed } from '#protocol/blob-transfer.ts';
import { decodeBulk, encodeBulk } from '#protocol/codec.ts';
import { blobDigest, domainDigest, hex } from '#protocol/digest.ts';
import { LIMITS } from '#protocol/limits.ts';
import { capsuleDigest } from '#protocol/manifest.ts';
import { peekSigned, signMessage } from '#protocol/signed.ts';
import { softwareDigest } from '#protocol/software-state.ts';
import type { BoxDown, BoxUp } from '#protocol/topics.ts';
import { networkIdentity, software, softwareSigner, text } from '../protocol/workshop.ts';

interface Running {
  readonly run: string;
  readonly manifest: Uint8Array;
  readonly startedAtMs: number;
}

export class ToldBox {
  readonly name: string;
  readonly keys: ReturnType<typeof softwareSigner>;
  readonly #device: string;
  readonly #now: () => number;
  readonly #say: (kind: BoxUp, payload: Uint8Array) => void;
  readonly #content = new Map<string, Uint8Array>();
  /** How runs end; `hold`: it stays running until `finish`. */
  outcome: Outcome | 'hold' = { outcome: 'exited', status: 0 };
  isOn = true;
  answersChallenges = true;
  /** What it was given when it asked for a blob. */
  readonly given: BlobChunk['chunk'][] = [];
  readonly assigned: string[] = [];
  readonly cancelled: string[] = [];
  readonly acknowledged: string[] = [];
  #running: Running | undefined;
  readonly #reports = new Map<string, Uint8Array>();

  constructor(device: string, now: () => number, say: (kind: BoxUp, payload: Uint8Array) => void) {
    this.name = `${device}-box`;
    this.keys = softwareSigner(blobDigest(text(this.name)));
    this.#device = device;
    this.#now = now;
    this.#say = (kind, payload) => {
      if (this.isOn) say(kind, payload);
    };
  }

  hello(): void {
    this.#say('hello', encodeBulk(Hello, { software, processors: 1, memoryBytes: 1, runs: this.#running ? [this.#running.run] : [] }));
  }

  /** Asks for the first bytes of a blob. */
  need(digest: Uint8Array): void {
    this.#say('need', encodeBulk(BlobNeed, { digest, offset: 0, bytes: 1 }));
  }

  told(kind: BoxDown, payload: Uint8Array): void {
    if (!this.isOn) return;
    if (kind === 'challenge' && this.answersChallenges) this.#challenged(payload);
    if (kind === 'assign') this.#assign(payload);
    if (kind === 'need') this.#serve(payload);
    if (kind === 'chunk') this.#take(payload);
    if (kind === 'cancel') this.#cancel(payload);
    if (kind === 'acknowledge') this.acknowledged.push(runIn(payload));
  }

  /** Ends the run that was held. */
  finish(outcome: Outcome): void {
    if (this.#running) this.#report(this.#running, outcome);
  }

  #challenged(payload: Uint8Array): void {
    const challenge = peekSigned(ChallengeMessage, payload);
    if (challenge.status === 'malformed') throw new Error(challenge.detail);
    const { run, nonce, check } = challenge.value;
    const beacon = domainDigest('beacon-value', networkIdentity, nonce);
    const answer = { ...this.#address(run), beacon, madeAtMs: this.#now() };
    const signed = check
      ? signMessage(BoxCheckMessage, { ...answer, software: softwareDigest(software) }, this.keys.sign)
      : signMessage(BoxEvidenceMessage, { ...answer, software }, this.keys.sign);
    this.#say('evidence', signed);
  }

  #assign(payload: Uint8Array): void {
    const assignment = peekSigned(AssignmentMessage, payload);
    if (assignment.status === 'malformed') throw new Error(assignment.detail);
    const { run, manifest } = assignment.value;
    const report = this.#reports.get(run);
    if (report) return this.#say('report', report);
    if (!this.assigned.includes(run)) this.assigned.push(run);
    const running = this.#running?.run === run ? this.#running : { run, manifest, startedAtMs: this.#now() };
    this.#running = running;
    this.#say('state', encodeBulk(RunState, { run, state: 'running' }));
    if (this.outcome !== 'hold') this.#report(running, this.outcome);
  }

  #cancel(payload: Uint8Array): void {
    const run = runIn(payload);
    this.cancelled.push(run);
    if (this.#running?.run === run) this.finish({ outcome: 'killed', reason: 'cancelled-by-client' });
  }

  #report({ run, manifest, startedAtMs }: Running, outcome: Outcome): void {
    this.#running = undefined;
    const answer = this.#keep(`answer of ${this.name}`);
    const report: Report = {
      ...this.#address(run),
      capsule: capsuleDigest(manifest),
      outcome,
      startedAtMs,
      endedAtMs: this.#now(),
      usage: { wallMs: this.#now() - startedAtMs, cpuMs: 0, memoryBytesMax: 0 },
      outputs: outcome.outcome === 'exited' ? [{ path: 'answer', ...answer }] : [],
      stdout: this.#keep('done\n'),
      stderr: this.#keep(''),
    };
    const encoded = signMessage(ReportMessage, report, this.keys.sign);
    this.#reports.set(run, encoded);
    this.#say('report', encoded);
  }

  #serve(payload: Uint8Array): void {
    const need = decodeBulk(BlobNeed, payload, LIMITS.packetBytesMax);
    if (need.status === 'malformed') throw new Error(need.detail);
    const content = this.#content.get(hex(need.value.digest));
    const { digest, offset } = need.value;
    const chunk = content
      ? ({ chunk: 'content', digest, offset, total: content.length, content } as const)
      : ({ chunk: 'missing', digest } as const);
    this.#say('chunk', encodeBulk(BlobChunk, chunk));
  }

  #take(payload: Uint8Array): void {
    const chunk = decodeBulk(BlobChunk, payload, LIMITS.packetBytesMax);
    if (chunk.status === 'malformed') throw new Error(chunk.detail);
    this.given.push(chunk.value.chunk);
  }

  #keep(words: string): { digest: Uint8Array; bytes: number } {
    const content = text(words);
    const digest = blobDigest(content);
    this.#content.set(hex(digest), content);
    return { digest, bytes: content.length };
  }

  #address(run: string) {
    return { network: networkIdentity, device: this.#device, box: this.name, run };
  }
}

/** Of a cancellation or an acknowledgement. */
function runIn(payload: Uint8Array): string {
  return /[0-9a-f]{32}\.[1-3]/.exec(new TextDecoder('latin1').decode(payload))?.[0] ?? '';
}
