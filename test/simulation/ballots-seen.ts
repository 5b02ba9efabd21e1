/** Ballots that members have sent: one for each round and step, none against a lock, none before it is stored. Specification §13.2-13.3. */
import { BallotMessage, type Ballot } from '#protocol/chain/ballot.ts';
import { quorumOf } from '#protocol/chain/certified-votes.ts';
import { hex } from '#protocol/digest.ts';
import { peekSigned } from '#protocol/signed.ts';
import { decodeVoteRecord } from '../../device/votes/vote-record.ts';
import type { Host } from './host.ts';
import { broken, short } from './rule-broken.ts';

interface Instance {
  /** `round step node`, of every member, each value that it has sent. */
  readonly cast: Map<string, Set<string>>;
  /** `round value`: who prevoted. */
  readonly prevoted: Map<string, Set<string>>;
  /** Of honest members: the latest precommit for a value. */
  readonly locks: Map<string, { readonly round: number; readonly value: string }>;
}

export interface BallotsSeen {
  /** Everything that leaves a host as a ballot, a cheat's also. @param seats in force, the most that there may be */
  sent(host: Host, payload: Uint8Array, seats: number): void;
  readonly counts: { ballots: number; rounds: number };
}

/** Instances that are remembered: checkpoints come one after the other. */
const instancesMax = 64;

export function createBallotsSeen(): BallotsSeen {
  const instances = new Map<string, Instance>();
  const counts = { ballots: 0, rounds: 0 };
  const instanceOf = (id: string): Instance => {
    const known = instances.get(id) ?? { cast: new Map(), prevoted: new Map(), locks: new Map() };
    instances.set(id, known);
    const [oldest] = instances.keys();
    if (instances.size > instancesMax && oldest !== undefined) instances.delete(oldest);
    return known;
  };
  return {
    counts,
    sent: (host, payload, seats) => {
      const peeked = peekSigned(BallotMessage, payload);
      if (peeked.status === 'malformed') return;
      const ballot = peeked.value;
      const instance = instanceOf(hex(ballot.instance));
      const node = hex(ballot.node);
      const value = ballot.value ? hex(ballot.value) : '';
      const slot = `${ballot.round} ${ballot.step} ${node}`;
      const cast = instance.cast.get(slot) ?? new Set();
      const first = cast.size === 0;
      instance.cast.set(slot, cast.add(value));
      if (ballot.step === 'prevote') addTo(instance.prevoted, `${ballot.round} ${value}`, node);
      counts.ballots += 1;
      counts.rounds = Math.max(counts.rounds, ballot.round);
      if (!host.honest || node !== host.node) return;
      if (cast.size > 1) broken('one-ballot-a-step', `host ${host.index} has cast two ballots for ${ballot.step} of round ${ballot.round}`);
      if (first) requireStored(host, ballot);
      requireLock(host, instance, ballot, value, seats);
    },
  };
}

/** Its disk holds the ballot, or what keeps it from voting there again: a much later round, or the end of the decision. */
function requireStored(host: Host, ballot: Ballot): void {
  const kept = host.disk.votes();
  const record = kept && hex(kept.instance) === hex(ballot.instance) ? decodeVoteRecord(kept.votes) : undefined;
  const value = ballot.value ? hex(ballot.value) : '';
  const stored =
    record?.status === 'decoded' &&
    (record.value.round > ballot.round + 1 ||
      record.value.cast.some(
        (cast) => cast.round === ballot.round && cast.step === ballot.step && (cast.value ? hex(cast.value) : '') === value,
      ));
  if (stored || host.disk.certified(ballot.network, ballot.instance)) return;
  broken('persist-before-send', `host ${host.index} sends a ballot of round ${ballot.round} that its disk does not hold`);
}

/** After a precommit for a value no prevote for another, unless a quorum has prevoted that other at least as late. */
function requireLock(host: Host, instance: Instance, ballot: Ballot, value: string, seats: number): void {
  if (value === '') return;
  const lock = instance.locks.get(host.node);
  if (ballot.step === 'precommit') {
    if (!lock || ballot.round > lock.round) instance.locks.set(host.node, { round: ballot.round, value });
    return;
  }
  if (!lock || lock.value === value || ballot.round <= lock.round) return;
  for (let round = lock.round; round <= ballot.round; round += 1) {
    // Its own vote of this round makes no quorum by itself: it is what has to be justified.
    const others = [...(instance.prevoted.get(`${round} ${value}`) ?? [])].filter((node) => round < ballot.round || node !== host.node);
    if (others.length >= quorumOf(seats)) return;
  }
  broken(
    'lock-respected',
    `host ${host.index}, locked on ${short(lock.value)} in round ${lock.round}, prevotes ${short(value)} in round ${ballot.round}`,
  );
}

function addTo(map: Map<string, Set<string>>, key: string, value: string): void {
  const set = map.get(key) ?? new Set();
  map.set(key, set.add(value));
}
