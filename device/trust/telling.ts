/** What a device says to its operator of verdicts that have come to stand on the branch of its head, and of members whose trust has changed. Pure. Specification §18.6. */
import { isTrusted, isSuspended, type JudgedSlot, type MemberTrust } from '#protocol/chain/trust-state.ts';
import { hex } from '#protocol/digest.ts';
import type { TrustReport } from './events.ts';
import { isNews } from './outbox.ts';
import type { TrustState } from './state.ts';

/** What stood before the start is not told again. */
export function tellVerdicts(state: TrustState): void {
  const { head, standing, outbox } = state;
  const isFirst = standing.size === 0;
  const reports = [...(head?.state.members.values() ?? [])].flatMap(({ node, trust }) => (trust ? newsOf(state, hex(node), trust) : []));
  if (!isFirst) outbox.push(...reports.map((report) => ({ effect: 'report' as const, report })));
}

function newsOf(state: TrustState, subject: string, trust: MemberTrust): TrustReport[] {
  const { head, standing } = state;
  const told = trust.slots.flatMap((judged) => reportsOf(subject, judged)).filter((report) => isNews(state, JSON.stringify(report)));
  const [word, last] = [standingOf(trust, head?.state.core.checkpoint.number ?? 0), standing.get(subject) ?? 'trusted'];
  standing.set(subject, word);
  return word === last ? told : [...told, { report: 'trustChanged', subject, from: last, to: word }];
}

/** `stale` takes the place of a good word that no verdict has renewed. @param checkpoint number of the last certified one */
function standingOf(trust: MemberTrust, checkpoint: number): MemberTrust['word'] | 'stale' {
  return isSuspended(trust) || isTrusted(trust, checkpoint) ? trust.word : 'stale';
}

function reportsOf(subject: string, { slot, verdict, appealedBy, dissent = [], closed }: JudgedSlot): TrustReport[] {
  const about = { subject, slot };
  return [
    ...(verdict ? [{ report: 'verdictStands', level: 0, word: verdict.word, ...about } as const] : []),
    ...(appealedBy ? [{ report: 'appealed', ballots: dissent.length, ...about } as const] : []),
    ...(closed === 'revealed' ? [{ report: 'revealed', ...about } as const] : []),
    ...(closed && closed !== 'revealed' ? [{ report: 'verdictStands', level: 1, word: closed, ...about } as const] : []),
  ];
}
