/**
 * A member's disk, in memory: keeps what the core has had stored, damages it, and gives back what its digests still vouch
 * for, as the store of a device does. Specification §14.4.
 */
import type { ReadBlock } from '#protocol/chain/block.ts';
import type { FinalityCertificate } from '#protocol/chain/finality-certificate.ts';
import { checkpointInstance } from '#protocol/chain/public-draw.ts';
import { hex } from '#protocol/digest.ts';
import { decodeTransaction, vouchersIn } from '#protocol/chain/transaction.ts';
import { encodeVoucher } from '#protocol/chain/voucher.ts';
import { CHAIN_LIMITS } from '../../device/limits.ts';
import type { ChainArchive, ChainRecord, KeptChain } from '../../device/consensus/events.ts';
import type { KeptVerdictVotes } from '../../device/trust/events.ts';
import type { Chance } from './chance.ts';

export interface Disk {
  readonly archive: ChainArchive;
  /** In one transaction: all of it, or nothing. */
  write(records: readonly ChainRecord[]): void;
  kept(): KeptChain;
  hasBlock(id: Uint8Array): boolean;
  votes(): KeptChain['votes'];
  keepVerdictVotes(votes: KeptVerdictVotes): void;
  forgetVerdictVotes(belowSlot: number): void;
  verdictVotes(): readonly KeptVerdictVotes[];
  verdictVotesFrom(): number;
  /** Whether it holds the certificate that ended this decision. @param network id */
  certified(network: Uint8Array, instance: Uint8Array): boolean;
  /**
   * Each record with this probability, of which another of these disks has a sound copy; what is damaged is as good as gone.
   * @returns how many were hit
   */
  damage(chance: Chance, share: number, others: readonly Disk[]): number;
  holds(record: { readonly block: string } | { readonly certificate: number }): boolean;
  readonly counts: { writes: number; damaged: number };
}

interface StoredBlock {
  readonly block: ReadBlock;
  readonly own: boolean;
  damaged: boolean;
}

interface StoredState {
  readonly height: number;
  readonly block: Uint8Array;
  readonly state: Uint8Array;
}

/** A member that catches up finalises many checkpoints in one step. */
const decisionsPerStepMax = 128;

export function createDisk(): Disk {
  return new MemoryDisk();
}

class MemoryDisk implements Disk {
  readonly counts = { writes: 0, damaged: 0 };
  private readonly blocks = new Map<string, StoredBlock>();
  private readonly certificates = new Map<number, FinalityCertificate>();
  private readonly states = new Map<string, StoredState>();
  private readonly finalised = new Map<number, string>();
  private lastVotes: KeptChain['votes'];
  private readonly judged = new Map<string, KeptVerdictVotes>();
  private judgedFrom = 0;
  private ownHeight = 0;

  readonly archive: ChainArchive = {
    block: (id) => this.sound(hex(id))?.block.encoded,
    blockAt: (height) => {
      const id = this.finalised.get(height);
      return id === undefined ? undefined : this.sound(id)?.block.encoded;
    },
    certificate: (number) => this.certificates.get(number),
    state: (block) => this.states.get(hex(block))?.state,
    voucherFor: (node, key) => this.voucherIn(node, key),
    stateBlockUpTo: (height) => {
      const below = [...this.states.values()].filter((state) => state.height <= height);
      return below.toSorted((left, right) => right.height - left.height)[0]?.block;
    },
  };

  write(records: readonly ChainRecord[]): void {
    this.counts.writes += 1;
    for (const record of records) this.writeOne(record);
  }

  kept(): KeptChain {
    const state = [...this.states.values()].toSorted((left, right) => right.height - left.height)[0];
    const from = state?.height ?? 0;
    const blocks = [...this.blocks.values()].filter(({ block, damaged }) => !damaged && block.header.height > from);
    return {
      ...(state === undefined ? {} : { state }),
      blocks: blocks.map(({ block, own }) => ({ block, own })),
      certificates: [...this.certificates.values()]
        .filter(({ height }) => height >= from)
        .toSorted((left, right) => left.number - right.number),
      ...(this.lastVotes === undefined ? {} : { votes: this.lastVotes }),
      ownHeight: this.ownHeight,
    };
  }

  /** As the device's store: from the finalised blocks. */
  private voucherIn(node: Uint8Array, key: Uint8Array): Uint8Array | undefined {
    for (const id of this.finalised.values()) {
      for (const transaction of this.sound(id)?.block.transactions ?? []) {
        const decoded = decodeTransaction(transaction);
        const shown = decoded.status === 'decoded' ? vouchersIn(decoded.value) : [];
        const found = shown.find((voucher) => hex(voucher.node) === hex(node) && hex(voucher.operationalKey) === hex(key));
        if (found) return encodeVoucher(found);
      }
    }
    return undefined;
  }

  hasBlock(id: Uint8Array): boolean {
    return this.blocks.has(hex(id));
  }

  votes(): KeptChain['votes'] {
    return this.lastVotes;
  }

  keepVerdictVotes(votes: KeptVerdictVotes): void {
    this.judged.set(hex(votes.instance), votes);
  }

  forgetVerdictVotes(belowSlot: number): void {
    this.judgedFrom = belowSlot;
    for (const [instance, { slot }] of this.judged) if (slot < belowSlot) this.judged.delete(instance);
  }

  verdictVotesFrom(): number {
    return this.judgedFrom;
  }

  verdictVotes(): readonly KeptVerdictVotes[] {
    return [...this.judged.values()];
  }

  certified(network: Uint8Array, instance: Uint8Array): boolean {
    const latest = [...this.certificates.values()].slice(-decisionsPerStepMax);
    return latest.some(({ number, previous }) => hex(checkpointInstance(network, number, previous)) === hex(instance));
  }

  damage(chance: Chance, share: number, others: readonly Disk[]): number {
    const isElsewhere = (record: Parameters<Disk['holds']>[0]): boolean => others.some((disk) => disk.holds(record));
    let hit = 0;
    for (const [block, stored] of this.blocks) {
      if (!chance.happens(share) || !isElsewhere({ block })) continue;
      stored.damaged = true;
      hit += 1;
    }
    for (const certificate of [...this.certificates.keys()]) {
      if (chance.happens(share) && isElsewhere({ certificate }) && this.certificates.delete(certificate)) hit += 1;
    }
    // A state follows from the blocks.
    for (const block of [...this.states.keys()]) if (chance.happens(share) && this.states.delete(block)) hit += 1;
    this.counts.damaged += hit;
    return hit;
  }

  holds(record: { readonly block: string } | { readonly certificate: number }): boolean {
    return 'block' in record ? this.sound(record.block) !== undefined : this.certificates.has(record.certificate);
  }

  private sound(id: string): StoredBlock | undefined {
    const stored = this.blocks.get(id);
    return stored === undefined || stored.damaged ? undefined : stored;
  }

  private writeOne(record: ChainRecord): void {
    switch (record.record) {
      case 'block':
        this.writeBlock(record.block, record.own);
        return;
      case 'votes':
        this.lastVotes = { instance: record.instance, votes: record.votes };
        return;
      case 'certificate':
        this.certificates.set(record.certificate.number, record.certificate);
        this.followFinalised(record.certificate.block);
        return;
      case 'state':
        this.states.set(hex(record.block), { height: record.height, block: record.block, state: record.state });
        return;
      case 'ownHeight':
        this.ownHeight = record.height;
        return;
      case 'prune':
        this.prune(record.belowHeight);
    }
  }

  private writeBlock(block: ReadBlock, own: boolean): void {
    this.blocks.delete(hex(block.id));
    this.blocks.set(hex(block.id), { block, own, damaged: false });
    if (own) this.ownHeight = Math.max(this.ownHeight, block.header.height);
  }

  private followFinalised(block: Uint8Array): void {
    let id = hex(block);
    for (let stored = this.blocks.get(id); stored; stored = this.blocks.get(id)) {
      const { height, parent } = stored.block.header;
      if (this.finalised.get(height) === id) return;
      this.finalised.set(height, id);
      id = hex(parent);
    }
  }

  private prune(finalHeight: number): void {
    const oldest = finalHeight - CHAIN_LIMITS.keptHeights;
    for (const [id, { block }] of this.blocks) {
      const { height } = block.header;
      if (height < oldest || (height < finalHeight && this.finalised.get(height) !== id)) this.blocks.delete(id);
    }
    for (const height of this.finalised.keys()) if (height < oldest) this.finalised.delete(height);
    const newest = Math.max(0, ...[...this.states.values()].map(({ height }) => height));
    for (const [id, { height }] of this.states) if (height < Math.min(finalHeight, newest)) this.states.delete(id);
  }
}
