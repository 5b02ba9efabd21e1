/** The state of the model: what honest voters have said, where they stand, and the rules that hold in every state. Specification §13.3. */
import { domainDigest, uint64 } from '#protocol/digest.ts';
import { proposerOf } from '../../device/votes/proposer.ts';

/** 0: not cast, 1: none, 2: X, 3: Y. */
export type Vote = 0 | 1 | 2 | 3;

export interface LocalState {
  readonly round: number;
  /** For round r: prevote at 2r, precommit at 2r + 1. */
  readonly votes: readonly Vote[];
}

export interface ModelState {
  readonly voters: readonly LocalState[];
  /** Of honest proposers: "round value validRound", validRound -1 where there is none; sorted. */
  readonly proposals: readonly string[];
}

export const liar = 3;
export const honest = [0, 1, 2];
export const values: readonly (Uint8Array | undefined)[] = [undefined, undefined, new Uint8Array(32).fill(2), new Uint8Array(32).fill(3)];
export const nodes = [1, 2, 3, 4].map((number) => new Uint8Array(32).fill(number));
export const names = nodes.map((node) => node.toHex());
export const voters = { weights: new Map(names.map((name) => [name, 1])), total: 4 };
export const network = new Uint8Array(32);
export const steps = ['prevote', 'precommit'] as const;
export const voteNames = ['-', 'none', 'X', 'Y'];

/** A reaction of one voter: what it said and where it stands after it. */
export interface Reaction {
  readonly round: number;
  readonly casts: readonly { readonly round: number; readonly step: number; readonly vote: Vote }[];
  readonly proposals: readonly string[];
}

/** What a reaction makes of a state, and which rule it broke. */
export function apply(state: ModelState, self: number, reaction: Reaction): { readonly state: ModelState; readonly wrong?: string } {
  const votes = [...at(state.voters, self).votes];
  let wrong: string | undefined;
  for (const { round, step, vote } of reaction.casts) {
    const before = votes[2 * round + step] ?? 0;
    if (before !== 0 && before !== vote) wrong ??= `voter ${self} contradicts its ${at(steps, step)} of round ${round}`;
    if (vote >= 2) wrong ??= step === 0 ? lockBroken(state, self, votes, round, vote) : unbacked(state, self, votes, round, vote);
    votes[2 * round + step] = vote;
  }
  const locals = state.voters.map((local, voter) => (voter === self ? { round: reaction.round, votes } : local));
  const proposals = [...new Set([...state.proposals, ...reaction.proposals])].sort();
  return { state: { voters: locals, proposals }, ...(wrong !== undefined && { wrong }) };
}

export function lockBroken(state: ModelState, self: number, votes: readonly Vote[], round: number, vote: Vote): string | undefined {
  const lock = votes.findLastIndex((cast, index) => (index & 1) === 1 && index < 2 * round && cast >= 2);
  if (lock < 0 || votes[lock] === vote) return undefined;
  for (let later = lock >> 1; later <= round; later += 1) {
    if (backersOf(state, later, vote).length >= 3) return undefined;
  }
  return `lock: voter ${self}, locked in round ${lock >> 1}, prevotes another value in round ${round} without a quorum for it`;
}

export function unbacked(state: ModelState, self: number, votes: readonly Vote[], round: number, vote: Vote): string | undefined {
  const others = backersOf(state, round, vote).filter((voter) => voter !== self).length;
  const own = votes[2 * round] === vote ? 1 : 0;
  return others + own >= 3 ? undefined : `voter ${self} precommits in round ${round} without a quorum of prevotes`;
}

/** Who prevoted for a value in a round: honest voters who did, and the liar. */
export function backersOf(state: ModelState, round: number, vote: Vote): number[] {
  return [...honest.filter((voter) => at(state.voters, voter).votes[2 * round] === vote), liar];
}

/** A decision whose rounds 1, 2, … have these proposers. */
export function instanceWith(proposers: readonly number[]): Uint8Array {
  for (let attempt = 0; attempt < 1_000_000; attempt += 1) {
    const instance = domainDigest('checkpoint', uint64(attempt));
    if (proposers.every((proposer, index) => proposerOf(instance, voters, index + 1) === names[proposer])) return instance;
  }
  throw new Error('no instance has these proposers');
}

export function permutationsKeeping(fixed: ReadonlySet<number>): number[][] {
  const all = [
    [0, 1, 2],
    [0, 2, 1],
    [1, 0, 2],
    [1, 2, 0],
    [2, 0, 1],
    [2, 1, 0],
  ];
  return all.filter((order) => order.every((voter, index) => voter === index || !fixed.has(index)));
}

export function swapVotes(votes: string, swapped: boolean): string {
  return swapped ? votes.replace(/[23]/g, (vote) => (vote === '2' ? '3' : '2')) : votes;
}

export function swapProposal(made: string): string {
  const [round, vote, validRound] = made.split(' ');
  return `${round ?? ''} ${vote === '2' ? '3' : '2'} ${validRound ?? ''}`;
}

export function voteOf(value: Uint8Array | undefined): Vote {
  return value === undefined ? 1 : value[0] === 2 ? 2 : 3;
}

export function valueOf(vote: Vote): Uint8Array {
  const value = values[vote];
  if (!value) throw new Error(`${voteNames[vote] ?? vote} is no value`);
  return value;
}

export function at<T>(list: readonly T[], index: number): T {
  const item = list[index];
  if (item === undefined) throw new Error(`nothing at ${index}`);
  return item;
}
