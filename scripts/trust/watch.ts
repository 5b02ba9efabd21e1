/** `trust watch`: what changes about the trust of members, as it becomes final. */
import type { HeadView } from '#protocol/chain/chain-view.ts';
import { hex } from '#protocol/digest.ts';
import { commandOf } from '../arguments.ts';
import { listenForInterrupts } from '../capsule/interrupt.ts';
import { printJson } from '../capsule/view.ts';
import { ClientFailure } from '../client/failure.ts';
import { fetchProvenMembers } from '../client/proven-members.ts';
import { harmless, openTerminal, type Terminal } from '../terminal.ts';
import { changesBetween, type Look, type TrustChange } from './changes.ts';
import { askAboutTrust, requireExplained, trustOptions, type TrustSession } from './session.ts';

/** An ordinary verdict moves it by less. */
const creditStep = 16;
const lookEveryMs = 1_000;

export const watch = commandOf(
  {
    name: 'watch',
    summary: 'Follows the trust of members: evidence, verdicts, appeals, and what becomes of who. Ctrl-C ends.',
    operands: [],
    options: trustOptions,
    notes: 'A line for each change that has become final; what each says is proven. Credit is told when it moves by 16 or more at once.',
  },
  ({ options }) =>
    askAboutTrust(options, async (session) => {
      await new Watch(session, options.json).untilInterrupted();
      return 0;
    }),
);

class Watch {
  readonly #session: TrustSession;
  readonly #json: boolean;
  readonly #terminal: Terminal = openTerminal(process.stdout, process.env);
  #look: Look | undefined;
  #next: HeadView | undefined;
  #checkpoint = 0;
  #isBusy = false;
  #trouble = '';

  constructor(session: TrustSession, json: boolean) {
    this.#session = session;
    this.#json = json;
  }

  async untilInterrupted(): Promise<void> {
    const interrupts = listenForInterrupts();
    const looking = setInterval(() => void this.#lookOnce(), lookEveryMs);
    try {
      await this.#session.client.watchHead((view) => (this.#next = view));
      await interrupts.next();
    } finally {
      clearInterval(looking);
      interrupts.stop();
      this.#terminal.settle();
    }
  }

  /** After a checkpoint; one look at a time. */
  async #lookOnce(): Promise<void> {
    const { number = 0 } = this.#next?.checkpoint ?? {};
    if (this.#isBusy || number <= this.#checkpoint) return;
    this.#isBusy = true;
    try {
      const { client, network } = this.#session;
      const members = await fetchProvenMembers(client, network);
      const named = members.map((member) => ({ ...member, explained: requireExplained(member, [], network) }));
      const look: Look = new Map(named.map((one) => [hex(one.record.node), one]));
      if (this.#look) for (const change of changesBetween(this.#look, look, creditStep)) this.#say(change, number);
      else this.#begin(look);
      [this.#look, this.#checkpoint, this.#trouble] = [look, number, ''];
    } catch (error) {
      this.#troubled(error);
    } finally {
      this.#isBusy = false;
    }
  }

  #begin(look: Look): void {
    const words = [...look.values()].map(({ record, explained }) => `${record.member.name} ${explained?.standing ?? record.standing}`);
    if (!this.#json) this.#terminal.line(this.#terminal.paint('quiet', `${words.join(', ')}. Changes follow; Ctrl-C ends.`));
  }

  #say({ change, name, node, words, style }: TrustChange, checkpoint: number): void {
    if (this.#json) return printJson({ change, name, node: hex(node), checkpoint, words });
    const line = `${String(checkpoint).padStart(6)}  ${name.padEnd(12)} ${harmless(words)}`;
    this.#terminal.line(style ? this.#terminal.paint(style, line) : line);
  }

  /** A device that is gone for a while is asked again; who lies is told once. */
  #troubled(error: unknown): void {
    if (!(error instanceof ClientFailure)) throw error;
    if (this.#trouble === error.message) return;
    this.#trouble = error.message;
    process.stderr.write(`trust: ${harmless(error.message)}\n`);
  }
}
