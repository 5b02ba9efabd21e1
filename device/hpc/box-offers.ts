/** Keeps what the chain has of this member's boxes up with the boxes. Specification §11.3, §15.10. */
import type { OfferedBox } from '#protocol/chain/transaction.ts';
import { hex } from '#protocol/digest.ts';
import type { Chain } from '../chain/chain-port.ts';
import { DEVICE_LIMITS } from '../limits.ts';
import type { Clock, Log } from '../ports.ts';
import type { Boxes } from './boxes.ts';
import { areSameOffers, offersOnChain, type OfferedHow } from './offers.ts';

export class BoxOffers {
  readonly #chain: Chain;
  readonly #boxes: Boxes;
  readonly #how: OfferedHow;
  readonly #now: Clock;
  readonly #log: Log;
  #standing = 0;
  #last: { readonly serial: number; readonly boxes: OfferedBox[]; readonly atMs: number } | undefined;

  constructor({ chain, now, log }: { chain: Chain; now: Clock; log: Log }, boxes: Boxes, how: OfferedHow) {
    this.#chain = chain;
    this.#boxes = boxes;
    this.#how = how;
    this.#now = now;
    this.#log = log;
  }

  /** Says the boxes on the chain where it has others; the same again until it has them. Before the boxes are told it has nothing to say. */
  look(): void {
    if (!this.#boxes.areTold) return;
    const { state } = this.#chain.head();
    const node = hex(this.#chain.node);
    const onChain = offersOnChain(this.#chain.node, state);
    const boxes = this.#boxes.offers(onChain, this.#how);
    const atMs = this.#now();
    const serialOnChain = state.members.get(node)?.boxesSerial ?? 0;
    const isSaid = this.#last !== undefined && this.#last.serial > serialOnChain && areSameOffers(this.#last.boxes, boxes);
    if (areSameOffers(onChain, boxes) && (this.#last?.serial ?? 0) <= serialOnChain) return this.#stand(serialOnChain, boxes);
    if (!isSaid) {
      if (this.#last && atMs - this.#last.atMs < DEVICE_LIMITS.offersEveryMs) return;
      this.#last = { serial: Math.max(serialOnChain, this.#last?.serial ?? 0) + 1, boxes, atMs };
      this.#log('boxesOffered', { serial: this.#last.serial, boxes: boxes.map(({ name, trust }) => `${name}:${trust}`).join(' ') });
    }
    if (this.#last) this.#chain.act({ action: 'boxes', serial: this.#last.serial, boxes: this.#last.boxes });
  }

  #stand(serial: number, boxes: readonly OfferedBox[]): void {
    if (serial === this.#standing) return;
    this.#standing = serial;
    this.#log('boxesOnChain', { serial, boxes: boxes.map(({ name }) => name).join(' ') });
  }
}
