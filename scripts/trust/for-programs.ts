/** A member's trust as JSON: bytes in hexadecimal, words as in the specification. */
import type { ProvenCheckpoint } from '#protocol/chain/checkpoint-proof.ts';
import type { MemberRecord } from '#protocol/chain/state.ts';
import { hex } from '#protocol/digest.ts';
import type { ExplainedSlot, ExplainedTrust } from '#protocol/explained-trust.ts';

export interface NamedTrust {
  readonly record: MemberRecord;
  readonly checkpoint: ProvenCheckpoint;
  /** Absent for applicants. */
  readonly explained: ExplainedTrust | undefined;
}

export function memberForPrograms({ record, checkpoint, explained }: NamedTrust): object {
  return {
    name: record.member.name,
    node: hex(record.node),
    standing: record.standing,
    checkpoint: checkpointForPrograms(checkpoint),
    ...(explained && trustForPrograms(explained)),
  };
}

export function checkpointForPrograms({ number, height, block, timeMs, voters, votes }: ProvenCheckpoint): object {
  return { number, height, block: hex(block), timeMs, voters, votes: votes.map(({ node }) => hex(node)) };
}

export function trustForPrograms({ standing: trust, checkpointsLeft, hasSeat, slots, trust: state }: ExplainedTrust): object {
  const { credit, attestedUntil, word, demotedHeight } = state;
  return {
    ...{ trust, word, attestedUntil, checkpointsLeft, credit, seat: hasSeat },
    ...(demotedHeight === undefined ? {} : { demotedHeight }),
    slots: slots.map(slotForPrograms),
  };
}

function slotForPrograms({ slot, judges, found }: ExplainedSlot): object {
  const { slot: number, evidence, timeMs, log, verdict, appealedBy, closed } = slot;
  return {
    ...{ slot: number, evidence: hex(evidence), timeMs, log },
    ...(verdict && { verdict: { word: verdict.word, height: verdict.height, voters: verdict.voters.map(hex) } }),
    ...(judges && { judges: [...judges].map(([node, weight]) => ({ node, weight })) }),
    ...(appealedBy && { appealedBy: hex(appealedBy) }),
    ...(closed && { closed }),
    ...(found && { found: { word: found.word, ...(found.word === 'trusted' ? {} : { reason: found.reason, detail: found.detail }) } }),
  };
}
