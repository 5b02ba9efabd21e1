/**
 * A simulated member as subject and judge: the production machine of trust beside its core, with the same queue, links, disk and faults; honest,
 * or with software that no release knows, or with a false word for everything. Specification §18.
 */
import { readBlock } from '#protocol/chain/block.ts';
import type { VerdictWord } from '#protocol/chain/verdict.ts';
import { hex } from '#protocol/digest.ts';
import { headOf, type ConsensusState } from '../../device/consensus/machine.ts';
import { ancestorOf } from '../../device/consensus/tree.ts';
import type { TrustEffect, TrustEvent, TrustTask } from '../../device/trust/events.ts';
import { startTrust, stepTrust, type TrustState } from '../../device/trust/machine.ts';
import type { HeardEvidence } from '../../device/trust/state.ts';
import type { Cast } from './cast.ts';
import type { Chance } from './chance.ts';
import type { ChipReading, Identity, OperationalKey } from './identity.ts';
import type { Disk } from './disk.ts';
import type { Role } from './scenario.ts';

/** What the party does by its host. */
export interface PartyWorld {
  readonly cast: Cast;
  readonly host: { readonly identity: Identity; readonly disk: Disk; readonly role: Role | undefined };
  readonly operational: OperationalKey;
  readonly chance: Chance;
  readonly reading: () => ChipReading;
  readonly consensus: () => ConsensusState | undefined;
  readonly nowMs: () => number;
  /** @param monotonicMs at which the machine wants to be ticked */
  readonly wakeAt: (monotonicMs: number, wake: () => void) => void;
  /** How long the chip takes, in virtual ms; undefined where it fails. */
  readonly chipMs: () => number | undefined;
  readonly after: (ms: number, then: () => void) => void;
  /** Whether the program still runs; the last effect before it ends may be any. */
  readonly spend: () => boolean;
  readonly say: (payload: Uint8Array) => void;
  readonly submit: (transaction: Uint8Array, gossip: 'said' | 'held') => void;
}

type News = TrustEvent extends infer Event ? (Event extends TrustEvent ? Omit<Event, 'nowMs'> : never) : never;

export class TrustParty {
  readonly state: TrustState;
  private readonly world: PartyWorld;
  private readonly waiting: News[] = [];
  private busy = false;
  private head = '';

  constructor(world: PartyWorld) {
    this.world = world;
    const { cast, host, operational } = world;
    const { trust } = cast.network.genesis;
    if (!trust) throw new Error('a party takes part where members judge one another');
    const state = startTrust({
      ...{ network: cast.network, trust, node: host.identity.node, crypto: cast.crypto, votesFromSlot: host.disk.verdictVotesFrom() },
      operationalKey: operational.publicKey,
      sign: (input) => operational.sign(input),
      blockAt: (height) => this.blockAt(height),
      kept: host.disk.verdictVotes(),
    });
    this.state = host.role === 'false-judge' ? { ...state, evidence: new FalseWords() } : state;
  }

  /** After every step of the core. */
  look(): void {
    const consensus = this.world.consensus();
    if (!consensus || hex(headOf(consensus).id) === this.head) return;
    this.head = hex(headOf(consensus).id);
    this.tell({ type: 'headMoved', head: headOf(consensus) });
  }

  tell(news: News): void {
    this.waiting.push(news);
    if (this.busy) return;
    this.busy = true;
    for (let next = this.waiting.shift(); next; next = this.waiting.shift())
      for (const effect of stepTrust(this.state, { ...next, nowMs: this.world.nowMs() })) if (this.world.spend()) this.perform(effect);
    this.busy = false;
  }

  private perform(effect: TrustEffect): void {
    const { host } = this.world;
    switch (effect.effect) {
      case 'keepVotes':
        return host.disk.keepVerdictVotes(effect);
      case 'forgetVotes':
        return host.disk.forgetVerdictVotes(effect.belowSlot);
      case 'broadcast':
        return this.world.say(effect.payload);
      case 'submit':
        return this.world.submit(effect.transaction, effect.gossip);
      case 'ask':
        return this.ask(effect.task);
      case 'wakeAt':
        return this.world.wakeAt(effect.atMs, () => this.tell({ type: 'ticked' }));
      case 'report':
        return;
    }
  }

  private ask(task: TrustTask): void {
    const ms = this.world.chipMs();
    this.world.after(ms ?? 1, () => this.tell(ms === undefined ? { type: 'chipFailed', task } : this.answerTo(task)));
  }

  private answerTo(task: TrustTask): News {
    const { identity, role } = this.world.host;
    if (task.task === 'prove') return { type: 'proved', alpha: task.alpha, proof: identity.proveDraw(task.alpha) };
    const software = role === 'tampered' ? 'unknown' : 'released';
    const evidence = identity.evidence(task.checkpoint, this.world.reading(), software);
    return { type: 'evidenceMade', slot: task.slot, evidence };
  }

  private blockAt(height: number) {
    const consensus = this.world.consensus();
    const taken = consensus && ancestorOf(consensus.tree, consensus.head, height)?.block;
    if (taken) return taken;
    const kept = this.world.host.disk.archive.blockAt(height);
    const read = kept && readBlock(kept);
    return read?.status === 'decoded' ? read.value : undefined;
  }
}

/** Evidence as a judge sees it that calls the good bad and the bad good. */
class FalseWords extends Map<string, HeardEvidence> {
  override set(key: string, heard: HeardEvidence): this {
    const word = { get: () => heard.word && contrary(heard.word), set: (found: VerdictWord) => void (heard.word = found) };
    return super.set(key, Object.create(heard, { word }) as HeardEvidence);
  }
}

function contrary(word: VerdictWord): VerdictWord {
  return word === 'trusted' ? 'untrusted' : 'trusted';
}
