/** Seats that all seats take away or give back for what evidence was worth. Pure. Specification §18.6. */
import type { ChainState, MemberRecord } from '#protocol/chain/state.ts';
import { recordOf, withRecord } from './member-identity.ts';
import { withoutSeat, withSeatBack } from './seats.ts';
import { applied, refused, type Outcome } from './transaction-refusal.ts';

/** No more between two checkpoints than may be faulty, so that the one in progress keeps its voters. */
export function withDemoted(state: ChainState, record: MemberRecord, height: number): Outcome {
  if (!record.trust || record.trust.demotedHeight !== undefined) return applied(state);
  const { seats } = state.core;
  const demoted = seats.filter((node) => recordOf(state, node)?.trust?.demotedHeight !== undefined).length;
  const most = Math.max(1, Math.floor((seats.length - 1) / 3));
  if (demoted >= most)
    return refused('demotions-full', `${demoted} of ${seats.length} seats are demoted; a checkpoint has to be certified first`);
  const rest = withoutSeat(state, record, height);
  if (rest.status === 'refused') return rest;
  return applied(withRecord(rest.state, { ...record, trust: { ...record.trust, demotedHeight: height } }));
}

export function withReturned(state: ChainState, record: MemberRecord, height: number): Outcome {
  if (record.trust?.demotedHeight === undefined) return applied(state);
  const seated = withSeatBack(state, record, height);
  if (seated.status === 'refused') return seated;
  const { demotedHeight: _, ...trust } = record.trust;
  return applied(withRecord(seated.state, { ...record, trust }));
}
