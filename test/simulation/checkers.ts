/** The rules of the chain, held against everything that simulated members do: one function a rule, called as things happen. */
import { readBlock, type ReadBlock } from '#protocol/chain/block.ts';
import { quorumOf } from '#protocol/chain/certified-votes.ts';
import { judgeCertificate, type FinalityCertificate } from '#protocol/chain/finality-certificate.ts';
import type { Transaction } from '#protocol/chain/transaction.ts';
import { VerdictBallotMessage } from '#protocol/chain/verdict.ts';
import { areApart } from '#protocol/chain/wait-certificate.ts';
import type { Crypto } from '#protocol/crypto.ts';
import { hex } from '#protocol/digest.ts';
import { LIMITS } from '#protocol/limits.ts';
import { peekSigned } from '#protocol/signed.ts';
import type { ChainRecord, ConsensusEffect, ConsensusEvent, ConsensusReport } from '../../device/consensus/events.ts';
import { finalisedOf, type ConsensusState } from '../../device/consensus/machine.ts';
import { createBallotsSeen, type BallotsSeen } from './ballots-seen.ts';
import { createChronicle, type Chronicle, type KnownBlock } from './chronicle.ts';
import { worldBeginsUnixMs } from './drifting-clock.ts';
import type { Host, Seen } from './host.ts';
import { largestCollection } from './memory-bound.ts';
import { broken, short } from './rule-broken.ts';
import { faultyMax, type Scenario } from './scenario.ts';
import { TrustRules } from './trust-rules.ts';

export interface CheckedWorld {
  readonly scenario: Scenario;
  readonly genesis: Uint8Array;
  readonly networkId: Uint8Array;
  readonly crypto: Crypto;
  readonly nowMs: () => number;
  readonly hosts: readonly Host[];
}

/** What honest members know of a checkpoint that one of them has finalised. */
interface Finalised {
  number: number;
  block: string;
}

/** So many wakes in a row, each so soon after the one before, are no accident. */
const wakesMax = 200;
const wakeMs = 3;

export class Checkers {
  readonly chronicle: Chronicle;
  readonly ballots: BallotsSeen;
  /** Of each honest host, over its restarts. */
  readonly finalised = new Map<number, Finalised>();
  /** Transactions of the finalised chain. */
  readonly included = new Set<string>();
  readonly counts = { events: 0, blocks: 0, checkpoints: 0, refused: new Map<string, number>(), equivocations: 0, largest: 0 };
  /** Where members judge one another. */
  readonly trust: TrustRules | undefined;
  /** Names shown guilty by two certificates for one number. */
  conflict: ReadonlySet<string> | undefined;
  private readonly world: CheckedWorld;
  private readonly ownBlocks = new Map<string, ReadBlock[]>();
  private readonly waited = new Map<string, number>();
  private readonly wakes = new Map<number, { readonly lastMs: number; readonly inARow: number }>();
  private lastEvent: ConsensusEvent | undefined;
  /** What it reports of its start happened before it stood where it stands. */
  private starting: Host | undefined;

  constructor(world: CheckedWorld) {
    this.world = world;
    this.chronicle = createChronicle(world.genesis);
    this.ballots = createBallotsSeen();
    this.waited.set(this.chronicle.genesis, 0);
    const { trust } = world.scenario;
    this.trust = trust && new TrustRules(world.hosts, trust.trustedCheckpoints);
  }

  watch(host: Host, seen: Seen): void {
    switch (seen.seen) {
      case 'event':
        this.counts.events += 1;
        this.lastEvent = seen.event;
        this.starting = undefined;
        this.requireRest(host, seen.event);
        return;
      case 'effect':
        this.watchEffect(host, seen.effect);
        return;
      case 'stepped':
        if (host.honest) this.requireHeadOnLock(host);
        if (this.counts.events % 64 === 0) this.requireBounded(host);
        return;
      case 'judged':
        this.trust?.sent(host, seen.payload);
        return;
      case 'threw':
        if (host.honest) broken('no-throw', `the core of host ${host.index} threw: ${seen.error.stack ?? seen.error.message}`);
        return;
      case 'started':
        this.starting = host;
        this.requireRemembered(host);
        return;
      case 'died':
        return;
    }
  }

  /** A sound disk forgets no checkpoint; what a damaged one has lost has to be found again, and is not voted on again. */
  private requireRemembered(host: Host): void {
    const [own, state] = [this.finalised.get(host.index), stateOf(host)];
    if (!state || !host.honest) return;
    const { number, position } = finalisedOf(state);
    if (own && number < own.number && host.disk.counts.damaged === 0)
      broken(
        'finality-stays',
        `host ${host.index} knew checkpoint ${own.number} and starts from ${number}, though nothing on its disk is damaged`,
      );
    this.finalised.set(host.index, { number, block: hex(position.id) });
  }

  /** A core that has itself woken every millisecond for nothing would eat its device's processor. */
  private requireRest(host: Host, { type, at }: ConsensusEvent): void {
    const known = this.wakes.get(host.index);
    const restless = type === 'ticked' && known !== undefined && at.monotonicMs - known.lastMs < wakeMs;
    const inARow = restless ? known.inARow + 1 : 0;
    this.wakes.set(host.index, { lastMs: at.monotonicMs, inARow });
    if (inARow > wakesMax) broken('wakes-bounded', `host ${host.index} has itself woken ${inARow} times in a row without rest`);
  }

  private watchEffect(host: Host, effect: ConsensusEffect): void {
    switch (effect.effect) {
      case 'persist':
        for (const record of effect.records) this.watchRecord(host, record);
        return;
      case 'broadcast':
        if (effect.kind === 'ballot') this.ballots.sent(host, effect.payload, stateOf(host)?.finality.voters.length ?? 0);
        if (effect.kind === 'block' && host.honest) this.requireOneBlock(host, effect.payload);
        return;
      case 'report':
        this.watchReport(host, effect.report);
        return;
      case 'send':
      case 'ask':
      case 'wakeAt':
        return;
    }
  }

  private watchRecord(host: Host, record: ChainRecord): void {
    if (record.record === 'block') this.addBlock(host, record.block);
  }

  private addBlock(host: Host, block: ReadBlock): void {
    const { known, transactions } = this.chronicle.addBlock(block, this.world.nowMs());
    if (known) return;
    this.counts.blocks += 1;
    if (host.honest) for (const transaction of transactions) this.requireNoHonestExpelled(transaction);
  }

  private requireNoHonestExpelled(transaction: Transaction): void {
    if (transaction.kind !== 'equivocation') return;
    const ballot = transaction.of === 'verdict-ballot' ? peekSigned(VerdictBallotMessage, transaction.first) : undefined;
    if (ballot?.status === 'decoded') this.requireGuilty(hex(ballot.value.node), 'a block holds a proof of two words');
    if (transaction.of !== 'block') return;
    const block = readBlock(transaction.first);
    if (block.status === 'decoded') this.requireGuilty(hex(block.value.header.node), 'a block holds a proof of equivocation');
  }

  private requireGuilty(node: string, how: string): void {
    this.counts.equivocations += 1;
    const named = this.world.hosts.filter((host) => host.node === node);
    if (named.some((host) => host.honest)) broken('no-honest-expelled', `${how} of ${short(node)}, who is honest`);
  }

  /** Own blocks alone: others' are passed on as they came. A second of a height rests on a checkpoint by which the first has lost (§12.6). */
  private requireOneBlock(host: Host, payload: Uint8Array): void {
    const read = readBlock(payload);
    if (read.status === 'malformed') broken('one-block-a-height', `host ${host.index} broadcasts a malformed block: ${read.detail}`);
    const { id, header } = read.value;
    if (hex(header.node) !== host.node) return;
    this.requireApart(host, read.value);
    if (!host.disk.hasBlock(id)) broken('persist-before-send', `host ${host.index} broadcasts block ${short(id)} before it is stored`);
  }

  private requireApart(host: Host, block: ReadBlock): void {
    const { id, header, end } = block;
    const slot = `${host.node} ${header.height}`;
    const made = this.ownBlocks.get(slot) ?? [];
    if (made.some((other) => hex(other.id) === hex(id))) return;
    this.ownBlocks.set(slot, [...made, block]);
    for (const other of made) {
      const both = `host ${host.index} made ${short(hex(other.id))} and ${short(hex(id))} of height ${header.height}`;
      if (!areApart({ start: other.header.start, end: other.end }, { start: header.start, end }))
        broken('one-block-a-height', `${both} in the same time`);
      if (!this.hasLost(hex(other.id), header.height) && host.disk.counts.damaged === 0)
        broken('one-block-a-height', `${both}, and the first can still become final`);
    }
  }

  /** Whether the finalised chain is on another branch. */
  private hasLost(id: string, height: number): boolean {
    const { finalised } = this.chronicle;
    const common = Math.min(height, finalised.length - 1);
    return this.chronicle.ancestorAt(id, common) !== finalised[common];
  }

  private watchReport(host: Host, report: ConsensusReport): void {
    switch (report.report) {
      case 'blockMade':
        this.chronicle.waits.set(hex(report.block.id), report.waitMs);
        return;
      case 'headMoved':
        if (host.honest && host !== this.starting) this.requireHeadDescends(host, hex(report.block.id));
        return;
      case 'checkpointFinalised':
        if (host.honest) this.addCertificate(host, report.certificate);
        this.requireTrust(host);
        return;
      case 'equivocation':
        if (host.honest) this.requireGuilty(report.node, `host ${host.index} reports an equivocation`);
        return;
      case 'blockRefused':
        if (host.honest) this.requireDeservedRefusal(host, report.reason, report.detail);
        return;
      case 'messageRefused':
        this.counts.refused.set(report.reason, (this.counts.refused.get(report.reason) ?? 0) + 1);
        return;
      case 'conflictingCertificates':
        this.requireProof(report.first, report.second);
        return;
      case 'anchorContradicted':
      case 'anchorDoubted':
      case 'awayTooLong':
      case 'startedFromCheckpoint':
        return;
    }
  }

  private requireHeadDescends(host: Host, head: string): void {
    const own = this.finalised.get(host.index);
    if (own && this.chronicle.ancestorAt(head, this.chronicle.heightOf(own.block) ?? 0) !== own.block)
      broken(
        'head-descends',
        `the head ${short(head)} of host ${host.index} does not descend from its last finalised block ${short(own.block)}`,
      );
  }

  /** Once a step is over, since a lock moves the head. */
  private requireHeadOnLock(host: Host): void {
    const state = stateOf(host);
    const locked = state?.finality.decision.locked;
    const lockedHeight = locked && this.chronicle.heightOf(hex(locked.value));
    if (!state || !locked || lockedHeight === undefined || !state.tree.blocks.has(hex(locked.value))) return;
    const head = hex(state.head.position.id);
    if (this.chronicle.ancestorAt(head, lockedHeight) !== hex(locked.value))
      broken(
        'head-descends',
        `the head ${short(head)} of host ${host.index} does not descend from ${short(locked.value)}, on which it is locked`,
      );
  }

  private requireDeservedRefusal(host: Host, reason: string, detail: string): void {
    this.counts.refused.set(reason, (this.counts.refused.get(reason) ?? 0) + 1);
    const event = this.lastEvent;
    if (event?.type !== 'received' || event.kind !== 'block') return;
    const read = readBlock(event.payload);
    const same = read.status === 'decoded' ? this.chronicle.blocks.get(hex(read.value.id)) : undefined;
    const known = same && hex(same.encoded) === hex(event.payload) ? same : undefined;
    const maker = known && this.world.hosts.filter(({ node }) => node === known.node);
    if (maker?.every((one) => one.honest) === true)
      broken(
        'honest-blocks-accepted',
        `host ${host.index} refuses block ${short(known?.id ?? '')} of an honest member: ${reason} (${detail})`,
      );
  }

  /** Once a checkpoint is final, and the member stands there. */
  private requireTrust(host: Host): void {
    const state = stateOf(host);
    if (state && host.honest) this.trust?.finalised(state);
  }

  private addCertificate(host: Host, certificate: FinalityCertificate): void {
    this.counts.checkpoints += 1;
    this.requireValid(host, certificate);
    const block = hex(certificate.block);
    const first = this.chronicle.certificates.get(certificate.number);
    if (first && hex(first.block) !== block) {
      if (this.world.scenario.promised !== 'accountability')
        broken('agreement', `checkpoint ${certificate.number} is ${short(first.block)} and, at host ${host.index}, ${short(block)}`);
      this.requireProof(first, certificate);
      return;
    }
    if (this.conflict) return;
    const own = this.finalised.get(host.index);
    if (own && certificate.number > own.number) {
      const height = this.chronicle.heightOf(own.block) ?? 0;
      if (this.chronicle.ancestorAt(block, height) !== own.block)
        broken('finality-stays', `host ${host.index} finalises ${short(block)}, which does not descend from ${short(own.block)}`);
    }
    if (!own || certificate.number > own.number) this.finalised.set(host.index, { number: certificate.number, block });
    const path = this.chronicle.finalise(certificate);
    if (typeof path === 'string') broken('finality-stays', `checkpoint ${certificate.number} at host ${host.index}: ${path}`);
    for (const one of path) this.addFinalised(one);
  }

  private requireValid(host: Host, certificate: FinalityCertificate): void {
    const state = stateOf(host);
    if (!state || this.world.scenario.joiners + this.world.scenario.leavers + this.world.scenario.roles.size > 0) return;
    const voters = state.setup.network.genesis.members.toSorted((left, right) => (hex(left) < hex(right) ? -1 : 1));
    const expelled = this.counts.equivocations > 0;
    if (expelled) return;
    const verdict = judgeCertificate(this.world.crypto, certificate, { network: this.world.networkId, voters, isKeyOf: () => true });
    if (verdict.status === 'refused')
      broken('certificates-valid', `host ${host.index} takes a certificate for checkpoint ${certificate.number}: ${verdict.detail}`);
  }

  private addFinalised(block: KnownBlock): void {
    for (const transaction of block.transactions) {
      if (this.included.has(transaction))
        broken('transactions-once', `transaction ${short(transaction)} stands twice on the finalised chain`);
      this.included.add(transaction);
    }
    this.requireWaited(block);
    this.requireChainTime(block);
  }

  /** No finalised chain is ahead of the sum of its waits, by the fastest honest clock and one tolerance. */
  private requireWaited(block: KnownBlock): void {
    const { scenario, nowMs } = this.world;
    const wait = this.chronicle.waits.get(block.id) ?? 0;
    // The genesis has no chain time to count from (§12.4), so the first block is due when it is seen.
    const sum = block.height === 1 ? Math.min(wait, block.sinceMs) : (this.waited.get(block.parent) ?? 0) + wait;
    this.waited.set(block.id, sum);
    this.waited.delete(block.parent);
    const rate = scenario.faults.has('clock-rate') ? 1 + scenario.rateSpread : 1;
    const toleranceMs = scenario.targetIntervalMs / 20;
    // Members that come back count from the chain's time, which may be ahead by the skew.
    const skewMs = scenario.faults.has('crash') || scenario.faults.has('clock-jump') ? LIMITS.clockSkewMaxMs : 0;
    const allowedMs = nowMs() * rate + toleranceMs + skewMs + 1;
    if (sum > allowedMs)
      broken('waits-are-waited', `the waits up to height ${block.height} add up to ${sum} ms after ${Math.round(nowMs())} ms`);
  }

  private requireChainTime(block: KnownBlock): void {
    const { scenario, nowMs } = this.world;
    if (scenario.faults.has('clock-jump')) return;
    const aheadMs = block.timeMs - worldBeginsUnixMs - nowMs();
    if (aheadMs > LIMITS.clockSkewMaxMs + 1)
      broken('chain-time', `block ${short(block.id)} is finalised ${Math.round(aheadMs)} ms before its time`);
  }

  /** Two certificates for one number name f + 1 members, all of them guilty. */
  private requireProof(first: FinalityCertificate, second: FinalityCertificate): void {
    if (hex(first.block) === hex(second.block)) broken('accountability', 'two certificates for one block are reported as a conflict');
    const voted = new Set(first.votes.map(({ node }) => hex(node)));
    const both = second.votes.map(({ node }) => hex(node)).filter((node) => voted.has(node));
    this.conflict = new Set(both);
    if (this.world.scenario.promised !== 'accountability') broken('agreement', `two certificates for checkpoint ${first.number}`);
    const seats = this.world.scenario.members;
    const needed = 2 * quorumOf(seats) - seats;
    if (both.length < Math.min(needed, faultyMax(seats) + 1))
      broken('accountability', `two certificates for checkpoint ${first.number} name ${both.length} members; ${needed} must be`);
  }

  private requireBounded(host: Host): void {
    const state = stateOf(host);
    if (!state || !host.honest) return;
    const largest = largestCollection(state);
    this.counts.largest = Math.max(this.counts.largest, largest.size);
    if (largest.size > largest.limit)
      broken('bounded-memory', `${largest.path} of host ${host.index} holds ${largest.size} entries; at most ${largest.limit}`);
  }
}

export function stateOf(host: Host): ConsensusState | undefined {
  return host.core?.state as ConsensusState | undefined;
}
