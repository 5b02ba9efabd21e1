/** What the chain gives to the boxes of one member, and whether it still does. Pure. Specification §15.2-15.3. */
import { runIdOf } from '#protocol/box-messages.ts';
import type { CapsuleRecord, ChainState } from '#protocol/chain/state.ts';
import { sameBytes } from '#protocol/codec.ts';
import { hex } from '#protocol/digest.ts';
import type { Assignment, Job } from './job.ts';

/** The runs that boxes of `node` have to do, by run id. */
export function assignmentsOf(node: Uint8Array, state: ChainState): Map<string, Assignment> {
  const found = new Map<string, Assignment>();
  for (const record of state.capsules.values()) {
    const assignment = isOpen(record) ? assignmentIn(record, node, state) : undefined;
    if (assignment) found.set(runIdOf(assignment.capsule, assignment.attempt), assignment);
  }
  return found;
}

/**
 * Where a job stands on the chain. `gone`: another attempt, or none, is wanted. `unseen`: this branch has no such
 * assignment, which a block that is undone explains as well.
 */
export function standingOf(job: Job, node: Uint8Array, state: ChainState, receipt: Uint8Array | undefined): 'assigned' | 'gone' | 'unseen' {
  const record = state.capsules.get(job.capsule);
  const attempt = record?.attempts[job.attempt - 1];
  if (!record || !attempt || attempt.box !== job.box || !sameBytes(attempt.node, node)) return 'unseen';
  if (record.end) return receipt && record.end.receipt && sameBytes(record.end.receipt, receipt) ? 'assigned' : 'gone';
  return record.attempts.length === job.attempt && record.awaitsDraw === 'no' ? 'assigned' : 'gone';
}

function isOpen(record: CapsuleRecord): boolean {
  return record.end === undefined && record.awaitsDraw === 'no';
}

function assignmentIn(record: CapsuleRecord, node: Uint8Array, state: ChainState): Assignment | undefined {
  const last = record.attempts.at(-1);
  const gateway = state.members.get(hex(record.gateway));
  if (!last || !gateway || !sameBytes(last.node, node)) return undefined;
  const { capsule, digest, manifest, acceptedAtMs, deadlineMs } = record;
  return {
    capsule,
    attempt: record.attempts.length,
    box: last.box,
    gateway: { node: record.gateway, device: gateway.member.name },
    digest,
    manifest,
    acceptedAtMs,
    ...(deadlineMs === undefined ? {} : { deadlineMs }),
  };
}
