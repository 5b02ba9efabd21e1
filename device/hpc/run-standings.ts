/**
 * What each run has shown of its box's TPM so far, over restarts of the device as well: a run that a device has judged from its beginning
 * on stays one. What is kept is the last quote, which is judged again when it is read. Specification §6.5.
 */
import { decodeStrict, encodeStrict } from '#protocol/codec.ts';
import type { Crypto } from '#protocol/crypto.ts';
import { Digest } from '#protocol/digest.ts';
import { boxQuoteQualifier, judgeBoxKeys, judgeBoxQuote, type BoxMoment } from '#protocol/measured-box/box-quote.ts';
import { BoxKeys, BoxTpmEvidence } from '#protocol/measured-box/box-tpm.ts';
import type { Genesis } from '#protocol/network.ts';
import { list, oneOf, optional, struct, text, type Infer } from '#protocol/schema.ts';
import { TRUST_LEVELS, type TrustLevel } from '#protocol/trust-level.ts';
import type { Clock } from '../ports.ts';
import type { Store } from '../store/store.ts';
import type { PairedBox } from './box-registry.ts';

/** An answer whose quote was accepted. */
const Quoted = struct({ beacon: Digest, software: Digest, tpm: BoxTpmEvidence });
export type Quoted = Readonly<Infer<typeof Quoted>>;

export interface RunStanding {
  /** Judged from its beginning on. */
  readonly isWhole: boolean;
  readonly keys: BoxKeys;
  readonly level: TrustLevel;
  readonly references?: Uint8Array | undefined;
  readonly last: BoxMoment;
}

const Kept = struct({
  run: text({ min: 1, max: 64 }),
  keys: BoxKeys,
  level: oneOf(...TRUST_LEVELS),
  references: optional(Digest),
  quoted: Quoted,
});
type Kept = Readonly<Infer<typeof Kept>>;

/** Of one box: twice as many as it is given at one time, for some wait for their receipt. */
const KEPT_MAX = 8;
const KEPT_BYTES_MAX = 256 * 1_024;
const KeptRuns = struct({ runs: list(Kept, { max: KEPT_MAX }) });

/** Open runs of all boxes, and those that wait for their receipt. */
const RUNS_MAX = 1_024;

export interface RunStandingsParts {
  readonly store: Store;
  readonly crypto: Crypto;
  readonly network: Uint8Array;
  readonly authorities: Genesis['endorsementAuthorities'];
  readonly paired: () => readonly PairedBox[];
  readonly now: Clock;
}

export class RunStandings {
  readonly #parts: RunStandingsParts;
  readonly #runs = new Map<string, RunStanding>();
  /** What is on the disk of each box; a box is read when it is first looked for. */
  readonly #kept = new Map<string, readonly Kept[]>();

  constructor(parts: RunStandingsParts) {
    this.#parts = parts;
  }

  get(run: string): RunStanding | undefined {
    for (const box of this.#parts.paired()) this.#keptOf(box);
    return this.#runs.get(run);
  }

  set(box: PairedBox, run: string, standing: RunStanding, { beacon, software, tpm }: Quoted): void {
    this.#runs.set(run, standing);
    // What nobody asked a receipt of goes first.
    const [oldest] = this.#runs.keys();
    if (this.#runs.size > RUNS_MAX && oldest !== undefined) this.#runs.delete(oldest);
    if (!standing.isWhole) return;
    const { keys, level, references } = standing;
    const kept: Kept = { run, keys, level, ...(references ? { references } : {}), quoted: { beacon, software, tpm } };
    this.#keep(box, [...this.#keptOf(box).filter((other) => other.run !== run), kept].slice(-KEPT_MAX));
  }

  delete(box: PairedBox, run: string): void {
    const others = this.#keptOf(box).filter((kept) => kept.run !== run);
    if (others.length < this.#keptOf(box).length) this.#keep(box, others);
    this.#runs.delete(run);
  }

  #keep({ name }: PairedBox, runs: readonly Kept[]): void {
    this.#parts.store.setMemory(memoryOf(name), encodeStrict(KeptRuns, { runs: [...runs] }));
    this.#kept.set(name, runs);
  }

  #keptOf(box: PairedBox): readonly Kept[] {
    const known = this.#kept.get(box.name);
    if (known) return known;
    const memory = this.#parts.store.memory(memoryOf(box.name));
    const decoded = memory ? decodeStrict(KeptRuns, memory, KEPT_BYTES_MAX) : undefined;
    const runs = decoded?.status === 'decoded' ? decoded.value.runs : [];
    this.#kept.set(box.name, runs);
    for (const kept of runs) this.#restore(box, kept);
    return runs;
  }

  /** A box that was paired anew has another key, to which no old quote answers. */
  #restore({ signingKey: boxKey }: PairedBox, { run, keys, level, references, quoted: { tpm, ...answered } }: Kept): void {
    const { crypto, network, authorities, now } = this.#parts;
    const judged = judgeBoxKeys(keys, authorities, { crypto, atMs: now() });
    if (judged.status === 'refused') return;
    const qualifier = boxQuoteQualifier({ network, run, boxKey, ...answered });
    const quote = judgeBoxQuote(crypto, judged.keys.attestationKey, tpm, qualifier);
    if (quote.status === 'accepted') this.#runs.set(run, { isWhole: true, keys, level, references, last: quote.moment });
  }
}

function memoryOf(box: string): string {
  return `run-standings/${box}`;
}
