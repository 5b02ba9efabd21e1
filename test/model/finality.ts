/**
 * Exhaustive exploration of the voting machine itself: four voters, of which the last lies. Specification §13.3, §13.5.
 *
 * **Why so few states are enough.** Every step of an honest voter is taken by a machine that has just been started from what
 * that voter keeps (`VoteRecord`) and then hears some ballots. That is a run of the real system: voters may be restarted at any
 * time, and ballots may come again. It also covers voters that are not restarted: what such a voter does next depends on its
 * record, on one tally (prevotes of its round, or precommits of a round), one proposal, its candidate and a timer, and a voter
 * started from the same record that hears the same ballots does the same (`finality.test.ts` holds the machine to that). So a
 * state is the ballots and proposals that honest voters have made and their rounds; who has heard what is chosen anew at each step.
 *
 * **What is tried at each step**: every honest voter; every set of the others' prevotes or precommits of its round that exist, the
 * liar's ballot absent or for any of none, X and Y; such sets of prevotes of earlier rounds where it proposes; ballots of two voters in later rounds; every proposal made, or that the liar could make
 * in its own rounds, with every quorum that exists; both values as candidates; with the timers run out or not. So the order of messages,
 * loss, duplicates, delays, restarts and the liar's choices are all there, without bound but the number of rounds.
 *
 * **Symmetry**: X and Y are exchangeable, and so are honest voters that propose in no round of the bound.
 *
 * Checked in every state: one value at most can be decided; nobody contradicts itself; whoever is locked prevotes another value
 * only with a quorum for it in a round at least as late as the lock; a precommit stands on a quorum of prevotes.
 */
import { parseArgs } from 'node:util';
import type { CastBallot, DecisionSetup, VoteEffect, VoteEvent, VoteRecord } from '../../device/votes/decision.ts';
import { startDecision, stepDecision, type DecisionState } from '../../device/votes/machine.ts';
import { proposerOf } from '../../device/votes/proposer.ts';
import {
  apply,
  at,
  backersOf,
  honest,
  instanceWith,
  liar,
  names,
  network,
  nodes,
  permutationsKeeping,
  steps,
  swapProposal,
  swapVotes,
  valueOf,
  values,
  voteOf,
  voters,
  type LocalState,
  type ModelState,
  type Reaction,
  type Vote,
} from './finality-state.ts';
import { ballotSets, keyOf, show, showReaction, skips, type Heard } from './hearing.ts';

/** The machine, or one with a fault planted. */
export interface Machine {
  startDecision: (setup: DecisionSetup) => DecisionState;
  stepDecision: (state: DecisionState, event: VoteEvent) => VoteEffect[];
}

export interface Bounds {
  /** Rounds in which honest voters act, from 0. */
  readonly rounds: number;
  /** Voter who proposes in round 1, 2, …; 3 is the liar. */
  readonly proposers: readonly number[];
  readonly statesMax?: number;
  readonly depthMax?: number;
  /** Where to begin: no ballot at all, unless given. */
  readonly start?: ModelState;
  readonly onProgress?: (found: Found) => void;
}

export interface Found {
  states: number;
  steps: number;
  /** Steps of the machine that were run; the others were the same as one of them. */
  machineSteps: number;
  depth: number;
  complete: boolean;
  violation?: string;
  /** The steps that led to the violation. */
  trace?: string[];
}

export function explore(bounds: Bounds, machine: Machine = { startDecision, stepDecision }): Found {
  return new Exploration(bounds, machine).run();
}

class Exploration {
  readonly #bounds: Bounds;
  readonly #machine: Machine;
  readonly #instance: Uint8Array;
  readonly #memory = new Map<string, Reaction>();
  readonly #permutations: readonly (readonly number[])[];
  readonly #found: Found = { states: 0, steps: 0, machineSteps: 0, depth: 0, complete: false };
  readonly #decides = new Map<string, boolean>();

  constructor(bounds: Bounds, machine: Machine) {
    this.#bounds = bounds;
    this.#machine = machine;
    this.#instance = instanceWith(bounds.proposers.slice(0, bounds.rounds));
    this.#permutations = permutationsKeeping(new Set(bounds.proposers.slice(0, bounds.rounds - 1)));
  }

  /** Depth first in layers: the shortest way to a violation is found, and progress can be told. */
  run(): Found {
    const empty: LocalState = { round: 0, votes: Array<Vote>(2 * this.#bounds.rounds + 2).fill(0) };
    const start = this.#bounds.start ?? { voters: [empty, empty, empty], proposals: [] };
    const seen = new Set([this.#nameOf(start)]);
    const from: { readonly state: ModelState; readonly before: number; readonly how: string }[] = [
      { state: start, before: -1, how: 'start' },
    ];
    let layerEnd = 1;
    for (let at = 0; at < from.length; at += 1) {
      if (at === layerEnd) {
        layerEnd = from.length;
        this.#found.depth += 1;
        this.#found.states = seen.size;
        this.#bounds.onProgress?.(this.#found);
        if (this.#found.depth >= (this.#bounds.depthMax ?? Infinity)) return this.#end(seen.size, false);
      }
      const entry = from[at];
      if (!entry) break;
      for (const { state, how, wrong } of this.#successors(entry.state)) {
        this.#found.steps += 1;
        const violation = wrong ?? this.#disagreement(state);
        if (violation !== undefined) {
          const trace = [how];
          for (let index = at; index > 0; index = from[index]?.before ?? 0) trace.unshift(from[index]?.how ?? '');
          return { ...this.#end(seen.size, false), violation, trace };
        }
        const name = this.#nameOf(state);
        if (seen.has(name)) continue;
        seen.add(name);
        from.push({ state, before: at, how });
      }
      if (seen.size > (this.#bounds.statesMax ?? Infinity)) return this.#end(seen.size, false);
    }
    return this.#end(seen.size, true);
  }

  #end(states: number, complete: boolean): Found {
    this.#found.states = states;
    this.#found.complete = complete;
    return this.#found;
  }

  *#successors(state: ModelState): Generator<{ readonly state: ModelState; readonly how: string; readonly wrong?: string }> {
    for (const self of honest) {
      const local = at(state.voters, self);
      if (local.round >= this.#bounds.rounds) continue;
      const tried = new Set<string>();
      for (const heard of this.#whatMayBeHeard(state, self)) {
        const reaction = this.#react(self, local, heard);
        const name = JSON.stringify(reaction);
        if (tried.has(name) || (reaction.casts.length === 0 && reaction.proposals.length === 0 && reaction.round === local.round)) continue;
        tried.add(name);
        yield {
          ...apply(state, self, reaction),
          how: `voter ${self} hears ${heard.map(show).join(', ') || 'nothing'}: ${showReaction(reaction)}`,
        };
      }
    }
  }

  *#whatMayBeHeard(state: ModelState, self: number): Generator<Heard[]> {
    const { round, votes } = at(state.voters, self);
    const prevoted = votes[2 * round] !== 0;
    const proposes = round > 0 && !prevoted && this.#bounds.proposers[round - 1] === self;
    const candidates = prevoted || (round > 0 && !proposes) ? [] : ([2, 3] as const).map((vote): Heard => ({ what: 'candidate', vote }));
    for (const heard of [[], ...ballotSets(state, self, round, 0), ...ballotSets(state, self, round, 1)]) {
      yield heard;
      yield [...heard, { what: 'timeout' }];
    }
    for (const candidate of candidates) yield [candidate];
    for (let earlier = 0; proposes && earlier < round; earlier += 1) yield* ballotSets(state, self, earlier, 0);
    yield* skips(state, self, this.#bounds.rounds);
    if (!prevoted) for (const proposal of this.#proposalsFor(state, round)) yield [proposal];
  }

  *#proposalsFor(state: ModelState, round: number): Generator<Heard> {
    if (round === 0) return;
    for (const made of state.proposals) {
      const [madeRound, vote, validRound] = made.split(' ').map(Number) as [number, Vote, number];
      if (madeRound === round) yield { what: 'proposal', round, vote, validRound, backers: backersOf(state, validRound, vote) };
    }
    if (this.#bounds.proposers[round - 1] !== liar) return;
    for (const vote of [2, 3] as const) {
      yield { what: 'proposal', round, vote, validRound: -1, backers: [] };
      for (let validRound = 0; validRound < round; validRound += 1) {
        yield { what: 'proposal', round, vote, validRound, backers: backersOf(state, validRound, vote) };
      }
    }
  }

  /** Starts the machine from what the voter keeps, lets it hear, and says what it did; the same is not run twice. */
  #react(self: number, local: LocalState, heard: readonly Heard[]): Reaction {
    const name = `${self}|${local.round}|${local.votes.join('')}|${heard.map(keyOf).join()}`;
    const known = this.#memory.get(name);
    if (known) return known;
    this.#found.machineSteps += 1;
    const state = this.#machine.startDecision({
      ...{ instance: this.#instance, voters, baseMs: 1, repeatMs: 1_000_000, self: at(names, self) },
      kept: this.#recordOf(local),
    });
    const casts: { round: number; step: number; vote: Vote }[] = [];
    const proposals: string[] = [];
    let round = local.round;
    const tell = (event: VoteEvent): void => {
      for (const effect of this.#machine.stepDecision(state, event)) {
        if (effect.effect === 'propose') proposals.push(`${effect.round} ${voteOf(effect.value)} ${effect.validRound ?? -1}`);
        if (effect.effect !== 'cast') continue;
        const step = steps.indexOf(effect.step);
        const vote = voteOf(effect.value);
        if (local.votes[2 * effect.round + step] !== vote) casts.push({ round: effect.round, step, vote });
        tell({ type: 'ballotReceived', cast: this.#ballot(self, effect.round, step, vote), nowMs: event.nowMs });
      }
      round = Math.max(round, state.round);
    };
    tell({ type: 'ticked', nowMs: 0 });
    for (const vote of [2, 3]) tell({ type: 'valueKnown', value: valueOf(vote as Vote), nowMs: 0 });
    for (const event of heard.map((each) => this.#eventOf(each))) tell(event);
    const reaction = { round, casts, proposals };
    this.#memory.set(name, reaction);
    return reaction;
  }

  #eventOf(heard: Heard): VoteEvent {
    switch (heard.what) {
      case 'ballot':
        return { type: 'ballotReceived', cast: this.#ballot(heard.from, heard.round, heard.step, heard.vote), nowMs: 0 };
      case 'candidate':
        return { type: 'candidateChosen', value: valueOf(heard.vote), nowMs: 0 };
      case 'timeout':
        return { type: 'ticked', nowMs: 1_000 };
      case 'proposal': {
        const { round, vote, validRound, backers } = heard;
        const prevotes = backers.map((from) => this.#ballot(from, validRound, 0, vote));
        const from = proposerOf(this.#instance, voters, round);
        const backed = validRound >= 0 && { validRound };
        return { ...{ type: 'proposalReceived', nowMs: 0, from, round, value: valueOf(vote), prevotes }, ...backed };
      }
    }
  }

  /** A lock is made with the precommit that follows it, so the last precommit for a value tells it. */
  #recordOf({ round, votes }: LocalState): VoteRecord {
    const cast = votes.flatMap((vote, index) => {
      const value = values[vote];
      return vote === 0 || index < 2 * (round - 1) ? [] : [{ round: index >> 1, step: at(steps, index & 1), ...(value && { value }) }];
    });
    const lock = votes.findLastIndex((vote, index) => (index & 1) === 1 && vote >= 2);
    const vote = votes[lock] ?? 0;
    const prevotes = [0, 1, liar].map((from) => this.#ballot(from, lock >> 1, 0, vote));
    return { round, cast, ...(lock >= 0 && { locked: { round: lock >> 1, value: valueOf(vote), prevotes } }) };
  }

  #ballot(from: number, round: number, step: number, vote: Vote): CastBallot {
    const value = values[vote];
    const ballot = { network, instance: this.#instance, round, step: at(steps, step), ...(value && { value }), node: at(nodes, from) };
    return { ballot, envelope: network, key: network };
  }

  /** Both values can be decided: by a watcher who hears all precommits for it of a round, with the liar's. */
  #disagreement(state: ModelState): string | undefined {
    const decidable = ([2, 3] as const).filter((vote) => {
      for (let round = 0; round <= this.#bounds.rounds; round += 1) {
        const by = honest.filter((voter) => at(state.voters, voter).votes[2 * round + 1] === vote);
        if (by.length > 0 && this.#isDecided(by, vote)) return true;
      }
      return false;
    });
    return decidable.length > 1 ? 'agreement: X and Y can both be decided' : undefined;
  }

  #isDecided(by: readonly number[], vote: Vote): boolean {
    const name = `${by.join('')} ${vote}`;
    const known = this.#decides.get(name);
    if (known !== undefined) return known;
    const watcher = this.#machine.startDecision({ instance: this.#instance, voters, baseMs: 1, repeatMs: 1 });
    const effects = [...by, liar].flatMap((from) =>
      this.#machine.stepDecision(watcher, { type: 'ballotReceived', cast: this.#ballot(from, 0, 1, vote), nowMs: 0 }),
    );
    const decided = effects.some(({ effect }) => effect === 'decided');
    this.#decides.set(name, decided);
    return decided;
  }

  /** The least of the names of a state and of those that are the same but for the symmetries. */
  #nameOf(state: ModelState): string {
    let least: string | undefined;
    for (const order of this.#permutations) {
      for (const swapped of [false, true]) {
        const locals = order
          .map((voter) => at(state.voters, voter))
          .map(({ round, votes }) => `${round}${swapVotes(votes.join(''), swapped)}`);
        const proposals = state.proposals.map((made) => (swapped ? swapProposal(made) : made)).sort();
        const name = `${locals.join(' ')}|${proposals.join()}`;
        if (least === undefined || name < least) least = name;
      }
    }
    return least ?? '';
  }
}

if (import.meta.main) {
  const { values: given } = parseArgs({
    options: {
      rounds: { type: 'string', default: '2' },
      proposers: { type: 'string', default: '3,0,3' },
      states: { type: 'string' },
      depth: { type: 'string' },
    },
  });
  const began = performance.now();
  const perSecond = (count: number): number => Math.round((count * 1_000) / (performance.now() - began));
  const found = explore({
    rounds: Number(given.rounds),
    proposers: given.proposers.split(',').map(Number),
    ...(given.states !== undefined && { statesMax: Number(given.states) }),
    ...(given.depth !== undefined && { depthMax: Number(given.depth) }),
    onProgress: ({ states, steps: tried, depth }) => {
      console.log(`depth ${depth}: ${states} states, ${tried} steps, ${perSecond(states)} states/s`);
    },
  });
  const { states, steps: tried, machineSteps, depth, complete, violation, trace } = found;
  console.log(`${states} states, ${tried} steps (${machineSteps} of the machine), depth ${depth}, ${perSecond(states)} states/s`);
  console.log(
    violation === undefined ? (complete ? 'complete: no violation' : 'bound reached: no violation so far') : `VIOLATION ${violation}`,
  );
  for (const step of trace ?? []) console.log(`  ${step}`);
  process.exitCode = violation === undefined ? 0 : 1;
}
