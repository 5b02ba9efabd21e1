/**
 * One chain of layer 1 as a device serves it: looks at the contract, brings the next anchor in its turn, judges what others have brought, and has
 * the votes that do not hold taken away. A chain that is away or dear delays this, and stops nothing. Specification §20.3, §20.9.
 */
import { hex } from '#protocol/digest.ts';
import {
  challengeCall,
  postCall,
  readAnchors,
  readPostedVotes,
  readPosts,
  twoAnchorsCall,
  withdrawCall,
  type AnchorsContract,
  type PostedAnchor,
} from '../layer1/anchors-contract.ts';
import { describeComparison } from '../layer1/comparison.ts';
import type { Clock, Log } from '../ports.ts';
import { votersOf, type AnchorsState } from './anchors-state.ts';
import { ANCHOR_LIMITS } from './limits.ts';
import type { AnchorsEffect } from './machine.ts';
import type { AnchorSender } from './ports.ts';
import { judgePost, knownMember, postToBring, turnOf, type ContractView } from './posting.ts';

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

export class ContractWatch {
  readonly #setup: WatchSetup;
  /** Posts that were judged, by their transaction. */
  readonly #judged = new Set<string>();
  /** When something became this device's to do once others have had their turns. */
  readonly #dueSince = new Map<string, number>();
  /** By the node's id. */
  readonly #accusations = new Map<string, Accusation>();
  /** Posts that are not judged yet, by their transaction. */
  readonly #posts = new Map<string, PostedAnchor>();
  #nextBlock: number | undefined;
  #lastWords = '';

  constructor(setup: WatchSetup) {
    this.#setup = setup;
  }

  get #state(): AnchorsState {
    return this.#setup.state();
  }

  /** One look, and what follows from it. */
  async look(): Promise<void> {
    const { contract, paying, onFinal } = this.#setup;
    const head = await contract.endpoints.head();
    if (head.status !== 'agreed') return this.#noteWords(describeComparison(head));
    const read = await readAnchors(contract, head.value.number, paying?.address);
    if (read.status === 'no-contract') return this.#noteWords(`there is no contract Anchors at 0x${hex(contract.address)}`);
    if (read.status === 'unread') return this.#noteWords(describeComparison(read.why));
    this.#noteWords('');
    onFinal(read.view.lastFinal);
    await this.#findPosts(head.value.number);
    await this.#judgePosts(read.view);
    if (!paying) return;
    await this.#bring(read.view);
    await this.#accuse();
    await this.#fetchOwed(read.view);
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

  /** Range by range; a reorganisation may have changed the newest blocks. */
  async #findPosts(head: number): Promise<void> {
    const from = Math.max(0, this.#nextBlock ?? head - ANCHOR_LIMITS.postBlocksBack);
    const to = Math.min(head, from + ANCHOR_LIMITS.postBlocksMax - 1);
    const posts = await readPosts(this.#setup.contract, from, to);
    if (posts.status !== 'agreed') return this.#noteWords(describeComparison(posts));
    for (const post of posts.value) if (!this.#judged.has(hex(post.transaction))) this.#posts.set(hex(post.transaction), post);
    this.#nextBlock = Math.max(from, Math.min(to + 1, head - ANCHOR_LIMITS.postBlocksAgain));
  }

  /** While a post is open its votes can be challenged. */
  async #judgePosts({ tip, lastFinal }: ContractView): Promise<void> {
    for (const [key, post] of this.#posts) {
      const isOpen = post.header.epoch > lastFinal && post.header.epoch <= tip.epoch;
      if (isOpen && !(await this.#judge(key, post))) continue;
      this.#posts.delete(key);
      this.#judged.add(key);
      for (const old of this.#judged) if (this.#judged.size > ANCHOR_LIMITS.judgedPostsMax) this.#judged.delete(old);
    }
  }

  /** @returns whether nothing more is to be done about it */
  async #judge(key: string, post: PostedAnchor): Promise<boolean> {
    const { contract, log } = this.#setup;
    const { epoch } = post.header;
    const about = { chain: this.#state.place.chainId, epoch };
    const votes = await readPostedVotes(contract, post.transaction);
    if (votes.status !== 'agreed') return false;
    const verdict = judgePost(this.#state, { header: post.header, votes: votes.value });
    if (verdict.status === 'unknown') return false;
    if (verdict.status === 'holds') {
      if (verdict.anchor === 'other') log('anchorContradicts', about);
      return true;
    }
    const { previous, vote, member } = verdict;
    const turn = turnOf(this.#state, post.transaction, votersOf(this.#state, epoch) ?? []) ?? 0;
    if (!this.#isTurn(`challenge/${key}`, turn)) return false;
    log('anchorVoteBad', { ...about, vote, by: hex(member.leaf.node) });
    await this.#intend(`challenge/${epoch}/${key.slice(0, 16)}`, challengeCall(epoch, previous, votes.value, vote, member), 0n);
    return true;
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

  async #fetchOwed({ owed, bond, tip }: ContractView): Promise<void> {
    const { paying } = this.#setup;
    if (paying && owed > 0n && owed >= bond * ANCHOR_LIMITS.owedBonds)
      await this.#intend(`withdraw/${tip.epoch}`, withdrawCall(paying.address), 0n);
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
  #isTurn(name: string, turn: number): boolean {
    const { now, turnMs } = this.#setup;
    const since = this.#dueSince.get(name) ?? now();
    this.#dueSince.set(name, since);
    for (const old of this.#dueSince.keys()) if (this.#dueSince.size > ANCHOR_LIMITS.judgedPostsMax) this.#dueSince.delete(old);
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
