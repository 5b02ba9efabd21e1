/** What judges have decided is brought into a block, by whoever leads: everybody who has heard their votes holds the verdict. Pure. Specification §18.5. */
import { quorumOf } from '#protocol/chain/certified-votes.ts';
import { encodeTransaction } from '#protocol/chain/transaction.ts';
import { sameBytes } from '#protocol/codec.ts';
import { isKeyOf } from '../ledger/member-identity.ts';
import { certificateVotes } from '../votes/certificate-votes.ts';
import { judgedSlotOf, mayJudge } from './cases.ts';
import type { Case, TrustState } from './state.ts';
import { meaningOf } from './voting.ts';

/** Of all that is decided and not on the branch of the head. The same votes make the same transaction. */
export function bringVerdicts(state: TrustState): void {
  for (const one of state.cases.values()) if (one.decided && !one.closed) bring(state, one, one.decided);
}

/** With the votes that count at the head: who was suspended meanwhile judges nobody, and those who vote after the decision may take its place. */
function bring(state: TrustState, one: Case, { round, value }: NonNullable<Case['decided']>): void {
  const { head, outbox } = state;
  const meaning = meaningOf(state, one, value);
  const shown = judgedSlotOf(state, one);
  if (!head || !meaning || !shown || !sameBytes(shown.evidence, meaning.evidence)) return;
  const counting = [...one.precommits].filter(
    ([node, { ballot, key }]) => mayJudge(state, node, one) && isKeyOf(head.state, ballot.node, key),
  );
  const weight = counting.reduce((sum, [node]) => sum + (one.judges.weights.get(node) ?? 0), 0);
  if (weight < quorumOf(one.judges.total)) return;
  const votes = certificateVotes(counting.map(([, cast]) => cast));
  const { subject, slot, level } = one;
  const transaction = encodeTransaction({ kind: 'verdict', subject, slot, level, ...meaning, round, votes });
  outbox.push({ effect: 'submit', transaction, gossip: 'held' });
}
