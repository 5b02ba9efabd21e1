/**
 * The machine of trust: told what the chain and others say of members, it says what this one has to do as a subject and as a judge. Pure.
 * Specification §18.
 *
 * It shows its own evidence at its moment, finds its own word for that of others, votes for it and for nothing else, and holds what judges
 * have decided for the block in which it leads. All that it knows follows from the chain and from ballots that are said again, but for its
 * own ballots, which are on the disk before they are said.
 */
import { networkId } from '#protocol/network.ts';
import { hex } from '#protocol/digest.ts';
import { CONSENSUS_LIMITS } from '../limits.ts';
import { appealWhereDue } from './appealing.ts';
import { messageArrived, takeEarly } from './ballots.ts';
import { followBranch } from './branch.ts';
import { bringVerdicts } from './bringing.ts';
import { followCases, forgetVotes } from './cases.ts';
import type { TrustEffect, TrustEvent, TrustTask } from './events.ts';
import { hearTransaction, judgeWaiting } from './judged-evidence.ts';
import { TRUST_LIMITS } from './limits.ts';
import { flush } from './outbox.ts';
import { ownEvidenceMade, ownTask, revealOwn } from './own-evidence.ts';
import type { TrustSetup, TrustState } from './state.ts';
import { tellVerdicts } from './telling.ts';
import { followVotes, votesUntilMs } from './voting.ts';

export type { TrustSetup, TrustState } from './state.ts';

export function startTrust(setup: TrustSetup): TrustState {
  return {
    setup,
    networkId: networkId(setup.network),
    self: hex(setup.node),
    nowMs: 0,
    outbox: [],
    head: undefined,
    votesFromSlot: setup.votesFromSlot,
    branch: { ids: new Map(), certified: new Map() },
    evidence: new Map(),
    cases: new Map(),
    kept: new Map(setup.kept.map((votes) => [hex(votes.instance), votes])),
    early: new Map(),
    seen: new Set(),
    failedChecks: new Map(),
    desk: { asked: undefined, restUntilMs: -Infinity, proofs: new Map() },
    shownSlot: undefined,
    told: new Set(),
    standing: new Map(),
  };
}

/** Changes `state` by an event. The same state and event give the same effects, to be performed in their order. */
export function stepTrust(state: TrustState, event: TrustEvent): TrustEffect[] {
  state.outbox = [];
  state.nowMs = event.nowMs;
  const decided = decidedOf(state);
  take(state, event);
  followVotes(state);
  if (event.type === 'headMoved' || decidedOf(state) !== decided) bringVerdicts(state);
  askChip(state);
  const atMs = wakeAtMs(state);
  if (atMs !== undefined) state.outbox.push({ effect: 'wakeAt', atMs });
  return flush(state.outbox);
}

function take(state: TrustState, event: TrustEvent): void {
  switch (event.type) {
    case 'ticked':
      return;
    case 'headMoved':
      return headMoved(state, event.head);
    case 'transactionHeard':
      hearTransaction(state, event.transaction);
      return followCases(state);
    case 'received':
      return messageArrived(state, event);
    case 'proved':
      return proved(state, event.alpha, event.proof);
    case 'evidenceMade':
      state.desk.asked = undefined;
      return ownEvidenceMade(state, event.slot, event.evidence);
    case 'chipFailed':
      state.desk.asked = undefined;
      state.desk.restUntilMs = state.nowMs + CONSENSUS_LIMITS.tpmRestMs;
      return;
    case 'mayVote':
      state.votesFromSlot = event.fromSlot;
      return;
  }
}

function headMoved(state: TrustState, head: NonNullable<TrustState['head']>): void {
  state.head = head;
  state.failedChecks.clear();
  const entered = followBranch(state, head);
  for (const transaction of entered.flatMap(({ transactions }) => transactions)) hearTransaction(state, transaction);
  judgeWaiting(state);
  followCases(state);
  tellVerdicts(state);
  takeEarly(state);
  appealWhereDue(state);
  revealOwn(state);
  forgetVotes(state);
}

function proved({ desk }: TrustState, alpha: Uint8Array, proof: Uint8Array): void {
  desk.asked = undefined;
  desk.proofs.set(hex(alpha), proof);
  const [oldest] = desk.proofs.keys();
  if (desk.proofs.size > TRUST_LIMITS.proofsMax && oldest !== undefined) desk.proofs.delete(oldest);
}

function askChip(state: TrustState): void {
  const { desk, nowMs } = state;
  if (isAsked(state) || nowMs < desk.restUntilMs) return;
  const task: TrustTask | undefined = ownTask(state);
  desk.asked = task && { task, atMs: nowMs };
  if (task) state.outbox.push({ effect: 'ask', task });
}

function isAsked({ desk, nowMs }: TrustState): boolean {
  return desk.asked !== undefined && nowMs < desk.asked.atMs + CONSENSUS_LIMITS.tpmAnswerMs;
}

/** Nothing is due before; never at once, since what is due at this moment is done. */
function wakeAtMs(state: TrustState): number | undefined {
  const { desk, nowMs } = state;
  const chip = desk.asked ? desk.asked.atMs + CONSENSUS_LIMITS.tpmAnswerMs : desk.restUntilMs > nowMs ? desk.restUntilMs : undefined;
  const due = [chip, votesUntilMs(state)].filter((atMs) => atMs !== undefined);
  return due.length === 0 ? undefined : Math.max(Math.min(...due), nowMs + 1);
}

function decidedOf({ cases }: TrustState): number {
  return cases.values().reduce((count, { decided }) => count + (decided ? 1 : 0), 0);
}
