/** A capsule on the chain of the workshop: offered boxes, ordered, drawn, given up. */
import type { CapsuleRecord } from '#protocol/chain/state.ts';
import type { Action } from '#protocol/chain/transaction.ts';
import { hex } from '#protocol/digest.ts';
import type { StubMember } from '../../simulation/stub-tpm.ts';
import {
  actionOf,
  alpha,
  boxesOf,
  bravo,
  capsuleId,
  charlie,
  delta,
  extended,
  founders,
  headOf,
  readyChain,
  refusalOf,
  submissionOf,
  type Chain,
} from './workshop.ts';

/** Bravo, charlie and delta offer a box each. */
export const offering = extended(
  readyChain,
  alpha,
  [bravo, charlie, delta].map((member) => actionOf(member, boxesOf(1, 'box'))),
);
export const capsule = capsuleId(1);
export const nowMs = headOf(offering).timeMs;
export const submission = actionOf(alpha, submissionOf(1, { acceptedAtMs: nowMs }));
export const ordered = extended(offering, bravo, [submission]);
export const drawn = extended(ordered, charlie);

export const capsuleOf = (chain: Chain, index = 1): CapsuleRecord => headOf(chain).state.capsules.get(capsuleId(index))!;
export const executorOf = (chain: Chain): StubMember =>
  founders.find(({ node }) => hex(node) === hex(capsuleOf(chain).attempts.at(-1)!.node))!;
export const says = (chain: Chain, member: StubMember, action: Action): string => refusalOf(chain, actionOf(member, action));
export const ledBy = (chain: Chain, ...leaders: StubMember[]): Chain => leaders.reduce((longer, leader) => extended(longer, leader), chain);
/** The executor of the last attempt gives it up, so that another box is drawn. */
export const givenUp = (chain: Chain): Uint8Array =>
  actionOf(executorOf(chain), { action: 'answer', capsule, attempt: capsuleOf(chain).attempts.length, run: 'given-up' });
/** Another attempt, drawn by two members that are not the gateway. */
export const redrawn = (chain: Chain): Chain => extended(extended(chain, delta, [givenUp(chain)]), charlie);
