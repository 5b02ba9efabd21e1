/** A chain in memory by the ledger's own rules for capsules and boxes (§15): a block when a test says so, undone when it says so. */
import { genesisPosition } from '../../../device/ledger/genesis.ts';
import { withUpkeep } from '../../../device/ledger/capsule-upkeep.ts';
import type { Chain, Inclusion } from '../../../device/chain/chain-port.ts';
import { recordOf } from '../../../device/ledger/member-identity.ts';
import { withoutMember } from '../../../device/ledger/seats.ts';
import { applyAction } from '../../../device/ledger/transaction-rules.ts';
import type { CapsuleRecord, ChainState } from '#protocol/chain/state.ts';
import type { Action } from '#protocol/chain/transaction.ts';
import { sameBytes } from '#protocol/codec.ts';
import { blobDigest, hex } from '#protocol/digest.ts';
import { networkId } from '#protocol/network.ts';
import { crypto, network } from '../protocol/workshop.ts';

interface Said {
  readonly by: Uint8Array;
  readonly action: Action;
}

export class MemoryChain {
  state: ChainState;
  height = 0;
  finalisedHeight = 0;
  /** Chooses among the boxes: the VRF output of a block follows from it. */
  luck = 0;
  readonly refusals: string[] = [];
  readonly #now: () => number;
  readonly #genesis: ChainState;
  readonly #listeners: (() => void)[] = [];
  #waiting: Said[] = [];
  #blocks: { readonly state: ChainState; readonly said: Said[] }[] = [];

  constructor(now: () => number) {
    this.#now = now;
    this.#genesis = genesisPosition({ network, networkId: networkId(network), crypto }).state;
    this.state = this.#genesis;
  }

  /** The chain as the member `node` has it. */
  for(node: Uint8Array): Chain {
    const view = () => ({ id: this.blockId(this.height), height: this.height, timeMs: this.#now(), state: this.state });
    return {
      node,
      act: (action) => this.#act(node, action),
      head: view,
      finalised: () => ({ ...view(), number: this.finalisedHeight }),
      receiptInclusion: (capsule, receipt) => this.#inclusion(capsule, receipt),
      onChange: (handler) => void this.#listeners.push(handler),
    };
  }

  /** A block with everything that waits. What is refused is dropped. */
  block(): void {
    this.height += 1;
    const context = { network, networkId: networkId(network), crypto };
    const place = { height: this.height, timeMs: this.#now(), context, branch: { ancestorAt: () => undefined } };
    const said = this.#waiting;
    this.#waiting = [];
    const lead = { node: blobDigest(Uint8Array.of(this.height)), output: blobDigest(Uint8Array.of(this.luck, this.height)) };
    let state = withUpkeep(this.state, { ...place, leader: lead.node, output: lead.output });
    for (const { by, action } of said) {
      const outcome = applyAction(state, { by, key: by }, action, { ...place, lead });
      if (outcome.status === 'applied') ({ state } = outcome);
      else this.refusals.push(`${action.action}: ${outcome.reason}`);
    }
    this.state = state;
    this.#blocks.push({ state, said });
    this.#changed();
  }

  /** A checkpoint holds everything so far. */
  finalise(): void {
    this.finalisedHeight = this.height;
    this.#changed();
  }

  /** Another branch without the last `count` blocks; what they held waits again. */
  undo(count: number): void {
    const undone = this.#blocks.splice(-count, count);
    this.height -= count;
    this.state = this.#blocks.at(-1)?.state ?? this.#genesis;
    this.#waiting = [...undone.flatMap(({ said }) => said), ...this.#waiting];
    this.#changed();
  }

  expel(node: Uint8Array): void {
    const record = recordOf(this.state, node);
    const outcome = record && withoutMember(this.state, record, 'expelled', this.height);
    if (outcome?.status !== 'applied') throw new Error('the member can not be expelled');
    this.state = outcome.state;
    this.#changed();
  }

  capsule(id: string): CapsuleRecord | undefined {
    return this.state.capsules.get(id);
  }

  blockId(height: number): Uint8Array {
    return blobDigest(Uint8Array.of(height, this.luck));
  }

  #act(by: Uint8Array, action: Action): void {
    const words = JSON.stringify([hex(by), action]);
    if (!this.#waiting.some((said) => JSON.stringify([hex(said.by), said.action]) === words)) this.#waiting.push({ by, action });
  }

  #inclusion(capsule: string, receipt: Uint8Array): Inclusion {
    const end = this.state.capsules.get(capsule)?.end;
    if (!end?.receipt || !sameBytes(end.receipt, receipt)) return { status: 'unknown' };
    const place = { height: end.height, block: this.blockId(end.height) };
    if (end.height > this.finalisedHeight) return { status: 'not-final', ...place };
    return { status: 'final', ...place, checkpoint: this.finalisedHeight, proof: Uint8Array.of(1) };
  }

  #changed(): void {
    for (const listener of this.#listeners) listener();
  }
}
