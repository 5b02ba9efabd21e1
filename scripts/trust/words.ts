/** Words for how it stands with a member: what each standing means, and until when it holds. */
import type { ProvenCheckpoint } from '#protocol/chain/checkpoint-proof.ts';
import type { MemberRecord } from '#protocol/chain/state.ts';
import type { TrustStanding } from '#protocol/chain/trust-state.ts';
import { counted } from '#protocol/counted.ts';
import type { ExplainedTrust } from '#protocol/explained-trust.ts';
import type { ConsensusParameters } from '#protocol/network.ts';
import { durationText, timeText, type Style } from '../terminal.ts';

export const STANDING_STYLES: Readonly<Record<TrustStanding, Style>> = {
  trusted: 'good',
  stale: 'warning',
  unreachable: 'warning',
  untrusted: 'bad',
  disputed: 'bad',
};

/** What follows for the member. */
export const STANDING_MEANINGS: Readonly<Record<TrustStanding, string>> = {
  trusted: 'its evidence was judged good: it has work',
  stale: 'its trust has ended by itself, for nobody has judged its evidence good in time: no work until somebody does',
  unreachable: 'it has shown no evidence in the last slot, which is no verdict: it is trusted until that ends by itself',
  untrusted: 'what its own chip says of it is bad: no work, and it judges nobody',
  disputed:
    'its evidence contradicts what the chain has seen of this chip, as a copied or rewound one would: no work, and it judges nobody',
};

/** "until checkpoint 431 (94 more, about 3 min)", "since checkpoint 431 (12 ago)" */
export function untilWords({ trust, standing, checkpointsLeft }: ExplainedTrust, consensus: ConsensusParameters): string {
  const { attestedUntil } = trust;
  if (standing === 'untrusted' || standing === 'disputed') return 'until other evidence is judged good';
  if (standing === 'stale') return `since checkpoint ${attestedUntil} (${-checkpointsLeft} ago)`;
  const more =
    checkpointsLeft === 0 ? 'the last one' : `${checkpointsLeft} more, about ${durationText(checkpointsLeft * consensus.targetIntervalMs)}`;
  return `until checkpoint ${attestedUntil} (${more})`;
}

/** "checkpoint 337 (height 1204, 2026-11-21 21:40:02 UTC), certified by 3 of 4 seats" */
export function checkpointWords({ number, height, timeMs, votes, voters }: ProvenCheckpoint): string {
  return `checkpoint ${number} (height ${height}, ${timeText(timeMs)}), certified by ${votes.length} of ${counted(voters, 'seat')}`;
}

/** Why a member has no seat, or none of the usual kind; empty for one that has. */
export function seatWords({ standing }: MemberRecord, explained: ExplainedTrust | undefined): string {
  if (standing !== 'member') return standing === 'left' ? 'has left' : standing;
  if (explained?.trust.demotedHeight !== undefined) return `demoted at height ${explained.trust.demotedHeight}`;
  return explained?.hasSeat === false ? 'no seat yet' : 'seat';
}
