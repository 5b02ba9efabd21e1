/**
 * A sender on a chain that may be away when the device starts: how the chain says what is final is asked first, again and again until it is told;
 * from then on what was begun goes on. Specification §20.8.
 */
import { type Intention, type Standing } from './intention.ts';
import { lookMsFor } from './limits.ts';
import { probeFinality } from './probing.ts';
import { Sender, type SenderSetup } from './sender-host.ts';

export interface LateSenderSetup extends Omit<SenderSetup, 'finality' | 'lookMs'> {
  /** Of the network file. */
  readonly urls: readonly string[];
}

export class LateSender {
  readonly #setup: LateSenderSetup;
  readonly #lookMs: number;
  #sender: Sender | undefined;
  #opening: Promise<Sender | undefined> | undefined;
  #timer: NodeJS.Timeout | undefined;
  #closed = false;

  constructor(setup: LateSenderSetup) {
    this.#setup = setup;
    this.#lookMs = lookMsFor(setup.urls);
  }

  /** Tries until the chain answers. */
  start(): void {
    const again = (sender: Sender | undefined): void => {
      if (!sender && !this.#closed) this.#timer = setTimeout(() => this.start(), this.#lookMs);
    };
    void this.#open()
      .catch((error: unknown) => {
        this.#setup.log('layer1-failed', { why: error instanceof Error ? error.message : String(error) });
        return undefined;
      })
      .then(again);
  }

  /** Resolves when the intention is on the disk. @throws Error where it is not taken: the chain does not answer, or as `Sender.intend` */
  async intend(intention: Intention): Promise<void> {
    const sender = await this.#open();
    if (!sender) throw new Error(`chain ${this.#setup.endpoints.chainId} does not answer; ${intention.name} was not taken`);
    return sender.intend(intention);
  }

  standing(name: string): Standing | undefined {
    return this.#sender?.standing(name);
  }

  /** What was begun is finished first. */
  async close(): Promise<void> {
    this.#closed = true;
    clearTimeout(this.#timer);
    await this.#opening?.catch(() => undefined);
    await this.#sender?.close();
  }

  #open(): Promise<Sender | undefined> {
    this.#opening ??= this.#openNow().finally(() => (this.#opening = undefined));
    return this.#opening;
  }

  async #openNow(): Promise<Sender | undefined> {
    if (this.#sender) return this.#sender;
    const { urls: _, ...setup } = this.#setup;
    const finality = await probeFinality(setup.endpoints);
    if (finality === undefined || this.#closed) return undefined;
    this.#sender = new Sender({ ...setup, finality, lookMs: this.#lookMs });
    this.#sender.start();
    return this.#sender;
  }
}
