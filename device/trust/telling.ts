/** What a device says to its operator of verdicts that have come to stand on the branch of its head, and of members whose trust has changed. Pure. Specification §18.6. */
import { isTrusted, isSuspended, type JudgedSlot, type MemberTrust } from '#protocol/chain/trust-state.ts';
import { hex } from '#protocol/digest.ts';
import type { TrustReport } from './events.ts';
import { reportOnce } from './outbox.ts';
import type { TrustState } from './state.ts';

export function tellVerdicts(state: TrustState): void {
  const { head, standing, outbox } = state;
  for (const { node, trust } of head?.state.members.values() ?? []) {
    if (!head || !trust) continue;
    const subject = hex(node);
    for (const judged of trust.slots) for (const report of reportsOf(subject, judged)) reportOnce(state, JSON.stringify(report), report);
    const [word, before] = [standingOf(trust, head.state.core.checkpoint.number), standing.get(subject) ?? 'trusted'];
    standing.set(subject, word);
    if (word !== before) outbox.push({ effect: 'report', report: { report: 'trustChanged', subject, from: before, to: word } });
  }
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
