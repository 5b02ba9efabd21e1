/** What a device says of verdicts to its operator: each that has come to stand on the branch of the head, once. Pure. Specification §18.6. */
import type { JudgedSlot } from '#protocol/chain/trust-state.ts';
import { hex } from '#protocol/digest.ts';
import type { TrustReport } from './events.ts';
import { reportOnce } from './outbox.ts';
import type { TrustState } from './state.ts';

export function tellVerdicts(state: TrustState): void {
  for (const { node, trust } of state.head?.state.members.values() ?? []) {
    for (const judged of trust?.slots ?? []) for (const report of reportsOf(hex(node), judged)) tellOnce(state, report);
  }
}

function reportsOf(subject: string, { slot, verdict, appealedBy, dissent = [], closed }: JudgedSlot): TrustReport[] {
  const about = { subject, slot };
  return [
    ...(verdict ? [{ report: 'verdictStands', level: 0, word: verdict.word, votes: verdict.voters.length, ...about } as const] : []),
    ...(appealedBy ? [{ report: 'appealed', ballots: dissent.length, ...about } as const] : []),
    ...(closed === 'revealed' ? [{ report: 'revealed', ballots: 0, ...about } as const] : []),
    ...(closed && closed !== 'revealed' ? [{ report: 'verdictStands', level: 1, word: closed, votes: 0, ...about } as const] : []),
  ];
}

function tellOnce(state: TrustState, report: TrustReport): void {
  reportOnce(state, JSON.stringify(report), report);
}
