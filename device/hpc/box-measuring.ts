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
import { isSameKeys, isSameTpm, type BoxKeys, type BoxTpmEvidence, type ClosedSecret } from '#protocol/measured-box/box-tpm.ts';
import { learn } from '#protocol/measured-box/learning.ts';
import { judgingMeasurement } from '#protocol/measured-box/measurement.ts';
import type { Genesis } from '#protocol/network.ts';
import { harmless } from '#protocol/schema.ts';
import { lesserLevel, type TrustLevel } from '#protocol/trust-level.ts';
import type { BoxWatch } from '../control/ports.ts';
import { inTurns } from '../in-turns.ts';
import { DEVICE_LIMITS } from '../limits.ts';
import { oneAtATime } from '../one-at-a-time.ts';
import type { Clock, Log, Random } from '../ports.ts';
import type { BlobStore } from '../store/blob-store.ts';
import type { Store } from '../store/store.ts';
import type { PairedBox } from './box-registry.ts';
import {
  ActivatedKeys,
  endorsementDigest,
  isActivatedBy,
  judgeAnsweredQuote,
  levelOf,
  type Activation,
  type BoxStanding,
  type EarlierQuote,
} from './box-standing.ts';
import { LogCollector } from './log-collector.ts';
import { referencesDigest, type ReferenceFiles } from './reference-file.ts';
import { RunStandings } from './run-standings.ts';

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
  /** For the logs of boxes alone. */
  readonly logs: BlobStore;
  readonly network: Uint8Array;
  readonly authorities: Genesis['endorsementAuthorities'];
  readonly crypto: Crypto;
  readonly references: ReferenceFiles;
  readonly control: Pick<BoxWatch, 'askNow'>;
  readonly paired: () => readonly PairedBox[];
  readonly closeSecret: CloseSecret;
  readonly ask: (box: string, need: BlobNeed) => void;
  readonly now: Clock;
  readonly random: Random;
  readonly log: Log;
}

/** What a box answered, its own and fresh: the rest is judged here. */
export interface BoxAnswer {
  readonly box: PairedBox;
  /** Asked `before` a run begins, `within` it, or `outside` of any (§17.1). */
  readonly when: 'before' | 'within' | 'outside';
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

/** Of one box: what its last accepted quote has shown. */
interface LastMeasured {
  readonly signingKey: Uint8Array;
  readonly keys: BoxKeys;
  readonly level: TrustLevel;
  readonly atMs: number;
  readonly moment: BoxMoment;
}

/** Of one box: its answers are judged one after the other. */
interface AnswerLine {
  /** Those that are judged or wait, for logs too. */
  readonly runs: Set<string>;
  readonly inTurn: ReturnType<typeof oneAtATime>;
}

export class BoxMeasuring {
  readonly #parts: MeasuringParts;
  readonly #logs: LogCollector;
  /** What each box's hello shows, and the secret that was closed for it. */
  readonly #shown = new Map<string, BoxKeys>();
  readonly #activations = new Map<string, Activation & { readonly closed: ClosedSecret }>();
  readonly #closing = new Set<string>();
  /** When a secret was last closed for a box. */
  readonly #closedAtMs = new Map<string, number>();
  readonly #runs: RunStandings;
  readonly #last = new Map<string, LastMeasured>();
  readonly #lines = new Map<string, AnswerLine>();
  /** The reference values as they were looked at last. */
  readonly #marks = new Map<string, string>();
  /** Logs of one box are in memory at a time. */
  readonly #inMemory = oneAtATime();

  constructor(parts: MeasuringParts) {
    this.#parts = parts;
    this.#runs = new RunStandings(parts);
    this.#logs = new LogCollector(parts.logs, parts.now, parts.ask);
  }

  chunkReceived(box: string, chunk: BlobChunk): void {
    this.#logs.chunkReceived(box, chunk);
  }

  timePassed(): void {
    this.#logs.timePassed();
    for (const box of this.#shown.keys()) this.#lookAtReferences(box);
  }

  /** What the operator has changed holds from the next measurement on, so that comes at once. */
  #lookAtReferences(box: string): void {
    const mark = this.#parts.references.mark(box);
    const before = this.#marks.get(box);
    this.#marks.set(box, mark);
    if (before !== undefined && before !== mark) this.#parts.control.askNow(box);
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
    if (this.#closing.has(box.name) || (prepared && isSameKeys(prepared.keys, keys))) return;
    const atMs = this.#parts.now();
    const sinceMs = atMs - (this.#closedAtMs.get(box.name) ?? -Infinity);
    // A clock that went back must not keep a box waiting.
    if (sinceMs >= 0 && sinceMs < DEVICE_LIMITS.activationEveryMs) return;
    this.#closedAtMs.set(box.name, atMs);
    this.#closing.add(box.name);
    void this.#prepareActivation(box.name, keys).finally(() => this.#closing.delete(box.name));
  }

  /** A secret is being closed for the box: it should go with the next challenge. */
  isClosing(box: string): boolean {
    return this.#closing.has(box);
  }

  /** To go with the next challenge, while the box has not opened one: closed for the keys that it shows now. */
  activationFor(box: string): ClosedSecret | undefined {
    const [prepared, shown] = [this.#activations.get(box), this.#shown.get(box)];
    return prepared && shown && isSameKeys(prepared.keys, shown) ? prepared.closed : undefined;
  }

  /** What the box may be offered as: by its last measurement, for a while (§15.10). */
  levelOf({ name, signingKey }: PairedBox): TrustLevel {
    const last = this.#last.get(name);
    const counts = last && sameBytes(last.signingKey, signingKey) && this.#parts.now() - last.atMs <= DEVICE_LIMITS.boxLevelMs;
    return counts ? last.level : 'self-reported';
  }

  /** For a receipt; undefined where not every answer of the run was quoted. */
  standingOf(run: string): BoxStanding | undefined {
    const standing = this.#runs.get(run);
    if (!standing?.isWhole) return undefined;
    const { keys, level, references } = standing;
    return { level, tpm: { keys, ...(references ? { references } : {}) } };
  }

  answered(answer: BoxAnswer, told: AnswerOutcome): void {
    const { box, run, when } = answer;
    const line = this.#lineOf(box.name);
    if (line.runs.has(run) || line.runs.size >= DEVICE_LIMITS.answersJudgedMax) return;
    const outcome = { ...told, refused: (detail: string) => this.#refused(box.name, detail, told) };
    if (when === 'before') this.#runs.delete(box, run);
    const shown = this.#shown.get(box.name);
    const activated = this.#activated(box);
    if (activated && shown && !isSameTpm(activated, shown))
      return outcome.refused(
        'the box has another TPM than the one it was activated with: another box is behind the cable, or its TPM was changed; pair it anew',
      );
    if (activated && !answer.tpm) return outcome.refused('the box shows no quote, and its TPM was activated before');
    const keys = shown ?? activated;
    if (!answer.tpm || !keys) return this.#unquoted(answer, outcome);
    line.runs.add(run);
    const { tpm } = answer;
    void line
      .inTurn(() => this.#judge({ ...answer, tpm }, keys))
      .then((fault) => (fault === undefined ? outcome.accepted() : outcome.refused(fault)))
      .catch((error: unknown) =>
        this.#parts.log('boxNotMeasured', { box: box.name, run, reason: error instanceof Error ? error.message : 'unknown' }),
      )
      .finally(() => line.runs.delete(run));
  }

  #lineOf(box: string): AnswerLine {
    const line = this.#lines.get(box) ?? { runs: new Set<string>(), inTurn: oneAtATime() };
    this.#lines.set(box, line);
    return line;
  }

  /** Counts as the box's own word, and so does the whole run. */
  #unquoted({ box, run }: BoxAnswer, outcome: AnswerOutcome): void {
    this.#runs.delete(box, run);
    this.#fallBack(box.name);
    outcome.accepted();
  }

  #refused(box: string, detail: string, told: AnswerOutcome): void {
    this.#fallBack(box);
    told.refused(detail);
  }

  /** The moment stays: what a register held is not forgotten by a refusal. */
  #fallBack(box: string): void {
    const last = this.#last.get(box);
    if (last) this.#last.set(box, { ...last, level: 'self-reported' });
  }

  /** The quote from which an answer has to go on. */
  #earlier({ box, run, when }: BoxAnswer, keys: BoxKeys): EarlierQuote | undefined {
    const inRun = when === 'within' ? this.#runs.get(run) : undefined;
    if (inRun) return { of: 'run', moment: inRun.last };
    const last = this.#last.get(box.name);
    return last && isSameKeys(last.keys, keys) ? { of: 'box', moment: last.moment } : undefined;
  }

  /** @returns why it is refused. @throws Error where the logs did not come or can't be kept: the box is asked again */
  async #judge(answer: BoxAnswer & { tpm: BoxTpmEvidence }, keys: BoxKeys): Promise<string | undefined> {
    const { crypto, network, authorities, now } = this.#parts;
    const { box, tpm } = answer;
    const judged = judgeBoxKeys(keys, authorities, { crypto, atMs: now() });
    if (judged.status === 'refused') return `the keys of the box's TPM are refused (${judged.reason}): ${judged.detail}`;
    const quote = judgeAnsweredQuote(crypto, judged.keys, { ...answer, network, boxKey: box.signingKey, tpm }, this.#earlier(answer, keys));
    if (quote.status === 'refused') return quote.detail;
    const owner = this.#ownerOf(keys, box.name);
    if (owner !== undefined)
      return `the box shows the TPM of ${owner}, and one TPM stands for one box; if it is in ${box.name} now, remove ${owner} (npm run pair -- remove ${owner})`;
    this.#tryActivation(answer, keys);
    const references = this.#parts.references.read(box.name);
    if (references && !sameBytes(references.endorsementKey, endorsementDigest(keys)))
      return `the reference values of ${box.name} are of another TPM; learn them anew (npm run pair -- measure)`;
    const collected = await this.#logs.collect(box.name, tpm);
    const { registers } = quote.moment;
    const verdict = await this.#inMemory(async () => {
      const logs = await this.#logs.read(collected);
      return inTurns(judgingMeasurement(crypto, { evidence: tpm, registers, logs, references }));
    });
    if (verdict.status === 'refused') {
      await this.#logs.drop(box.name);
      return reasonsText(verdict.reasons);
    }
    if (references?.stage === 'learning') {
      this.#parts.references.write(box.name, learn(references, verdict));
      this.#marks.set(box.name, this.#parts.references.mark(box.name));
    }
    this.#stand(answer, {
      keys,
      judged: judged.keys,
      moment: quote.moment,
      references: references?.stage === 'frozen' ? referencesDigest(references) : undefined,
    });
    return undefined;
  }

  #stand(
    { box, run, when, beacon, software, tpm }: BoxAnswer & { tpm: BoxTpmEvidence },
    shown: { keys: BoxKeys; judged: JudgedBoxKeys; moment: BoxMoment; references: Uint8Array | undefined },
  ): void {
    const activated = this.#activated(box);
    const isActivated = activated !== undefined && isSameKeys(activated, shown.keys);
    const level = levelOf(shown.judged, isActivated, shown.references !== undefined);
    const { keys, moment } = shown;
    this.#last.set(box.name, { signingKey: box.signingKey, keys, level, atMs: this.#parts.now(), moment });
    if (when === 'outside') return;
    const earlier = this.#runs.get(run);
    const isWhole = when === 'before' || earlier?.isWhole === true;
    const standing = { isWhole, keys, last: moment, level: earlier ? lesserLevel(earlier.level, level) : level };
    this.#runs.set(box, run, { ...standing, references: shown.references }, { beacon, software, tpm });
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

  /** Another paired box with which this TPM was activated. */
  #ownerOf(keys: BoxKeys, box: string): string | undefined {
    const others = this.#parts.paired().filter(({ name }) => name !== box);
    return others.find((other) => {
      const activated = this.#activated(other);
      return activated !== undefined && isSameTpm(activated, keys);
    })?.name;
  }

  /** Of the box that was paired with this signing key: pairing anew with a new one forgets the TPM. */
  #activated({ name, signingKey }: PairedBox): BoxKeys | undefined {
    const memory = this.#parts.store.memory(memoryOf(name));
    const decoded = memory && decodeStrict(ActivatedKeys, memory, LIMITS.signedBytesMax);
    return decoded?.status === 'decoded' && sameBytes(decoded.value.signingKey, signingKey) ? decoded.value.keys : undefined;
  }
}

function memoryOf(box: string): string {
  return `box-tpm/${box}`;
}

/** All of them, as far as a note holds. */
function reasonsText(reasons: readonly { readonly reason: string; readonly detail: string }[]): string {
  const count = reasons.length > 1 ? `${reasons.length} reasons: ` : '';
  return harmless(`${count}${reasons.map(({ reason, detail }) => `${detail} (${reason})`).join('; ')}`, LIMITS.noteCharactersMax);
}
