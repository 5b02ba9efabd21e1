/** Votes on an anchor as they are posted: put together, and judged as the contract and its challengers do. Specification §20.2, §20.3. */
import { concatBytes } from '@noble/hashes/utils.js';
import type { Crypto } from '../crypto.ts';
import { LIMITS } from '../limits.ts';
import { anchorQuorum, placesOf, seatAt, type PlaceDraw } from './anchor-committee.ts';
import { judgeAnchorVote, VOTE_BYTES, type AnchorVoteVerdict, type VoterKey } from './anchor-vote.ts';

export interface AnchorVotes {
  /** Number of the draw. */
  readonly round: number;
  /** Bit j: place j votes. */
  readonly voters: bigint;
  /** 105 bytes of each place that votes, in their order. */
  readonly votes: Uint8Array;
}

/** The anchor that is voted on, by its digest, and the one before, whose seats vote. */
export interface VotedAnchor {
  readonly anchor: Uint8Array;
  readonly draw: Omit<PlaceDraw, 'round'>;
}

export type VotesFormRefusal = 'round-unknown' | 'place-unknown' | 'too-few-votes' | 'votes-length';
export type AnchorVotesVerdict =
  | { readonly status: 'accepted' }
  | { readonly status: 'refused'; readonly reason: VotesFormRefusal }
  /** `vote`: its number, by which it can be challenged; `seat`: whose it would be. */
  | {
      readonly status: 'refused';
      readonly reason: Extract<AnchorVoteVerdict, { status: 'refused' }>['reason'];
      readonly vote: number;
      readonly seat: number;
    };

/** The first draw of which a quorum has voted, no more votes than are needed; undefined where there is none. @param voteOf by number of seat */
export function composeVotes(draw: VotedAnchor['draw'], voteOf: (seat: number) => Uint8Array | undefined): AnchorVotes | undefined {
  const quorum = anchorQuorum(draw.seats);
  const rounds = draw.seats > LIMITS.anchorPlacesMax ? LIMITS.anchorRounds : 1;
  for (let round = 0; round < rounds; round += 1) {
    const voted = placed(draw, round, voteOf).slice(0, quorum);
    if (voted.length < quorum) continue;
    const voters = voted.reduce((bits, { place }) => bits | (1n << BigInt(place)), 0n);
    return { round, voters, votes: concatBytes(...voted.map(({ vote }) => vote)) };
  }
  return undefined;
}

/**
 * @param keyOf by number of seat; undefined where there is none
 * @param first of the votes is judged first; then those after it, and those before it
 */
export function judgeAnchorVotes(
  crypto: Crypto,
  { anchor, draw }: VotedAnchor,
  { round, voters, votes }: AnchorVotes,
  keyOf: (seat: number) => VoterKey | undefined,
  first = 0,
): AnchorVotesVerdict {
  const fault = formFault(draw.seats, { round, voters, votes });
  if (fault) return { status: 'refused', reason: fault };
  const numbered = [...placesIn(voters).entries()];
  for (const [vote, place] of [...numbered.slice(first), ...numbered.slice(0, first)]) {
    const seat = seatAt({ ...draw, round }, place);
    const key = keyOf(seat);
    const packed = votes.subarray(vote * VOTE_BYTES, (vote + 1) * VOTE_BYTES);
    const verdict = key ? judgeAnchorVote(crypto, key, packed, anchor) : ({ status: 'refused', reason: 'not-signed' } as const);
    if (verdict.status === 'refused') return { ...verdict, vote, seat };
  }
  return { status: 'accepted' };
}

/** The places whose bits are set, ascending. */
export function placesIn(voters: bigint): number[] {
  return Array.from({ length: LIMITS.anchorPlacesMax }, (_, place) => place).filter((place) => ((voters >> BigInt(place)) & 1n) === 1n);
}

function placed(
  draw: VotedAnchor['draw'],
  round: number,
  voteOf: (seat: number) => Uint8Array | undefined,
): { readonly place: number; readonly vote: Uint8Array }[] {
  return Array.from({ length: placesOf(draw.seats) }, (_, place) => place).flatMap((place) => {
    const vote = voteOf(seatAt({ ...draw, round }, place));
    return vote ? [{ place, vote }] : [];
  });
}

function formFault(seats: number, { round, voters, votes }: AnchorVotes): VotesFormRefusal | undefined {
  if (round < 0 || round >= LIMITS.anchorRounds) return 'round-unknown';
  if (voters >> BigInt(placesOf(seats)) !== 0n) return 'place-unknown';
  const count = placesIn(voters).length;
  if (count < anchorQuorum(seats)) return 'too-few-votes';
  return votes.length === count * VOTE_BYTES ? undefined : 'votes-length';
}
