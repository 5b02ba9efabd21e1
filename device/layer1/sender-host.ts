/**
 * The host of a sender: looks at the chain, stores, signs and says what the machine decides, one event after the other. A chain that is down or
 * dear makes it wait, and whoever asked goes on. Specification §20.8.
 */
import { signTransaction } from '#contracts/evm.ts';
import { encodeStrict } from '#protocol/codec.ts';
import { lookAt, tryCall, type Finality } from './chain-view.ts';
import { describeComparison } from './comparison.ts';
import { type Endpoints, valueOf } from './endpoints.ts';
import { Intention, isEnded, isSigned, type Standing } from './intention.ts';
import { IntentionStore } from './intention-store.ts';
import { LAYER1_LIMITS } from './limits.ts';
import { bytesIn } from './answers.ts';
import type { PayingKey } from './paying-key.ts';
import { startSender, stepSender, type SenderEffect, type SenderEvent, type SenderState, type SenderTerms } from './sender.ts';
import type { Clock, Log } from '../ports.ts';

export interface SenderSetup {
  readonly endpoints: Endpoints;
  readonly finality: Finality;
  /** The database of this key's intentions on this chain. */
  readonly file: string;
  readonly key: PayingKey;
  readonly terms: SenderTerms;
  /** What a contract said, in words. */
  readonly wordsOfError: (data: Uint8Array) => string;
  readonly now: Clock;
  readonly log: Log;
  readonly onStanding?: (name: string, standing: Standing) => void;
  readonly lookMs?: number;
}

export class Sender {
  readonly #setup: SenderSetup;
  readonly #store: IntentionStore;
  #state: SenderState;
  /** A turn has failed in between: what is on the disk counts, not what the machine remembers. */
  #unsure = false;
  #work: Promise<unknown> = Promise.resolve();
  #timer: NodeJS.Timeout | undefined;
  /** How the next look is waited for; absent where nobody has started this. */
  #pace: 'soon' | 'idle' | undefined;
  #closed = false;
  #lastWords = '';

  /** @throws Error where the stored intentions can't be read */
  constructor(setup: SenderSetup) {
    this.#setup = setup;
    this.#store = new IntentionStore(setup.file);
    this.#state = startSender(setup.terms, this.#store.load());
  }

  /** Looks at the chain from now on. What fails on this machine, such as its disk, is logged and tried again. */
  start(): void {
    const { lookMs = LAYER1_LIMITS.lookMs, log } = this.#setup;
    const again = (): void => {
      if (!this.#closed) this.start();
    };
    const failed = (error: unknown): void => log('layer1-failed', { why: error instanceof Error ? error.message : String(error) });
    clearTimeout(this.#timer);
    this.#pace = [...this.#state.sendings.values()].every(isEnded) ? 'idle' : 'soon';
    const waitMs = this.#pace === 'idle' ? LAYER1_LIMITS.idleLookMs : lookMs;
    this.#timer = setTimeout(() => void this.look().catch(failed).then(again), waitMs);
  }

  /**
   * Resolves when the intention is on the disk.
   * @throws Error where too many are open, it is out of its bounds, another one has its name, or the sender is closed
   */
  async intend(intention: Intention): Promise<void> {
    const isTaken = await this.#inTurn(() => {
      encodeStrict(Intention, intention);
      return this.#handle({ type: 'intended', intention, nowMs: this.#setup.now() });
    });
    if (!isTaken) throw new Error(`the sender is closed; ${intention.name} was not taken`);
    if (this.#pace === 'idle' && !this.#closed) this.start();
  }

  standing(name: string): Standing | undefined {
    return this.#state.sendings.get(name)?.standing;
  }

  /** One look at the chain, and what follows from it. */
  async look(): Promise<void> {
    await this.#inTurn(async () => {
      const { endpoints, finality, key, wordsOfError } = this.#setup;
      const signed = [...this.#state.sendings.values()].filter(isSigned);
      const transactions = signed.flatMap(({ attempts, intention }) => attempts.map(({ hash }) => ({ hash, call: intention })));
      const look = await lookAt(endpoints, { address: key.address, finality, transactions }, wordsOfError);
      this.#noteWords(look.status === 'seen' ? '' : look.words);
      const nowMs = this.#setup.now();
      await this.#handle(look.status === 'seen' ? { type: 'seen', view: look.view, nowMs } : { type: 'not-seen', why: look.why, nowMs });
    });
  }

  /** What was begun is finished first. */
  async close(): Promise<void> {
    if (this.#closed) return;
    this.#closed = true;
    clearTimeout(this.#timer);
    await this.#work;
    this.#store.close();
  }

  /** @returns whether it was done: a closed sender does nothing more */
  #inTurn(work: () => Promise<void>): Promise<boolean> {
    const done = this.#work.then(async () => {
      if (this.#closed) return false;
      if (this.#unsure) this.#state = startSender(this.#setup.terms, this.#store.load());
      this.#unsure = true;
      await work();
      this.#unsure = false;
      return true;
    });
    this.#work = done.catch(() => undefined);
    return done;
  }

  async #handle(event: SenderEvent): Promise<void> {
    for (const effect of stepSender(this.#state, event)) await this.#perform(effect);
  }

  async #perform(effect: SenderEffect): Promise<void> {
    const { endpoints, key, now, wordsOfError } = this.#setup;
    switch (effect.effect) {
      case 'store':
        return this.#store.store(effect.sending);
      case 'forget':
        return this.#store.forget(effect.name);
      case 'try':
        return this.#handle({
          type: 'tried',
          name: effect.name,
          outcome: await tryCall(endpoints, key.address, effect.intention, wordsOfError),
          nowMs: now(),
        });
      case 'sign':
        return this.#sign(effect);
      case 'say':
        return this.#say(effect.raw);
      case 'report':
        return this.#report(effect.name, effect.standing);
    }
  }

  #sign({ name, intention, signing }: Extract<SenderEffect, { effect: 'sign' }>): Promise<void> {
    const { endpoints, key, now } = this.#setup;
    const { to, data, value } = intention;
    const signed = signTransaction(key.secret, { chainId: endpoints.chainId, to, data, value: BigInt(value), ...signing });
    return this.#handle({ type: 'signed', name, signing, signed, nowMs: now() });
  }

  /** To all endpoints; that one has it already, or lost the way, the next look shows. */
  async #say(raw: Uint8Array): Promise<void> {
    const params = [`0x${raw.toHex()}`];
    const read = valueOf(bytesIn);
    const { endpoints, log } = this.#setup;
    const said = await endpoints.ask({ method: 'eth_sendRawTransaction', params, read, words: (hash) => hash.toHex() });
    if (said.status !== 'agreed') log('layer1-not-said', { chain: endpoints.chainId, why: describeComparison(said) });
  }

  #report(name: string, standing: Standing): void {
    const { log, onStanding, endpoints } = this.#setup;
    const detail = 'detail' in standing ? { detail: standing.detail } : {};
    const why = 'why' in standing ? { why: standing.why } : 'held' in standing ? { why: standing.held } : {};
    log('layer1-intention', { chain: endpoints.chainId, name, state: standing.state, ...why, ...detail });
    onStanding?.(name, standing);
  }

  #noteWords(words: string): void {
    if (words === this.#lastWords) return;
    this.#lastWords = words;
    this.#setup.log(words === '' ? 'layer1-seen' : 'layer1-not-seen', {
      chain: this.#setup.endpoints.chainId,
      ...(words !== '' && { why: words }),
    });
  }
}
