/**
 * One chain of layer 1 as a device serves it: looks at the contract, brings the next anchor in its turn, judges what others have brought, and has
 * the votes that do not hold taken away. A chain that is away or dear delays this, and stops nothing. Specification §20.3, §20.9.
 */
import { hex } from '#protocol/digest.ts';
import { anchorDigest } from '#protocol/layer1/anchor.ts';
import {
  challengeCall,
  postCall,
  readAnchors,
  readWindowMs,
  twoAnchorsCall,
  withdrawCall,
  type AnchorsContract,
} from '../layer1/anchors-contract.ts';
import { describeComparison } from '../layer1/comparison.ts';
import type { Clock, Log } from '../ports.ts';
import { votersOf, type AnchorsState } from './anchors-state.ts';
import { ANCHOR_LIMITS } from './limits.ts';
import type { AnchorsEffect } from './machine.ts';
import type { AnchorSender } from './ports.ts';
import { PostWatch, type OpenPost } from './post-watch.ts';
import { challengeTurnMs, isToFetch, judgePost, knownMember, postToBring, turnOf, type ContractView } from './posting.ts';

export interface WatchSetup {
  readonly contract: AnchorsContract;
  /** Whoever pays; without it this device only looks. */
  readonly paying?: { readonly sender: AnchorSender; readonly address: Uint8Array };
  /** The contract NodeDisputes, where two anchors of one chip are proven. */
  readonly disputes?: Uint8Array;
  readonly state: () => AnchorsState;
  /** Told of the last epoch that is final. */
  readonly onFinal: (epoch: number) => void;
  readonly now: Clock;
  readonly log: Log;
  readonly turnMs: number;
}

type Accusation = Extract<AnchorsEffect, { effect: 'accuse' }>;

/** The contract at the newest block that is looked at, or why it is not known. */
type Sight = { readonly head: number; readonly view: ContractView } | { readonly why: string };

/** A contract as one endpoint tells of it. */
interface Eye {
  readonly contract: AnchorsContract;
  readonly posts: PostWatch;
}

export class ContractWatch {
  readonly #setup: WatchSetup;
  readonly #eyes: readonly Eye[];
  /** Of which posts the log tells what. */
  readonly #told = new Set<string>();
  /** When something became this device's to do once others have had their turns. */
  readonly #dueSince = new Map<string, number>();
  /** By the node's id. */
  readonly #accusations = new Map<string, Accusation>();
  /** In which a post can be challenged, once it is known. */
  #windowMs: number | undefined;
  #lastWords = '';

  constructor(setup: WatchSetup) {
    this.#setup = setup;
    const { contract, state, log } = setup;
    this.#eyes = contract.endpoints.alone().map(({ name, endpoints }) => {
      const alone = { endpoints, address: contract.address };
      return { contract: alone, posts: new PostWatch({ endpoint: name, contract: alone, state, log }) };
    });
  }

  get #state(): AnchorsState {
    return this.#setup.state();
  }

  /** One look, and what follows from it. */
  async look(): Promise<void> {
    const { contract, paying, onFinal } = this.#setup;
    const seen = await this.#see(contract);
    this.#noteWords('why' in seen ? seen.why : '');
    if ('view' in seen) {
      this.#windowMs ??= await readWindowMs(contract, seen.head);
      onFinal(seen.view.lastFinal);
    }
    await this.#judgePosts(seen);
    if ('why' in seen) return;
    const { view } = seen;
    if (!paying) return;
    await this.#bring(view);
    await this.#accuse();
    await this.#fetchOwed(view);
  }

  accuse(accusation: Accusation): void {
    this.#accusations.set(hex(accusation.node), accusation);
  }

  async #bring(view: ContractView): Promise<void> {
    const due = postToBring(this.#state, view);
    if (!due) return;
    const { header, votes, turn } = due;
    const name = `post/${header.epoch}`;
    if (this.#isTurn(`${name}/${hex(view.tip.anchor)}`, turn)) await this.#intend(name, postCall(header, votes), view.bond);
  }

  async #see(contract: AnchorsContract): Promise<Sight> {
    const head = await contract.endpoints.head();
    if (head.status !== 'agreed') return { why: describeComparison(head) };
    const read = await readAnchors(contract, head.value.number, this.#setup.paying?.address);
    if (read.status === 'read') return { head: head.value.number, view: read.view };
    return { why: read.status === 'unread' ? describeComparison(read.why) : `there is no contract Anchors at 0x${hex(contract.address)}` };
  }

  /** What each endpoint shows by itself; where they don't agree on the contract either, by what each says of that. */
  async #judgePosts(seen: Sight): Promise<void> {
    await Promise.all(
      this.#eyes.map(async ({ contract, posts }, number) => {
        const own = 'view' in seen ? seen : await this.#see(contract);
        if (!('view' in own)) return;
        for (const post of await posts.look(own.head, own.view)) if (await this.#judge(post, number)) posts.settle(post);
      }),
    );
  }

  /**
   * A post that does not hold is under judgement until it is closed: a challenge that was refused is tried again, and of several bad votes then by
   * another. @param number of the endpoint, under which it is challenged: none keeps another's word from being tried. @returns whether it holds
   */
  async #judge({ header, votes, transaction }: OpenPost, number: number): Promise<boolean> {
    const { now } = this.#setup;
    const { epoch } = header;
    const key = `${epoch}/${hex(anchorDigest(this.#state.place, header)).slice(0, 16)}`;
    const due = `challenge/${key}/${number}`;
    const waitedMs = now() - (this.#dueSince.get(due) ?? now());
    const verdict = judgePost(this.#state, { header, votes }, Math.floor(waitedMs / ANCHOR_LIMITS.againMs));
    if (verdict.status === 'holds' && verdict.anchor === 'other') this.#tell(key, 'anchorContradicts', { epoch });
    if (verdict.status !== 'bad') return verdict.status === 'holds';
    const { previous, vote, member } = verdict;
    const voters = votersOf(this.#state, epoch) ?? [];
    const turnMs = challengeTurnMs(this.#setup.turnMs, this.#windowMs, voters.length);
    if (!this.#isTurn(due, turnOf(this.#state, transaction, voters) ?? 0, turnMs)) return false;
    this.#tell(key, 'anchorVoteBad', { epoch, vote, by: hex(member.leaf.node) });
    await this.#intend(`challenge/${epoch}/${number + 1}`, challengeCall(epoch, previous, votes, vote, member), 0n);
    return false;
  }

  #tell(key: string, event: string, fields: Record<string, string | number>): void {
    if (this.#told.has(`${event}/${key}`)) return;
    this.#told.add(`${event}/${key}`);
    for (const old of this.#told) if (this.#told.size > ANCHOR_LIMITS.postsMax) this.#told.delete(old);
    this.#setup.log(event, { chain: this.#state.place.chainId, ...fields });
  }

  async #accuse(): Promise<void> {
    const { disputes } = this.#setup;
    for (const [key, { node, first, second }] of this.#accusations) {
      const shown = knownMember(this.#state, node);
      if (!shown || !disputes) continue;
      await this.#intend(`two-anchors/${key}`, twoAnchorsCall(shown.known, shown.member, first, second), 0n, disputes);
      this.#accusations.delete(key);
    }
  }

  async #fetchOwed(view: ContractView): Promise<void> {
    const { paying } = this.#setup;
    const { epoch } = view.tip;
    if (paying && isToFetch(view, paying.sender.standing(`post/${epoch + 1}`)))
      await this.#intend(`withdraw/${epoch}`, withdrawCall(paying.address), 0n);
  }

  /**
   * Asked for once. What was done and undone by a challenge is done under another name; what was refused is tried again after a while, for
   * others may have been first, or posts stopped.
   */
  async #intend(name: string, data: Uint8Array, value: bigint, to = this.#setup.contract.address): Promise<void> {
    const { paying, now } = this.#setup;
    if (!paying) return;
    for (let number = 1; ; number += 1) {
      const numbered = number === 1 ? name : `${name}/${number}`;
      const standing = paying.sender.standing(numbered);
      if (standing?.state === 'final') continue;
      if (standing && standing.state !== 'refused') return;
      const refusedMs = this.#dueSince.get(`refused/${numbered}`);
      if (standing && refusedMs === undefined) this.#dueSince.set(`refused/${numbered}`, now());
      if (standing && now() - (refusedMs ?? now()) < ANCHOR_LIMITS.againMs) return;
      this.#dueSince.delete(`refused/${numbered}`);
      return paying.sender.intend({ name: numbered, to, data, value: String(value) });
    }
  }

  /** Whether those before this device have had their time. */
  #isTurn(name: string, turn: number, turnMs = this.#setup.turnMs): boolean {
    const { now } = this.#setup;
    const since = this.#dueSince.get(name) ?? now();
    this.#dueSince.set(name, since);
    for (const old of this.#dueSince.keys()) if (this.#dueSince.size > ANCHOR_LIMITS.postsMax) this.#dueSince.delete(old);
    return now() - since >= turn * turnMs;
  }

  #noteWords(words: string): void {
    if (words === this.#lastWords) return;
    this.#lastWords = words;
    this.#setup.log(words === '' ? 'anchorsSeen' : 'anchorsNotSeen', {
      chain: this.#state.place.chainId,
      ...(words !== '' && { why: words }),
    });
  }
}
