/** What layer 1 does not hold of its anchors, kept for those who begin there: block, core and seats of each checkpoint of which there is one. Specification §20.10. */
import type { ReadBlock } from '#protocol/chain/block.ts';
import { proveState } from '#protocol/chain/state-root.ts';
import { encodeStrict } from '#protocol/codec.ts';
import { AnchoredSeats } from '#protocol/layer1/anchor-file.ts';
import { anchoredEpochs } from '#protocol/layer1/anchored-state.ts';
import { LIMITS } from '#protocol/limits.ts';
import { foundersOf, type Network } from '#protocol/network.ts';
import type { AnchoredStore } from '../store/anchored-store.ts';
import type { CertifiedCheckpoint, Checkpoints } from './chain-port.ts';

export interface AnchoredChain extends Checkpoints {
  blockOnHead(height: number): ReadBlock | undefined;
}

export class AnchoredArchive {
  readonly #network: Network;
  readonly #store: AnchoredStore;

  constructor(chain: AnchoredChain, network: Network, store: AnchoredStore) {
    [this.#network, this.#store] = [network, store];
    chain.onCheckpoint((checkpoint) => {
      if (this.#hasAnchor(checkpoint)) this.#keep(checkpoint, chain.blockOnHead(checkpoint.height));
    });
  }

  /** Encoded `AnchoredSeats`; undefined where there is no anchor of a checkpoint at this height, or it is not kept. */
  at(height: number): Uint8Array | undefined {
    if (height === 0) return encodeStrict(AnchoredSeats, { of: 'genesis', members: foundersOf(this.#network) });
    return this.#store.at(height);
  }

  #hasAnchor({ aboveHeight, height }: CertifiedCheckpoint): boolean {
    const { anchorHeights } = this.#network.genesis;
    return anchorHeights !== undefined && aboveHeight !== undefined && anchoredEpochs(anchorHeights, aboveHeight, height).length > 0;
  }

  /** Of all members, where one answer has room for them, else of the seats. No proofs are made of what more than 128 have certified (§13.6). */
  #keep({ state, height }: CertifiedCheckpoint, block: ReadBlock | undefined): void {
    const seats = state.core.seatsToCome.at(-1)?.seats ?? state.core.seats;
    if (!block || seats.length > LIMITS.votersMax) return;
    const shown = { header: block.headerBytes, end: block.end };
    const all = [...state.members.values()].map(({ node }) => node);
    const [whole, ofSeats] = [all.length > LIMITS.votersMax ? seats : all, seats].map((nodes) =>
      encodeStrict(AnchoredSeats, { of: 'checkpoint', block: shown, state: proveState(state, nodes) }),
    );
    const fitting = whole && whole.length <= LIMITS.anchoredSeatsBytesMax ? whole : ofSeats;
    if (fitting) this.#store.keep(height, fitting);
  }
}
