/** One voter of four, whose own ballots come back to it at once, and what others say to it. */
import type { CastBallot, VoteEffect, VoteEvent, VoteRecord } from '../../../device/votes/decision.ts';
import { startDecision, stepDecision, type DecisionState } from '../../../device/votes/machine.ts';
import { proposerOf } from '../../../device/votes/proposer.ts';
import { ballot, baseMs, instance, nodesOf, repeatMs, votersOf } from './assembly.ts';

export const nodes = nodesOf(4);
export const [a, b, c, d] = nodes as [string, string, string, string];
const voters = votersOf(nodes);

/** One voter, `a` unless told, whose own ballots come back to it at once. */
export class Seat {
  readonly state: DecisionState;
  nowMs = 0;
  kept: VoteRecord | undefined;

  constructor(options: { kept?: VoteRecord; self?: string; voters?: typeof voters; watches?: boolean } = {}) {
    const self = options.self ?? a;
    this.state = startDecision({
      ...{ instance, voters: options.voters ?? voters, baseMs, repeatMs },
      ...(!options.watches && { self }),
      ...(options.kept && { kept: options.kept }),
    });
  }

  tell(event: Omit<VoteEvent, 'nowMs'> & { type: VoteEvent['type'] }): VoteEffect[] {
    return stepDecision(this.state, { ...event, nowMs: this.nowMs } as VoteEvent).flatMap((effect) => {
      if (effect.effect === 'keep') this.kept = effect.record;
      if (effect.effect !== 'cast') return [effect];
      const cast = ballot(this.state.self ?? '', effect.round, effect.step, effect.value);
      return [effect, ...this.tell({ type: 'ballotReceived', cast } as VoteEvent)];
    });
  }

  candidate(value: Uint8Array): VoteEffect[] {
    return this.tell({ type: 'candidateChosen', value } as VoteEvent);
  }

  knows(...values: Uint8Array[]): this {
    for (const value of values) this.tell({ type: 'valueKnown', value } as VoteEvent);
    return this;
  }

  hear(...casts: CastBallot[]): VoteEffect[] {
    return casts.flatMap((cast) => this.tell({ type: 'ballotReceived', cast } as VoteEvent));
  }

  propose(round: number, value: Uint8Array, backed?: { validRound: number; prevotes: CastBallot[] }, from?: string): VoteEffect[] {
    const by = from ?? proposerOf(instance, voters, round);
    return this.tell({ type: 'proposalReceived', from: by, round, value, prevotes: [], ...backed } as unknown as VoteEvent);
  }

  wait(ms: number): VoteEffect[] {
    this.nowMs += ms;
    return this.tell({ type: 'ticked' });
  }

  /** Into a round, by the ballots of two others there. */
  enter(round: number): VoteEffect[] {
    return this.hear(ballot(b, round, 'precommit'), ballot(c, round, 'precommit'));
  }
}

/** Ballots cast, in short: `prevote 0 X`. */
export function said(effects: readonly VoteEffect[]): string[] {
  return effects.flatMap((effect) => (effect.effect === 'cast' ? [`${effect.step} ${effect.round} ${nameOf(effect.value)}`] : []));
}

function nameOf(value: Uint8Array | undefined): string {
  return value === undefined ? 'none' : value[3] === 1 ? 'X' : 'Y';
}

export function kinds(effects: readonly VoteEffect[]): string[] {
  return effects.map(({ effect }) => effect);
}

export function prevotes(round: number, value: Uint8Array | undefined, ...by: string[]): CastBallot[] {
  return by.map((node) => ballot(node, round, 'prevote', value));
}

export function precommits(round: number, value: Uint8Array | undefined, ...by: string[]): CastBallot[] {
  return by.map((node) => ballot(node, round, 'precommit', value));
}

/** A round ≥ 1 whose proposer is, or is not, this voter. */
export function roundOf(node: string, from = 1): number {
  for (let round = from; ; round += 1) if (proposerOf(instance, voters, round) === node) return round;
}

export function lockedOn(value: Uint8Array, round: number): VoteRecord {
  return { round, locked: { round, value, prevotes: prevotes(round, value, b, c, d) }, cast: [] };
}
