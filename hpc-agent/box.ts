/**
 * The box as its device meets it: says hello at each connection, follows the device's orders, answers its asks.
 * Specification §6. What it doesn't follow is a log line and a count, never an answer to whoever sent it.
 */
import { BlobChunk, BlobNeed } from '#protocol/blob-transfer.ts';
import { servedRange } from '#protocol/blob-fetch.ts';
import {
  AcknowledgementMessage,
  AssignmentMessage,
  BoxCheckMessage,
  BoxEvidenceMessage,
  CancellationMessage,
  ChallengeMessage,
  runIdOf,
  type Assignment,
  type Challenge,
} from '#protocol/box-messages.ts';
import { decodeBulk } from '#protocol/codec.ts';
import { domainDigest, hex } from '#protocol/digest.ts';
import { LIMITS } from '#protocol/limits.ts';
import { decodeManifest } from '#protocol/manifest.ts';
import type { BoxTpmEvidence } from '#protocol/measured-box/box-tpm.ts';
import type { Connection, Incoming } from '#protocol/mqtt-port.ts';
import type { Schema } from '#protocol/schema.ts';
import { signMessage, type SignedKind } from '#protocol/signed.ts';
import { softwareDigest } from '#protocol/software-state.ts';
import { parseTopic, topicFilter, type BoxDown } from '#protocol/topics.ts';
import { errorCode } from './atomic-file.ts';
import type { BlobFetcher } from './blob-fetcher.ts';
import type { BlobStore } from './blobs.ts';
import type { BoxIdentity } from './identity.ts';
import { awayMs, challengesAtOnceMax, helloIntervalMs, needsWaitingMax } from './limits.ts';
import type { Log } from './log.ts';
import { untimely, type Orders } from './orders.ts';
import type { Runs } from './runs.ts';
import type { SoftwareSource } from './software-state.ts';
import type { BoxTpm } from './tpm/box-tpm.ts';
import type { BoxVoice } from './voice.ts';

export interface BoxParts {
  readonly identity: BoxIdentity;
  readonly connection: Connection;
  readonly voice: BoxVoice;
  readonly orders: Orders;
  readonly runs: Runs;
  readonly store: BlobStore;
  readonly fetcher: BlobFetcher;
  readonly software: SoftwareSource;
  /** Of a box that has one (§6.5). */
  readonly tpm?: Pick<BoxTpm, 'keys' | 'answer' | 'piece'> | undefined;
  readonly machine: { readonly processors: number; readonly memoryBytes: number; readonly uptimeS: () => number };
  readonly nowMs: () => number;
  readonly log: Log;
}

export class Box {
  readonly #parts: BoxParts;
  #ignored = 0;
  #challengesAnswered = 0;
  #needsWaiting = 0;
  #serving: Promise<void> = Promise.resolve();
  #helloTimer: NodeJS.Timeout | undefined;

  constructor(parts: BoxParts) {
    this.#parts = parts;
  }

  /** Listens and speaks from now on. */
  attach(): void {
    const { connection, identity, log, fetcher } = this.#parts;
    connection.onState((state, reason) => {
      log('connection', { state, reason, device: identity.device });
      if (state === 'connected') void this.#connected();
      else fetcher.disconnected();
      if (state === 'lost') this.#sayWhyAway();
    });
    const filter = topicFilter(identity.networkLabel, identity.device, 'hpc', identity.box, 'down', '+');
    void connection.subscribe(filter, (message) => {
      this.#heard(message);
    });
    this.#helloTimer = setInterval(() => {
      void this.#hello();
    }, helloIntervalMs);
    if (connection.state === 'connected') void this.#connected();
    else this.#sayWhyAway();
  }

  /** Says nothing of itself any more. */
  detach(): void {
    clearInterval(this.#helloTimer);
  }

  /** What stands in the way shows when it was tried again. */
  #sayWhyAway(): void {
    const { connection, identity, log } = this.#parts;
    connection.connected(awayMs).catch((error: unknown) => {
      const reason = error instanceof Error ? error.message : String(error);
      if (connection.state !== 'closed') log('device-away', { device: identity.device, reason });
    });
  }

  async #connected(): Promise<void> {
    await this.#hello();
    this.#parts.runs.connected();
    this.#parts.fetcher.connected();
  }

  async #hello(): Promise<void> {
    const { voice, software, machine, runs, tpm, log } = this.#parts;
    try {
      const shown = tpm?.keys ? { tpm: tpm.keys } : {};
      await voice.hello({ ...shown, software: await software.read(), ...machine, uptimeS: machine.uptimeS(), runs: runs.held() });
    } catch (error) {
      log('software-unread', { reason: errorCode(error) ?? String(error) });
    }
  }

  /** Only the introduction is kept by the broker; an order that was kept is old or a trick. */
  #heard({ topic, payload, retained }: Incoming): void {
    const parsed = parseTopic(this.#parts.identity.networkLabel, topic);
    if (parsed?.to !== 'box' || parsed.direction !== 'down') return this.#ignore('foreign-topic', topic, 'it is not for a box');
    if (retained && parsed.kind !== 'introduction') return this.#ignore(parsed.kind, 'retained', 'the broker kept it from earlier');
    this.#dispatch(parsed.kind, payload);
    // Who has just come to the broker has not heard what was said before.
    if (parsed.kind === 'introduction' && !retained) void this.#hello();
  }

  #dispatch(kind: BoxDown, payload: Uint8Array): void {
    switch (kind) {
      case 'introduction':
        return this.#introduced(payload);
      case 'challenge':
        return this.#follow(kind, ChallengeMessage, payload, (challenge) => {
          this.#challenged(challenge);
        });
      case 'assign':
        return this.#follow(kind, AssignmentMessage, payload, (assignment) => {
          this.#assigned(assignment);
        });
      case 'cancel':
        return this.#follow(kind, CancellationMessage, payload, ({ run, reason }) => {
          this.#parts.runs.cancel(run, reason);
        });
      case 'acknowledge':
        return this.#follow(kind, AcknowledgementMessage, payload, ({ run }) => {
          this.#parts.runs.acknowledge(run);
        });
      case 'need':
        return this.#read(kind, BlobNeed, payload, (need) => {
          this.#needed(need);
        });
      case 'chunk':
        return this.#read(kind, BlobChunk, payload, (chunk) => {
          this.#parts.fetcher.chunkReceived(chunk);
        });
    }
  }

  #introduced(payload: Uint8Array): void {
    const verdict = this.#parts.orders.introduced(payload, this.#parts.nowMs());
    if (verdict.status === 'refused') return this.#ignore('introduction', verdict.reason, verdict.detail);
    if (verdict.isNew) this.#parts.log('device-trusted', { device: this.#parts.identity.device, key: hex(verdict.operationalKey) });
  }

  #follow<T extends { network: Uint8Array; device: string; box: string; run: string }>(
    kind: BoxDown,
    signed: SignedKind<T>,
    payload: Uint8Array,
    act: (order: T) => void,
  ): void {
    const verdict = this.#parts.orders.open(signed, payload);
    if (verdict.status === 'refused') this.#ignore(kind, verdict.reason, verdict.detail);
    else act(verdict.order);
  }

  #read<T>(kind: BoxDown, schema: Schema<T>, payload: Uint8Array, act: (value: T) => void): void {
    const decoded = decodeBulk(schema, payload, LIMITS.packetBytesMax);
    if (decoded.status === 'malformed') this.#ignore(kind, decoded.reason, decoded.detail);
    else act(decoded.value);
  }

  #challenged(challenge: Challenge): void {
    const late = untimely(challenge.issuedAtMs, this.#parts.nowMs());
    if (late !== undefined) return this.#ignore('challenge', 'untimely', late);
    if (this.#challengesAnswered >= challengesAtOnceMax)
      return this.#ignore('challenge', 'too-many', `${challengesAtOnceMax} are being answered`);
    this.#challengesAnswered += 1;
    void this.#answerChallenge(challenge).finally(() => {
      this.#challengesAnswered -= 1;
    });
  }

  async #answerChallenge(challenge: Challenge): Promise<void> {
    const { run, nonce } = challenge;
    const { identity, software, voice, nowMs, log } = this.#parts;
    try {
      const { networkId: network, device, box } = identity;
      const state = await software.read();
      const beacon = domainDigest('beacon-value', network, nonce);
      const tpm = await this.#quoted(challenge, beacon, softwareDigest(state));
      const answer = { network, device, box, run, beacon, madeAtMs: nowMs(), ...(tpm ? { tpm } : {}) };
      const signed = challenge.check
        ? signMessage(BoxCheckMessage, { ...answer, software: softwareDigest(state) }, identity.sign)
        : signMessage(BoxEvidenceMessage, { ...answer, software: state }, identity.sign);
      await voice.signed('evidence', signed);
      log('evidence-given', { run });
    } catch (error) {
      log('software-unread', { run, reason: errorCode(error) ?? String(error) });
    }
  }

  /** A TPM that fails is no reason to say nothing: the device judges evidence that lacks its quote. */
  async #quoted({ run, nonce, activation }: Challenge, beacon: Uint8Array, software: Uint8Array): Promise<BoxTpmEvidence | undefined> {
    const { tpm, identity, log } = this.#parts;
    if (!tpm) return undefined;
    try {
      return await tpm.answer({ network: identity.networkId, beacon, run, boxKey: identity.publicKey, software, nonce, activation });
    } catch (error) {
      log('tpm-failed', { run, reason: error instanceof Error ? error.message : String(error) });
      return undefined;
    }
  }

  /** A run that the box knows is never judged again: its state is what the device wants to hear. */
  #assigned(assignment: Assignment): void {
    const { runs, nowMs } = this.#parts;
    if (runs.knows(assignment.run)) return runs.assignedAgain(assignment.run);
    const late = untimely(assignment.assignedAtMs, nowMs());
    if (late !== undefined) return runs.refuse(assignment.run, `the assignment is untimely: ${late}`);
    if (runIdOf(assignment.capsule, assignment.attempt) !== assignment.run)
      return runs.refuse(assignment.run, 'the run is named after another capsule or attempt');
    const manifest = decodeManifest(assignment.manifest);
    if (manifest.status === 'malformed') return runs.refuse(assignment.run, `the manifest is malformed: ${manifest.detail}`);
    runs.assign({ run: assignment.run, manifest: manifest.value, encodedManifest: assignment.manifest });
  }

  /** Pieces are read one after the other; what waits too long is asked for again. */
  #needed(need: BlobNeed): void {
    if (this.#needsWaiting >= needsWaitingMax) return this.#ignore('need', 'too-many', `${needsWaitingMax} asks are waiting`);
    this.#needsWaiting += 1;
    this.#serving = this.#serving
      .then(() => this.#serve(need))
      .finally(() => {
        this.#needsWaiting -= 1;
      });
  }

  async #serve(need: BlobNeed): Promise<void> {
    try {
      await this.#parts.voice.chunk(await this.#pieceFor(need));
    } catch (error) {
      this.#parts.log('blob-unread', { blob: hex(need.digest), reason: errorCode(error) ?? String(error) });
    }
  }

  async #pieceFor(need: BlobNeed): Promise<BlobChunk> {
    const { runs, store, tpm } = this.#parts;
    const logged = tpm?.piece(need.digest);
    if (logged) {
      const { offset, bytes } = servedRange(need, logged.length);
      return { chunk: 'content', digest: need.digest, offset, total: logged.length, content: logged.slice(offset, offset + bytes) };
    }
    const total = runs.hasLeft(need.digest) ? store.sizeOf(need.digest) : undefined;
    if (total === undefined) return { chunk: 'missing', digest: need.digest };
    const { offset, bytes } = servedRange(need, total);
    return { chunk: 'content', digest: need.digest, offset, total, content: await store.read(need.digest, offset, bytes) };
  }

  #ignore(what: string, reason: string, detail: string): void {
    this.#ignored += 1;
    this.#parts.log('ignored', { what, reason, detail, count: this.#ignored });
  }
}
