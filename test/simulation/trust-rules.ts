/** The rules of trust, held against what simulated members put on the chain and say as judges. Specification §18, §19. */
import type { Ballot } from '#protocol/chain/ballot.ts';
import type { JudgedSlot, MemberTrust } from '#protocol/chain/trust-state.ts';
import { VerdictBallotMessage } from '#protocol/chain/verdict.ts';
import { hex } from '#protocol/digest.ts';
import { LIMITS } from '#protocol/limits.ts';
import { peekSigned } from '#protocol/signed.ts';
import { finalisedOf, type ConsensusState } from '../../device/consensus/machine.ts';
import { decodeVoteRecord } from '../../device/votes/vote-record.ts';
import type { Host } from './host.ts';
import { broken } from './rule-broken.ts';

export interface TrustCounts {
  verdicts: number;
  trusted: number;
  refusing: number;
  revealed: number;
  appeals: number;
}

export class TrustRules {
  readonly counts: TrustCounts = { verdicts: 0, trusted: 0, refusing: 0, revealed: 0, appeals: 0 };
  private readonly hosts: readonly Host[];
  private readonly trustedCheckpoints: number;
  private readonly cast = new Map<string, string>();
  private readonly seen = new Set<string>();

  constructor(hosts: readonly Host[], trustedCheckpoints: number) {
    this.hosts = hosts;
    this.trustedCheckpoints = trustedCheckpoints;
  }

  /** One ballot of an honest judge for each round and step, over its restarts, and none before it is stored. */
  sent(host: Host, payload: Uint8Array): void {
    const peeked = peekSigned(VerdictBallotMessage, payload);
    if (!host.honest || peeked.status === 'malformed' || hex(peeked.value.node) !== host.node) return;
    const { instance, round, step, value } = peeked.value;
    const slot = `${hex(instance)} ${round} ${step} ${host.node}`;
    const word = value ? hex(value) : '';
    const before = this.cast.get(slot);
    this.cast.set(slot, word);
    if (before !== undefined && before !== word)
      broken('one-verdict-ballot-a-step', `host ${host.index} has cast two ballots for ${step} of round ${round} of one judgement`);
    if (before === undefined) requireStored(host, peeked.value);
  }

  /** Of what a member has finalised. */
  finalised(state: ConsensusState): void {
    const chain = finalisedOf(state).position.state;
    for (const host of this.hosts) {
      const trust = chain.members.get(host.node)?.trust;
      if (!trust) continue;
      for (const judged of trust.slots) this.requireJudged(host, judged);
      this.requireStanding(host, trust);
    }
  }

  private requireJudged(host: Host, judged: JudgedSlot): void {
    const { slot, verdict, closed, log } = judged;
    this.count(`${host.node} ${slot}`, judged);
    const words = [verdict?.word, closed === 'revealed' ? undefined : closed].filter((word) => word !== undefined);
    if (host.role === 'tampered' && words.includes('trusted'))
      broken('bad-evidence-not-renewed', `slot ${slot} of host ${host.index}, whose software no release knows, is judged trusted`);
    const isHonest = host.honest && host.role !== 'tampered';
    const isGood = log === 'replays';
    if (isHonest && isGood && words.some((word) => word !== 'trusted'))
      broken('no-honest-untrusted', `slot ${slot} of host ${host.index}, which is honest, is judged ${words.join(', ')}`);
    if (isHonest && closed !== undefined && closed !== 'revealed' && closed !== 'trusted')
      broken('no-honest-untrusted', `all seats judge slot ${slot} of host ${host.index}, which is honest, ${closed}`);
  }

  private requireStanding(host: Host, trust: MemberTrust): void {
    if (host.role === 'tampered' && trust.attestedUntil > this.trustedCheckpoints)
      broken('bad-evidence-not-renewed', `host ${host.index} is attested until checkpoint ${trust.attestedUntil}`);
    if (host.role === 'false-judge' && trust.credit > LIMITS.creditOfFounder)
      broken('false-judge-gains-nothing', `host ${host.index}, whose every word is false, has a credit of ${trust.credit}`);
  }

  private count(key: string, { verdict, closed, appealedBy }: JudgedSlot): void {
    const news = (what: string, holds: boolean): number =>
      holds && !this.seen.has(`${key} ${what}`) ? (this.seen.add(`${key} ${what}`), 1) : 0;
    this.counts.verdicts += news('verdict', verdict !== undefined);
    this.counts.trusted += news('trusted', verdict?.word === 'trusted');
    this.counts.refusing += news('refusing', verdict !== undefined && verdict.word !== 'trusted');
    this.counts.revealed += news('revealed', closed === 'revealed');
    this.counts.appeals += news('appeal', appealedBy !== undefined);
  }
}

/** Its disk holds the ballot, or a later round of that judgement. */
function requireStored(host: Host, ballot: Ballot): void {
  const kept = host.disk.verdictVotes().find(({ instance }) => hex(instance) === hex(ballot.instance));
  const record = kept && decodeVoteRecord(kept.votes);
  const value = ballot.value ? hex(ballot.value) : '';
  const isStored =
    record?.status === 'decoded' &&
    (record.value.round > ballot.round + 1 ||
      record.value.cast.some(
        (cast) => cast.round === ballot.round && cast.step === ballot.step && (cast.value ? hex(cast.value) : '') === value,
      ));
  if (!isStored) broken('persist-before-send', `host ${host.index} sends a ballot on a member that its disk does not hold`);
}
