/**
 * The device's desk for boxes with a TPM: activates their keys, fetches their logs, judges what they answer, and says at once when a
 * box is suspect. Specification §6.5, §6.6. A box without a TPM passes it by. It decides by `box-standing.ts` and `#protocol/measured-box/`.
 */
import { decodeStrict, encodeStrict, sameBytes } from '#protocol/codec.ts';
import type { BlobChunk, BlobNeed } from '#protocol/blob-transfer.ts';
import type { Crypto } from '#protocol/crypto.ts';
import { hex } from '#protocol/digest.ts';
import { LIMITS } from '#protocol/limits.ts';
import { judgeBoxKeys, type BoxMoment, type JudgedBoxKeys } from '#protocol/measured-box/box-quote.ts';
import type { BoxKeys, BoxLevel, BoxTpmEvidence, ClosedSecret } from '#protocol/measured-box/box-tpm.ts';
import { learn } from '#protocol/measured-box/learning.ts';
import { judgeMeasurement } from '#protocol/measured-box/measurement.ts';
import type { Genesis } from '#protocol/network.ts';
import { harmless } from '#protocol/schema.ts';
import type { Clock, Log, Random } from '../ports.ts';
import type { BlobStore } from '../store/blob-store.ts';
import type { Store } from '../store/store.ts';
import type { PairedBox } from './box-registry.ts';
import {
  ActivatedKeys,
  endorsementDigest,
  isActivatedBy,
  isSameKeys,
  isSameTpm,
  judgeAnsweredQuote,
  lesserLevel,
  levelOf,
  type Activation,
  type BoxStanding,
} from './box-standing.ts';
import { LogCollector } from './log-collector.ts';
import { referencesDigest, type ReferenceFiles } from './reference-file.ts';

/** TPM2_MakeCredential by the device's own TPM. @param endorsementKey TPMT_PUBLIC */
export type CloseSecret = (secret: Uint8Array, endorsementKey: Uint8Array, attestationKeyName: Uint8Array) => Promise<ClosedSecret>;

/** A box whose evidence was refused: whoever holds its power and its keys may want to act. */
export interface BoxSuspicion {
  readonly box: string;
  readonly run: string;
  readonly detail: string;
}

export interface MeasuringParts {
  readonly store: Store;
  readonly blobs: BlobStore;
  readonly network: Uint8Array;
  readonly authorities: Genesis['endorsementAuthorities'];
  readonly crypto: Crypto;
  readonly references: ReferenceFiles;
  readonly closeSecret: CloseSecret;
  readonly ask: (box: string, need: BlobNeed) => void;
  readonly now: Clock;
  readonly random: Random;
  readonly log: Log;
}

/** What a box answered, its own and fresh: the rest is judged here. */
export interface BoxAnswer {
  readonly box: PairedBox;
  readonly run: string;
  readonly nonce: Uint8Array;
  readonly beacon: Uint8Array;
  /** `softwareDigest` of what it reports. */
  readonly software: Uint8Array;
  readonly tpm?: BoxTpmEvidence | undefined;
}

export interface AnswerOutcome {
  readonly accepted: () => void;
  readonly refused: (detail: string) => void;
}

/** Of one run, in memory: after a restart of the device its level is `self-reported`. */
interface RunStanding {
  readonly keys: BoxKeys;
  readonly level: BoxLevel;
  readonly references?: Uint8Array;
  readonly last: BoxMoment;
}

export class BoxMeasuring {
  readonly #parts: MeasuringParts;
  readonly #logs: LogCollector;
  /** What each box's hello shows, and the secret that was closed for it. */
  readonly #shown = new Map<string, BoxKeys>();
  readonly #activations = new Map<string, Activation & { readonly closed: ClosedSecret }>();
  readonly #runs = new Map<string, RunStanding>();
  /** Runs whose answer waits for its logs. */
  readonly #judging = new Set<string>();

  constructor(parts: MeasuringParts) {
    this.#parts = parts;
    this.#logs = new LogCollector(parts.blobs, parts.now, parts.ask);
  }

  chunkReceived(box: string, chunk: BlobChunk): void {
    this.#logs.chunkReceived(box, chunk);
  }

  timePassed(): void {
    this.#logs.timePassed();
  }

  /** A hello: closes a secret for keys that the box has not shown to be its own yet. */
  introduced(box: PairedBox, keys: BoxKeys | undefined): void {
    if (!keys) return void this.#shown.delete(box.name);
    this.#shown.set(box.name, keys);
    const activated = this.#activated(box);
    if (activated && !isSameTpm(activated, keys))
      return this.#parts.log('boxHasAnotherTpm', {
        box: box.name,
        was: hex(endorsementDigest(activated)),
        is: hex(endorsementDigest(keys)),
      });
    if (activated && isSameKeys(activated, keys)) return;
    const prepared = this.#activations.get(box.name);
    if (!prepared || !isSameKeys(prepared.keys, keys)) void this.#prepareActivation(box.name, keys);
  }

  /** To go with the next challenge, while the box has not opened one. */
  activationFor(box: string): ClosedSecret | undefined {
    return this.#activations.get(box)?.closed;
  }

  /** For a receipt; undefined where not every answer of the run was quoted. */
  standingOf(run: string): BoxStanding | undefined {
    const standing = this.#runs.get(run);
    if (!standing) return undefined;
    const { keys, level, references } = standing;
    return { level, tpm: { keys, ...(references ? { references } : {}) } };
  }

  forget(run: string): void {
    this.#runs.delete(run);
  }

  /** @param isFirst the answer before the run: no earlier one has to be gone on from */
  answered(answer: BoxAnswer, isFirst: boolean, outcome: AnswerOutcome): void {
    if (this.#judging.has(answer.run)) return;
    const { box, run } = answer;
    if (isFirst) this.#runs.delete(run);
    const shown = this.#shown.get(box.name);
    const activated = this.#activated(box);
    if (activated && shown && !isSameTpm(activated, shown))
      return outcome.refused(
        'the box has another TPM than the one it was activated with: another box is behind the cable, or its TPM was changed; pair it anew',
      );
    if (activated && !answer.tpm) return outcome.refused('the box shows no quote, and its TPM was activated before');
    const keys = shown ?? activated;
    if (!answer.tpm || !keys || (!isFirst && !this.#runs.has(run))) return this.#unquoted(run, outcome);
    this.#judging.add(run);
    void this.#judge({ ...answer, tpm: answer.tpm }, keys)
      .then((fault) => (fault === undefined ? outcome.accepted() : outcome.refused(fault)))
      .catch((error: unknown) =>
        this.#parts.log('boxNotMeasured', { box: box.name, run, reason: error instanceof Error ? error.message : 'unknown' }),
      )
      .finally(() => this.#judging.delete(run));
  }

  /** Counts as the box's own word, and so does the whole run. */
  #unquoted(run: string, outcome: AnswerOutcome): void {
    this.#runs.delete(run);
    outcome.accepted();
  }

  /** @returns why it is refused. @throws Error where the logs did not come or can't be kept: the box is asked again */
  async #judge(answer: BoxAnswer & { tpm: BoxTpmEvidence }, keys: BoxKeys): Promise<string | undefined> {
    const { crypto, network, authorities, now } = this.#parts;
    const { box, run, tpm } = answer;
    const judged = judgeBoxKeys(keys, authorities, { crypto, atMs: now() });
    if (judged.status === 'refused') return `the keys of the box's TPM are refused (${judged.reason}): ${judged.detail}`;
    const quote = judgeAnsweredQuote(crypto, judged.keys, { ...answer, network, boxKey: box.signingKey, tpm }, this.#runs.get(run)?.last);
    if (quote.status === 'refused') return quote.detail;
    this.#tryActivation(answer, keys);
    const references = this.#parts.references.read(box.name);
    if (references && !sameBytes(references.endorsementKey, endorsementDigest(keys)))
      return `the reference values of ${box.name} are of another TPM; learn them anew (npm run pair -- measure)`;
    const logs = await this.#logs.collect(box.name, tpm);
    const verdict = judgeMeasurement(crypto, { evidence: tpm, registers: quote.moment.registers, logs, references });
    if (verdict.status === 'refused') return reasonsText(verdict.reasons);
    if (references?.stage === 'learning') this.#parts.references.write(box.name, learn(references, verdict));
    this.#stand(answer, {
      keys,
      judged: judged.keys,
      moment: quote.moment,
      references: references?.stage === 'frozen' ? referencesDigest(references) : undefined,
    });
    return undefined;
  }

  #stand(
    { box, run }: BoxAnswer,
    shown: { keys: BoxKeys; judged: JudgedBoxKeys; moment: BoxMoment; references: Uint8Array | undefined },
  ): void {
    const activated = this.#activated(box);
    const isActivated = activated !== undefined && isSameKeys(activated, shown.keys);
    const level = levelOf(shown.judged, isActivated, shown.references !== undefined);
    const earlier = this.#runs.get(run);
    const standing = { keys: shown.keys, last: shown.moment, level: earlier ? lesserLevel(earlier.level, level) : level };
    this.#runs.set(run, { ...standing, ...(shown.references ? { references: shown.references } : {}) });
    // What nobody asked a receipt of goes first.
    const [oldest] = this.#runs.keys();
    if (this.#runs.size > runsRememberedMax && oldest !== undefined) this.#runs.delete(oldest);
  }

  #tryActivation({ box, nonce, tpm }: BoxAnswer, keys: BoxKeys): void {
    const activation = this.#activations.get(box.name);
    if (!activation || !tpm?.activated || !isSameKeys(activation.keys, keys)) return;
    if (!isActivatedBy(activation, tpm.activated, this.#parts.network, nonce)) return this.#parts.log('boxNotActivated', { box: box.name });
    this.#activations.delete(box.name);
    this.#parts.store.setMemory(memoryOf(box.name), encodeStrict(ActivatedKeys, { signingKey: box.signingKey, keys }));
    this.#parts.log('boxActivated', { box: box.name, endorsementKey: hex(endorsementDigest(keys)) });
  }

  async #prepareActivation(box: string, keys: BoxKeys): Promise<void> {
    const { crypto, authorities, closeSecret, random, now, log } = this.#parts;
    const judged = judgeBoxKeys(keys, authorities, { crypto, atMs: now() });
    if (judged.status === 'refused') return log('boxKeysRefused', { box, reason: judged.reason, detail: judged.detail });
    const secret = random(32);
    try {
      const { blob, secret: encrypted } = await closeSecret(secret, keys.endorsementKey, judged.keys.attestationKey.name);
      this.#activations.set(box, { keys, secret, closed: { blob, secret: encrypted } });
    } catch (error) {
      log('boxNotActivated', { box, reason: error instanceof Error ? error.message : 'unknown' });
    }
  }

  /** Of the box that was paired with this signing key: pairing anew with a new one forgets the TPM. */
  #activated({ name, signingKey }: PairedBox): BoxKeys | undefined {
    const memory = this.#parts.store.memory(memoryOf(name));
    const decoded = memory && decodeStrict(ActivatedKeys, memory, LIMITS.signedBytesMax);
    return decoded?.status === 'decoded' && sameBytes(decoded.value.signingKey, signingKey) ? decoded.value.keys : undefined;
  }
}

/** Open runs of all boxes, and those that wait for their receipt. */
const runsRememberedMax = 1_024;

function memoryOf(box: string): string {
  return `box-tpm/${box}`;
}

/** All of them, as far as a note holds. */
function reasonsText(reasons: readonly { readonly reason: string; readonly detail: string }[]): string {
  const count = reasons.length > 1 ? `${reasons.length} reasons: ` : '';
  return harmless(`${count}${reasons.map(({ reason, detail }) => `${detail} (${reason})`).join('; ')}`, LIMITS.noteCharactersMax);
}
