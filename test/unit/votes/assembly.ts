/**
 * Voters of one decision on a simulated clock and network, from a seed: delays, loss, duplicates, restarts with what was
 * kept, and liars. A voter that has decided answers whoever still votes with its certificate, as a member does (§14.2).
 */
import type { Ballot } from '#protocol/chain/ballot.ts';
import type { CastBallot, VoteEffect, VoteEvent, VoteRecord, Voters } from '../../../device/votes/decision.ts';
import { startDecision, stepDecision, wakeAtMs, type DecisionState } from '../../../device/votes/machine.ts';
import { proposerOf } from '../../../device/votes/proposer.ts';

export const instance = new Uint8Array(32).fill(0xaa);
export const baseMs = 200;
export const repeatMs = 400;

/** 32 bytes that begin with a number. */
export function bytesOf(number: number, fill = 0): Uint8Array {
  const value = new Uint8Array(32).fill(fill);
  new DataView(value.buffer).setUint32(0, number);
  return value;
}

export const X = bytesOf(1, 0xee);
export const Y = bytesOf(2, 0xee);

/** Node ids in hexadecimal, in their order. */
export function nodesOf(count: number): string[] {
  return Array.from({ length: count }, (_, index) => bytesOf(index + 1, 0x11).toHex());
}

export function votersOf(nodes: readonly string[], weights: readonly number[] = []): Voters {
  const each = nodes.map((node, index) => [node, weights[index] ?? 1] as const);
  return { weights: new Map(each), total: each.reduce((sum, [, weight]) => sum + weight, 0) };
}

export function ballot(node: string, round: number, step: Ballot['step'], value?: Uint8Array): CastBallot {
  const said = { network: bytesOf(0), instance, round, step, ...(value && { value }), node: Uint8Array.fromHex(node) };
  const envelope = new TextEncoder().encode(`${node} ${round} ${step} ${value?.toHex() ?? 'none'}`);
  return { ballot: said, envelope, key: Uint8Array.fromHex(node) };
}

/** mulberry32: numbers in [0, 1) from a seed. */
export function randomOf(seed: number): () => number {
  let state = seed >>> 0;
  return () => {
    state = (state + 0x6d2b79f5) >>> 0;
    let mixed = Math.imul(state ^ (state >>> 15), state | 1);
    mixed ^= mixed + Math.imul(mixed ^ (mixed >>> 7), mixed | 61);
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 32;
  };
}

type Message = { readonly type: 'ballot'; readonly cast: CastBallot } | Omit<VoteEvent & { readonly type: 'proposalReceived' }, 'nowMs'>;

interface Voter {
  state: DecisionState;
  up: boolean;
  kept: VoteRecord | undefined;
  decided: (VoteEffect & { readonly effect: 'decided' }) | undefined;
  candidate: Uint8Array | undefined;
}

export interface Weather {
  /** Of messages, 0 to 1. */
  readonly loss: number;
  readonly twice: number;
  readonly delayMaxMs: number;
}

export const fair: Weather = { loss: 0, twice: 0, delayMaxMs: 20 };

export class Assembly {
  readonly nodes: readonly string[];
  readonly voters: Voters;
  readonly honest: ReadonlyMap<string, Voter>;
  readonly liars: readonly string[];
  readonly equivocated: (VoteEffect & { readonly effect: 'equivocated' })[] = [];
  readonly contradictions: string[] = [];
  nowMs = 0;
  weather = fair;
  readonly random: () => number;
  readonly #due: { readonly atMs: number; readonly act: () => void }[] = [];
  #stepsNow = 0;
  readonly #said = new Map<string, string>();
  /** Prevotes that anyone has cast, for the quorums of lying proposers. */
  readonly #prevotes: CastBallot[] = [];

  /** The first nodes are honest, with their candidates; those after them lie. */
  constructor(seed: number, candidates: readonly (Uint8Array | undefined)[], liars = 0) {
    this.random = randomOf(seed);
    this.nodes = nodesOf(candidates.length + liars);
    this.voters = votersOf(this.nodes);
    this.liars = this.nodes.slice(candidates.length);
    this.honest = new Map(
      candidates.map((candidate, index) => {
        const state = this.#start(this.nodes[index] ?? '', undefined);
        return [this.nodes[index] ?? '', { state, up: true, kept: undefined, decided: undefined, candidate }];
      }),
    );
  }

  /** Gives everyone its candidate, at times up to `spreadMs` apart, and all values to everyone. */
  open(spreadMs = 0): void {
    for (const node of this.honest.keys()) this.#after(this.random() * spreadMs, () => this.#tellCandidate(node));
  }

  stop(node: string): void {
    this.voter(node).up = false;
  }

  /** Starts a voter again with what it had kept. */
  restart(node: string): void {
    const voter = this.voter(node);
    voter.state = this.#start(node, voter.kept);
    voter.up = true;
    this.#tellCandidate(node);
    this.step(node, { type: 'ticked', nowMs: this.nowMs });
  }

  /** Until nothing is due before `untilMs`, or all honest voters who are up have decided. */
  run(untilMs: number): void {
    for (;;) {
      const wakes = [...this.honest].flatMap(([node, { state, up, decided }]) => {
        const atMs = up && !decided ? wakeAtMs(state) : undefined;
        return atMs === undefined ? [] : [{ node, atMs: Math.max(atMs, this.nowMs) }];
      });
      wakes.sort((left, right) => left.atMs - right.atMs);
      this.#due.sort((left, right) => left.atMs - right.atMs);
      const [wake] = wakes;
      const [due] = this.#due;
      const nextMs = Math.min(wake?.atMs ?? Infinity, due?.atMs ?? Infinity);
      if (nextMs > untilMs) break;
      this.#requireProgress(nextMs);
      this.nowMs = nextMs;
      if (due && due.atMs === nextMs) this.#due.shift()?.act();
      else if (wake) this.step(wake.node, { type: 'ticked', nowMs: this.nowMs });
    }
    this.nowMs = untilMs;
  }

  /** A voter that wants to be woken in vain, again and again, would keep a processor busy for ever. */
  #requireProgress(nextMs: number): void {
    this.#stepsNow = nextMs === this.nowMs ? this.#stepsNow + 1 : 0;
    if (this.#stepsNow > 10_000) throw new Error(`time stands still at ${nextMs} ms`);
  }

  decisions(): { readonly node: string; readonly value: string; readonly signers: readonly string[] }[] {
    return [...this.honest].flatMap(([node, { decided }]) =>
      decided ? [{ node, value: decided.value.toHex(), signers: decided.precommits.map((cast) => cast.ballot.node.toHex()) }] : [],
    );
  }

  voter(node: string): Voter {
    const voter = this.honest.get(node);
    if (!voter) throw new Error(`${node} is not an honest voter`);
    return voter;
  }

  step(node: string, event: VoteEvent): void {
    const voter = this.voter(node);
    for (const effect of stepDecision(voter.state, event)) this.#perform(node, voter, effect);
  }

  #start(node: string, kept: VoteRecord | undefined): DecisionState {
    return startDecision({ instance, voters: this.voters, self: node, baseMs, repeatMs, ...(kept && { kept }) });
  }

  #tellCandidate(node: string): void {
    const { candidate, up } = this.voter(node);
    if (!up) return;
    for (const value of [X, Y]) this.step(node, { type: 'valueKnown', value, nowMs: this.nowMs });
    if (candidate) this.step(node, { type: 'candidateChosen', value: candidate, nowMs: this.nowMs });
  }

  #perform(node: string, voter: Voter, effect: VoteEffect): void {
    switch (effect.effect) {
      case 'keep':
        voter.kept = effect.record;
        return;
      case 'cast': {
        const cast = ballot(node, effect.round, effect.step, effect.value);
        this.#noteSaid(node, cast);
        this.step(node, { type: 'ballotReceived', cast, nowMs: this.nowMs });
        this.#broadcast(node, { type: 'ballot', cast });
        this.#lieAbout(effect.round, effect.step);
        return;
      }
      case 'repeat': {
        const own = [...voter.state.rounds.values()].flatMap(({ prevote, precommit }) => [prevote, precommit]);
        const casts = own.flatMap((tally) => tally.first.get(node)?.cast ?? []).filter((cast) => effect.envelopes.includes(cast.envelope));
        for (const cast of casts) this.#broadcast(node, { type: 'ballot', cast });
        return;
      }
      case 'propose': {
        const { round, value, validRound, prevotes } = effect;
        this.#broadcast(node, {
          ...{ type: 'proposalReceived', from: node, round, value, prevotes },
          ...(validRound !== undefined && { validRound }),
        });
        return;
      }
      case 'decided':
        voter.decided = effect;
        return;
      case 'equivocated':
        this.equivocated.push(effect);
        return;
      case 'want':
        return;
    }
  }

  /** An honest voter has one ballot for a round and step, whatever its restarts. */
  #noteSaid(node: string, cast: CastBallot): void {
    const { round, step, value } = cast.ballot;
    const slot = `${node} ${round} ${step}`;
    const name = value?.toHex() ?? 'none';
    if ((this.#said.get(slot) ?? name) !== name) this.contradictions.push(slot);
    this.#said.set(slot, name);
    if (step === 'prevote') this.#prevotes.push(cast);
  }

  #broadcast(from: string, message: Message): void {
    for (const to of this.honest.keys()) {
      if (to !== from) this.send(from, to, message);
    }
  }

  send(from: string, to: string, message: Message): void {
    const { loss, twice, delayMaxMs } = this.weather;
    for (let copies = this.random() < twice ? 2 : 1; copies > 0; copies -= 1) {
      if (this.random() >= loss) this.#after(this.random() * delayMaxMs, () => this.#deliver(from, to, message));
    }
  }

  #deliver(from: string, to: string, message: Message): void {
    const voter = this.voter(to);
    if (!voter.up) return;
    if (voter.decided) {
      if (this.honest.has(from)) this.#showCertificate(from, voter.decided);
      return;
    }
    if (message.type === 'ballot') this.step(to, { type: 'ballotReceived', cast: message.cast, nowMs: this.nowMs });
    else this.step(to, { ...message, nowMs: this.nowMs });
  }

  /** A certificate is judged by itself (§13.4): it holds even where a liar's first precommit here was another one. */
  #showCertificate(to: string, decided: NonNullable<Voter['decided']>): void {
    if (this.random() < this.weather.loss) return;
    this.#after(this.random() * this.weather.delayMaxMs, () => {
      const voter = this.voter(to);
      if (voter.up) voter.decided ??= decided;
    });
  }

  /** Each liar says to each voter whatever it likes, at the time when others vote; and it proposes, with real quorums. */
  #lieAbout(round: number, step: Ballot['step']): void {
    const values = [X, Y, undefined];
    const any = <T>(of: readonly T[]): T => of[Math.floor(this.random() * of.length)] as T;
    for (const liar of this.liars) {
      for (const to of this.honest.keys()) {
        if (this.random() < 0.3) continue;
        const cast = ballot(liar, round + (this.random() < 0.1 ? 1 : 0), this.random() < 0.8 ? step : 'precommit', any(values));
        if (cast.ballot.step === 'prevote') this.#prevotes.push(cast);
        this.send(liar, to, { type: 'ballot', cast });
        if (proposerOf(instance, this.voters, round + 1) === liar) this.send(liar, to, this.#lyingProposal(liar, round + 1, any([X, Y])));
      }
    }
  }

  #lyingProposal(from: string, round: number, value: Uint8Array): Message {
    const name = value.toHex();
    for (let validRound = round - 1; validRound >= 0; validRound -= 1) {
      const fitting = this.#prevotes.filter((cast) => cast.ballot.round === validRound && cast.ballot.value?.toHex() === name);
      const each = new Map(fitting.map((cast) => [cast.ballot.node.toHex(), cast]));
      for (const liar of this.liars) each.set(liar, ballot(liar, validRound, 'prevote', value));
      if (3 * each.size > 2 * this.voters.total && this.random() < 0.7) {
        return { type: 'proposalReceived', from, round, value, validRound, prevotes: [...each.values()] };
      }
    }
    return { type: 'proposalReceived', from, round, value, prevotes: [] };
  }

  #after(waitMs: number, act: () => void): void {
    this.#due.push({ atMs: this.nowMs + waitMs, act });
  }
}
