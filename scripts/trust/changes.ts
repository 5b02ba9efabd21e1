/** What has changed between two looks at the members, in sentences. */
import type { JudgedSlot } from '#protocol/chain/trust-state.ts';
import { hex } from '#protocol/digest.ts';
import type { Style } from '../terminal.ts';
import type { NamedTrust } from './for-programs.ts';
import { STANDING_MEANINGS, STANDING_STYLES } from './words.ts';

export interface TrustChange {
  readonly change: 'member' | 'standing' | 'evidence' | 'verdict' | 'appeal' | 'closed' | 'credit' | 'seat';
  readonly name: string;
  readonly node: Uint8Array;
  readonly words: string;
  readonly style: Style | undefined;
}

export type Look = ReadonlyMap<string, NamedTrust>;

/** @param creditStep credit that moves by less is not told */
export function changesBetween(before: Look, after: Look, creditStep: number): TrustChange[] {
  return [...after].flatMap(([node, now]) => {
    const was = before.get(node);
    return was
      ? changesOf(was, now, { creditStep, nameOf: (judge) => after.get(judge)?.record.member.name ?? judge.slice(0, 16) })
      : [appeared(now)];
  });
}

interface Telling {
  readonly creditStep: number;
  readonly nameOf: (node: string) => string;
}

function changesOf(was: NamedTrust, now: NamedTrust, telling: Telling): TrustChange[] {
  const tell = teller(now);
  const changes: TrustChange[] = [];
  if (was.record.standing !== now.record.standing) changes.push(appeared(now));
  const [before, after] = [was.explained, now.explained];
  if (!before || !after) return changes;
  const known = new Map(before.slots.map(({ slot }) => [slot.slot, slot]));
  for (const { slot } of after.slots) changes.push(...slotChanges(known.get(slot.slot), slot, tell, telling));
  if (before.standing !== after.standing)
    changes.push(
      tell('standing', `${before.standing} → ${after.standing}: ${STANDING_MEANINGS[after.standing]}`, STANDING_STYLES[after.standing]),
    );
  if (before.trust.demotedHeight === undefined && after.trust.demotedHeight !== undefined)
    changes.push(tell('seat', 'its seat is taken by all seats', 'bad'));
  if (before.trust.demotedHeight !== undefined && after.trust.demotedHeight === undefined)
    changes.push(tell('seat', 'its seat comes back', 'good'));
  const credit = after.trust.credit - before.trust.credit;
  if (Math.abs(credit) >= telling.creditStep)
    changes.push(tell('credit', `credit ${before.trust.credit} → ${after.trust.credit}`, credit < 0 ? 'warning' : undefined));
  return changes;
}

type Tell = (change: TrustChange['change'], words: string, style?: Style) => TrustChange;

function teller({ record }: NamedTrust): Tell {
  return (change, words, style) => ({ change, name: record.member.name, node: record.node, words, style });
}

function appeared(now: NamedTrust): TrustChange {
  const { standing } = now.record;
  const words =
    standing === 'applicant'
      ? 'applies for membership'
      : standing === 'member'
        ? 'is a member'
        : standing === 'left'
          ? 'has left'
          : 'is expelled';
  return teller(now)('member', words, standing === 'expelled' ? 'bad' : undefined);
}

function slotChanges(was: JudgedSlot | undefined, now: JudgedSlot, tell: Tell, { nameOf }: Telling): TrustChange[] {
  const { slot, verdict, appealedBy, closed } = now;
  const changes: TrustChange[] = [];
  if (!was) changes.push(tell('evidence', `shows evidence ${hex(now.evidence).slice(0, 16)} in slot ${slot}`));
  if (verdict && !was?.verdict) {
    const judges = verdict.voters.map((voter) => nameOf(hex(voter))).join(', ');
    changes.push(tell('verdict', `slot ${slot} judged ${verdict.word} by ${judges}`, STANDING_STYLES[verdict.word]));
  }
  if (appealedBy && !was?.appealedBy)
    changes.push(tell('appeal', `${nameOf(hex(appealedBy))} appeals against the verdict of slot ${slot}`, 'warning'));
  if (closed && !was?.closed)
    changes.push(
      tell('closed', closed === 'revealed' ? `slot ${slot} was a planted challenge` : `all seats say ${closed} of slot ${slot}`),
    );
  return changes;
}
