/** `chain watch`: a line for each block as it comes, a mark when it is final, a word when nothing becomes final. */
import type { BlockLine, HeadView } from '#protocol/chain/chain-view.ts';
import { hex } from '#protocol/digest.ts';
import { commandOf } from '../arguments.ts';
import { listenForInterrupts } from '../capsule/interrupt.ts';
import type { Client } from '../client/client.ts';
import { ClientFailure } from '../client/failure.ts';
import { openTerminal } from '../terminal.ts';
import { askDevice, chainOptions } from './session.ts';
import { isTold, missingBelow, newStory, tellHead, tellPeers, tellTime, type WatchNews, type WatchStory } from './watch-story.ts';
import { liveText, newsJson, newsText } from './watch-text.ts';

const tickMs = 1_000;
const lookMs = 5_000;

export const watch = commandOf(
  {
    name: 'watch',
    summary: 'Follows the chain: a line for each block, a mark when it is final, and who comes and goes. Ctrl-C ends.',
    operands: [],
    options: chainOptions,
    notes: 'not final: fewer than a quorum of the seats vote. Blocks go on meanwhile, and become final when enough members are back.',
  },
  ({ options }) =>
    askDevice(options, async ({ client }) => {
      await new Watch(client, options.json).untilInterrupted();
      return 0;
    }),
);

class Watch {
  readonly #client: Client;
  readonly #story: WatchStory = newStory();
  readonly #json: boolean;
  readonly #terminal = openTerminal(process.stdout, process.env);
  #next: HeadView | undefined;
  #isBusy = false;
  #around = '';

  constructor(client: Client, json: boolean) {
    this.#client = client;
    this.#json = json;
  }

  async untilInterrupted(): Promise<void> {
    const interrupts = listenForInterrupts();
    const ticking = setInterval(() => this.#say(tellTime(this.#story, Date.now())), tickMs);
    try {
      await this.#client.watchHead((view) => {
        this.#next = view;
        void this.#takeAll();
      });
      await interrupts.next();
    } finally {
      clearInterval(ticking);
      interrupts.stop();
      this.#terminal.settle();
    }
  }

  /** One after the other; of heads that come meanwhile the last one counts. */
  async #takeAll(): Promise<void> {
    if (this.#isBusy) return;
    this.#isBusy = true;
    for (let view = this.#take(); view; view = this.#take()) {
      const path = await this.#pathTo(view.head);
      this.#say(tellHead(this.#story, view, path, Date.now()));
      await this.#lookAround(view);
    }
    this.#isBusy = false;
  }

  #take(): HeadView | undefined {
    const view = this.#next;
    this.#next = undefined;
    return view;
  }

  /** Blocks between what was told and the head; what the device does not have, or nobody answers, stays out. */
  async #pathTo(head: BlockLine): Promise<BlockLine[]> {
    if (isTold(this.#story, head)) return [];
    const path = [head];
    for (let missing = missingBelow(this.#story, path); missing; missing = missingBelow(this.#story, path)) {
      const question = { show: 'block', block: { by: 'id', prefix: hex(missing) } } as const;
      const below = await this.#client.chain(question).catch(passOver);
      if (!below) break;
      path.unshift(below.block);
    }
    return path;
  }

  /** Members are asked for when their numbers have changed, and from time to time: who falls silent may change none of them. */
  async #lookAround({ members, seats, reached, condition, atMs }: HeadView): Promise<void> {
    const around = `${members} ${seats} ${reached} ${condition} ${Math.floor(atMs / lookMs)}`;
    if (around === this.#around) return;
    const view = await this.#client.chain({ show: 'peers' }).catch(passOver);
    if (!view) return;
    this.#around = around;
    this.#say(tellPeers(this.#story, view.peers));
  }

  #say(all: readonly WatchNews[]): void {
    const nowMs = Date.now();
    for (const news of all) this.#terminal.line(this.#json ? newsJson(news) : newsText(news, nowMs, this.#terminal));
    if (!this.#json) this.#terminal.show(liveText(this.#story, nowMs));
  }
}

/** What could not be had is asked for again with the next head. */
function passOver(error: unknown): undefined {
  if (!(error instanceof ClientFailure)) throw error;
  return undefined;
}
