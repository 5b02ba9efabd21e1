/**
 * A device's duty towards layer 1: its chip votes on the anchor of every epoch, votes of others are gathered, and with a key that pays it brings
 * what has a quorum. Disk before gossip; the chip and the chains are asked beside it. Specification §20.9.
 */
import type { Crypto } from '#protocol/crypto.ts';
import { sameBytes } from '#protocol/codec.ts';
import { decodeAnchorVotes, encodeAnchorVotes, type SaidVote } from '#protocol/layer1/anchor-message.ts';
import { anchoredEpochs, anchoredState, leafPath, type AnchoredCheckpoint, type AnchoredState } from '#protocol/layer1/anchored-state.ts';
import type { AnchorHeader, AnchorPlace } from '#protocol/layer1/anchor.ts';
import type { CreditLeaf, MemberLeaf, VerdictLeaf } from '#protocol/layer1/leaf.ts';
import { networkId, type Layer1Chain, type Network } from '#protocol/network.ts';
import type { CertifiedCheckpoint, Checkpoints } from '../chain/chain-port.ts';
import { MemberNames } from '../chain/member-names.ts';
import type { Endpoints } from '../layer1/endpoints.ts';
import type { Clock, Log } from '../ports.ts';
import { AnchorStore } from './anchor-store.ts';
import { headerOf, ownVotes, type AnchorsState } from './anchors-state.ts';
import { ContractWatch } from './contract-watch.ts';
import { ANCHOR_LIMITS } from './limits.ts';
import { settled, startAnchors, stepAnchors, type AnchorsEffect, type AnchorsEvent } from './machine.ts';
import type { AnchorChip, AnchorGossip, AnchorSender } from './ports.ts';

/** A chain of the network file, and the ways to it. */
export interface AnchorChain {
  readonly chain: Layer1Chain;
  readonly endpoints: Endpoints;
  /** Absent: this device votes and looks, others pay. */
  readonly paying?: { readonly sender: AnchorSender; readonly address: Uint8Array };
  /** Address of the contract NodeDisputes, for who has it. */
  readonly disputes?: Uint8Array;
}

export interface AnchorsRequest {
  readonly network: Network;
  readonly crypto: Crypto;
  readonly chip: AnchorChip;
  readonly checkpoints: Checkpoints;
  /** The position of the genesis. */
  readonly genesis: Omit<AnchoredCheckpoint, 'number'>;
  readonly gossip: AnchorGossip;
  readonly chains: readonly AnchorChain[];
  /** The database of anchors. */
  readonly file: string;
  readonly now: Clock;
  readonly log: Log;
  readonly turnMs?: number;
  readonly lookMs?: number;
}

/** A leaf of one tree with its path. */
export interface ShownLeaf<Leaf> {
  readonly index: number;
  readonly leaf: Leaf;
  readonly path: readonly Uint8Array[];
}

/** What an anchor says of a member, under the roots of its header. */
export interface ShownMemberLeaves {
  readonly header: AnchorHeader;
  readonly member: ShownLeaf<MemberLeaf>;
  readonly verdict: ShownLeaf<VerdictLeaf>;
  readonly credit: ShownLeaf<CreditLeaf>;
}

interface Duty {
  readonly place: AnchorPlace;
  readonly watch: ContractWatch;
  state: AnchorsState;
  /** Own votes that are on the disk. */
  said: readonly SaidVote[];
  /** A step has failed in between: what is on the disk counts, not what the machine remembers. */
  isUnsure: boolean;
}

/**
 * @returns undefined where what is stored can't be read: that is logged, and the device goes on without this duty. Nothing is begun anew in its
 *   place, for a chip that signs a second anchor of an epoch loses its stake
 */
export function openAnchors(request: AnchorsRequest): Anchors | undefined {
  try {
    return new Anchors(request);
  } catch (error) {
    request.log('anchorsUnusable', { file: request.file, why: wordsOf(error) });
    return undefined;
  }
}

export class Anchors {
  readonly #request: AnchorsRequest;
  readonly #anchorHeights: number;
  readonly #store: AnchorStore;
  readonly #founders: AnchoredState;
  readonly #duties: readonly Duty[];
  readonly #names = new MemberNames();
  /** Members that were just heard, and what they have said since. */
  readonly #waiting = new Map<string, { payload: Uint8Array | undefined; readonly timer: NodeJS.Timeout }>();
  /** Of the chip, one question after the other; and of the looks at the chains. */
  #signing: Promise<void> = Promise.resolve();
  #looking: Promise<void> = Promise.resolve();
  #timer: NodeJS.Timeout | undefined;
  #closed = false;

  /** @throws Error where the genesis has no `anchorHeights`, or what is stored can't be read */
  constructor(request: AnchorsRequest) {
    const { network, file, chains, genesis, checkpoints, gossip } = request;
    const { anchorHeights } = network.genesis;
    if (anchorHeights === undefined) throw new Error('The network has no anchors: its genesis lacks anchorHeights');
    [this.#request, this.#anchorHeights, this.#store] = [request, anchorHeights, new AnchorStore(file)];
    this.#founders = anchoredState(network, 0, { ...genesis, number: 0 });
    try {
      this.#duties = chains.map((chain) => this.#dutyOn(chain));
    } catch (error) {
      this.#store.close();
      throw error;
    }
    this.#say();
    checkpoints.onCheckpoint((checkpoint) => this.#certified(checkpoint));
    gossip.onHeard((name, payload) => this.#heardSoon(name, payload));
  }

  /** Looks at the chains from now on. */
  start(): void {
    if (this.#closed) return;
    this.#timer = setTimeout(() => void this.look().then(() => this.start()), this.#request.lookMs ?? ANCHOR_LIMITS.lookMs);
  }

  /** One look at each chain, and what follows from it; what was refused by the chip is asked for again. Never rejects. */
  look(): Promise<void> {
    this.#looking = this.#looking.then(async () => {
      if (this.#closed) return;
      for (const duty of this.#duties) this.#attempt(duty, settled);
      await Promise.all(this.#duties.map(({ watch }) => watch.look().catch((error: unknown) => this.#failed(error))));
    });
    return this.#looking;
  }

  /** To be called whenever the device's own broker was started anew: it has lost what it retained. */
  republish(): void {
    this.#say();
  }

  /** What the anchor of an epoch says of a member; undefined where this device does not keep it. @param chainId EIP-155 */
  leavesOf(chainId: number, epoch: number, node: Uint8Array): ShownMemberLeaves | undefined {
    const known = this.#duties.find(({ place }) => place.chainId === chainId)?.state.epochs.get(epoch);
    const header = known && headerOf(known);
    const index = known?.leaves.members.findIndex((leaf) => sameBytes(leaf.node, node)) ?? -1;
    const [member, verdict, credit] = [known?.leaves.members[index], known?.leaves.verdicts[index], known?.leaves.credits[index]];
    if (!known || !header || !member || !verdict || !credit) return undefined;
    return {
      header,
      member: { leaf: member, ...leafPath(known.leaves, 'members', index) },
      verdict: { leaf: verdict, ...leafPath(known.leaves, 'verdicts', index) },
      credit: { leaf: credit, ...leafPath(known.leaves, 'credits', index) },
    };
  }

  /** What was begun is finished first. */
  async close(): Promise<void> {
    if (this.#closed) return;
    this.#closed = true;
    clearTimeout(this.#timer);
    for (const { timer } of this.#waiting.values()) clearTimeout(timer);
    await Promise.all([this.#signing, this.#looking]);
    this.#store.close();
  }

  #dutyOn(chain: AnchorChain): Duty {
    const place = { network: networkId(this.#request.network), chainId: chain.chain.chainId, anchors: chain.chain.anchors };
    const state = this.#load(place);
    const duty: Duty = { place, state, said: ownVotes(state), isUnsure: false, watch: this.#watchOf(chain, () => duty) };
    return duty;
  }

  #load(place: AnchorPlace): AnchorsState {
    const { crypto, chip } = this.#request;
    return startAnchors({ place, crypto, node: chip.node }, this.#founders, this.#store.load(place));
  }

  #watchOf({ chain, endpoints, paying, disputes }: AnchorChain, duty: () => Duty): ContractWatch {
    const { now, log, turnMs = ANCHOR_LIMITS.turnMs } = this.#request;
    const ways = { contract: { endpoints, address: chain.anchors }, ...(paying && { paying }), ...(disputes && { disputes }) };
    const onFinal = (epoch: number): void => this.#step(duty(), { type: 'final', epoch });
    return new ContractWatch({ ...ways, state: () => duty().state, onFinal, now, log, turnMs });
  }

  /** Members are heard by their names. A checkpoint of which the one before is not known may not be the first of an epoch. */
  #certified({ aboveHeight, ...checkpoint }: CertifiedCheckpoint): void {
    this.#names.know(Array.from(checkpoint.state.members.values(), ({ member }) => member));
    if (aboveHeight === undefined) return;
    for (const epoch of anchoredEpochs(this.#anchorHeights, aboveHeight, checkpoint.height))
      for (const duty of this.#duties)
        this.#attempt(duty, (state) =>
          stepAnchors(state, { type: 'anchored', anchored: anchoredState(this.#request.network, epoch, checkpoint) }),
        );
  }

  /** At once, or when its time has come: the last word of each member counts. */
  #heardSoon(name: string, payload: Uint8Array): void {
    const waiting = this.#waiting.get(name);
    if (waiting) {
      waiting.payload = payload;
      return;
    }
    const begun = {
      payload: undefined as Uint8Array | undefined,
      timer: setTimeout(() => this.#heardAgain(name), ANCHOR_LIMITS.heardEveryMs),
    };
    this.#waiting.set(name, begun);
    this.#heard(name, payload);
  }

  #heardAgain(name: string): void {
    const payload = this.#waiting.get(name)?.payload;
    this.#waiting.delete(name);
    if (payload) this.#heardSoon(name, payload);
  }

  #heard(name: string, payload: Uint8Array): void {
    const node = this.#names.nodeOf(name);
    const decoded = decodeAnchorVotes(payload);
    if (node === undefined) return;
    if (decoded.status === 'malformed') return this.#request.log('anchorVotesRefused', { peer: name, detail: decoded.detail });
    for (const duty of this.#duties) {
      const said = decoded.value.chains.find((one) => one.chainId === duty.place.chainId && sameBytes(one.anchors, duty.place.anchors));
      if (said) this.#step(duty, { type: 'heard', node: Uint8Array.fromHex(node), votes: said.votes });
    }
  }

  #step(duty: Duty, event: AnchorsEvent): void {
    this.#attempt(duty, (state) => stepAnchors(state, event));
  }

  /** What the disk or a foreign word does must not end the device: it is logged, and goes on from what the disk has. */
  #attempt(duty: Duty, step: (state: AnchorsState) => readonly AnchorsEffect[]): void {
    if (this.#closed) return;
    try {
      if (duty.isUnsure) duty.state = { ...this.#load(duty.place), said: duty.state.said, final: duty.state.final };
      duty.isUnsure = true;
      for (const effect of step(duty.state)) this.#performOne(duty, effect);
      duty.isUnsure = false;
    } catch (error) {
      this.#failed(error);
    }
  }

  #performOne(duty: Duty, effect: AnchorsEffect): void {
    switch (effect.effect) {
      case 'store':
        return this.#store.store(duty.place, effect.epoch);
      case 'forget':
        return this.#store.forget(duty.place, effect.epoch);
      case 'sign':
        return this.#sign(duty, effect.epoch, effect.anchor);
      case 'say':
        duty.said = effect.votes;
        return this.#say();
      case 'accuse':
        return duty.watch.accuse(effect);
      case 'report': {
        const { event, ...fields } = effect.report;
        return this.#request.log(event, { chain: duty.place.chainId, ...fields });
      }
    }
  }

  #sign(duty: Duty, epoch: number, anchor: Uint8Array): void {
    const { chip } = this.#request;
    this.#signing = this.#signing.then(async () => {
      if (this.#closed) return;
      try {
        const certificate = await chip.certifyTime(anchor);
        this.#step(duty, { type: 'signed', epoch, certificate });
      } catch (error) {
        this.#failed(error);
        this.#step(duty, { type: 'not-signed', epoch });
      }
    });
  }

  #say(): void {
    const chains = this.#duties.map(({ place, said }) => ({ chainId: place.chainId, anchors: place.anchors, votes: [...said] }));
    if (chains.some(({ votes }) => votes.length > 0)) this.#request.gossip.say(encodeAnchorVotes({ chains }));
  }

  #failed(error: unknown): void {
    this.#request.log('anchorsFailed', { why: wordsOf(error) });
  }
}

function wordsOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error);
}
