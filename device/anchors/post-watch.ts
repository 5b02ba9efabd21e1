/**
 * The open posts of one contract and their votes, as one endpoint tells of them: its word is enough to look into a post, for a vote that does not
 * hold proves itself to the contract. An open post whose votes it does not show is an alarm. Specification §20.3, §20.9.
 */
import { hex } from '#protocol/digest.ts';
import { anchorDigest } from '#protocol/layer1/anchor.ts';
import { readPostedVotes, readPosts, type AnchorsContract, type PostedAnchor } from '../layer1/anchors-contract.ts';
import { describeComparison } from '../layer1/comparison.ts';
import type { Log } from '../ports.ts';
import type { AnchorsState } from './anchors-state.ts';
import { ANCHOR_LIMITS } from './limits.ts';
import type { AnchorPost, ContractView } from './posting.ts';

/** A post with its votes. */
export interface OpenPost extends AnchorPost {
  readonly transaction: Uint8Array;
}

export interface PostWatchSetup {
  /** For people. */
  readonly endpoint: string;
  readonly contract: AnchorsContract;
  readonly state: () => AnchorsState;
  readonly log: Log;
}

interface KnownPost {
  readonly post: PostedAnchor;
  /** Hexadecimal. */
  readonly anchor: string;
  holds: boolean;
}

export class PostWatch {
  readonly #setup: PostWatchSetup;
  /** By their transaction, the oldest first. */
  readonly #posts = new Map<string, KnownPost>();
  #nextBlock: number | undefined;
  #blocks: number = ANCHOR_LIMITS.postBlocksMax;
  #lastWords = '';

  constructor(setup: PostWatchSetup) {
    this.#setup = setup;
  }

  /** @param head the newest block that is looked at. @returns the open posts of which it is not known that they hold */
  async look(head: number, view: ContractView): Promise<OpenPost[]> {
    const unread = await this.#findPosts(head);
    const { open, missing } = this.#open(view);
    this.#forget(view, open);
    const whys =
      missing === undefined || unread === '' ? [] : [`epoch ${missing}: ${unread ?? 'no post has the anchor that stands there'}`];
    const read = open.filter(({ holds }) => !holds).map(({ post }) => this.#read(post, whys));
    const found = (await Promise.all(read)).flatMap((post) => post ?? []);
    this.#note(whys[0] ?? '');
    return found;
  }

  /** All its votes hold: it need not be read again. */
  settle({ transaction }: OpenPost): void {
    const known = this.#posts.get(hex(transaction));
    if (known) known.holds = true;
  }

  /** @param whys gets why it can't be read */
  async #read({ header, transaction }: PostedAnchor, whys: string[]): Promise<OpenPost | undefined> {
    const votes = await readPostedVotes(this.#setup.contract, transaction);
    if (votes.status === 'agreed') return { header, votes: votes.value, transaction };
    whys.push(`epoch ${header.epoch}: ${describeComparison(votes)}`);
    return undefined;
  }

  /**
   * Range by range; of one that is not answered the half is asked at the next look. A reorganisation may have changed the newest blocks.
   * @returns why blocks up to the head can't be read; '' where there are only more than one look reads
   */
  async #findPosts(head: number): Promise<string | undefined> {
    const { contract, state } = this.#setup;
    for (let ranges = 0; ranges < ANCHOR_LIMITS.postRangesMax; ranges += 1) {
      const next = this.#nextBlock ?? head - ANCHOR_LIMITS.postBlocksBack;
      const from = Math.max(0, next > head ? head - ANCHOR_LIMITS.postBlocksAgain : next);
      const to = Math.min(head, from + this.#blocks - 1);
      const posts = await readPosts(contract, from, to);
      if (posts.status !== 'agreed') {
        this.#blocks = Math.ceil(this.#blocks / 2);
        return describeComparison(posts);
      }
      this.#blocks = Math.min(ANCHOR_LIMITS.postBlocksMax, this.#blocks * 2);
      for (const post of posts.value) {
        const [key, anchor] = [hex(post.transaction), hex(anchorDigest(state().place, post.header))];
        if (this.#posts.get(key)?.anchor !== anchor) this.#posts.set(key, { post, anchor, holds: false });
      }
      this.#nextBlock = to === head ? Math.max(from, head - ANCHOR_LIMITS.postBlocksAgain) : to + 1;
      if (to === head) return undefined;
    }
    return '';
  }

  /** From the tip down by what each names as the one before. Of an anchor that was brought again all posts are there. */
  #open({ tip, lastFinal }: ContractView): { readonly open: readonly KnownPost[]; readonly missing: number | undefined } {
    const open: KnownPost[] = [];
    let anchor = hex(tip.anchor);
    for (let { epoch } = tip; epoch > lastFinal; epoch -= 1) {
      const posts = [...this.#posts.values()].filter((known) => known.anchor === anchor);
      const [first] = posts;
      if (!first) return { open, missing: epoch };
      open.push(...posts.slice(-ANCHOR_LIMITS.postsOfAnchorMax));
      anchor = hex(first.post.header.previous);
    }
    return { open, missing: undefined };
  }

  /** What is final, and the oldest of what does not stand there: a reorganisation may bring the newest of it back. */
  #forget({ lastFinal }: ContractView, open: readonly KnownPost[]): void {
    for (const [key, known] of this.#posts) {
      const isOld = this.#posts.size > ANCHOR_LIMITS.postsMax && !open.includes(known);
      if (known.post.header.epoch <= lastFinal || isOld) this.#posts.delete(key);
    }
  }

  #note(why: string): void {
    if (why === this.#lastWords) return;
    this.#lastWords = why;
    const { endpoint, state, log } = this.#setup;
    log(why === '' ? 'anchorVotesRead' : 'anchorVotesUnread', { chain: state().place.chainId, endpoint, ...(why !== '' && { why }) });
  }
}
