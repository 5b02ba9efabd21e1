/** The small display of the device, on its I2C bus. Specification §16.2. */
import { setTimeout as rest } from 'node:timers/promises';
import type { DisplayChip } from './definition.ts';
import type { Bus } from './devices.ts';
import { displayStart, displayText, type DisplayStep } from './display-bytes.ts';

const NO_REGISTER = -1;

export class Display {
  readonly #chip: DisplayChip;
  readonly #bus: Bus;
  /** What is to be shown next; only the latest counts. */
  #wanted: readonly string[] | undefined;
  #showing: Promise<void> | undefined;
  #isStarted = false;

  constructor(chip: DisplayChip, bus: Bus) {
    this.#chip = chip;
    this.#bus = bus;
  }

  /** Resolves when the latest lines are shown. Rejects where the display does not answer; it is started anew the next time. */
  async show(lines: readonly string[]): Promise<void> {
    this.#wanted = lines;
    this.#showing ??= this.#showWanted().finally(() => (this.#showing = undefined));
    return this.#showing;
  }

  async #showWanted(): Promise<void> {
    while (this.#wanted) {
      const lines = this.#wanted;
      this.#wanted = undefined;
      try {
        if (!this.#isStarted) await this.#send(displayStart());
        this.#isStarted = true;
        await this.#send(displayText(this.#chip, lines));
      } catch (error) {
        this.#isStarted = false;
        throw error;
      }
    }
  }

  async #send(steps: readonly DisplayStep[]): Promise<void> {
    for (const { bytes, restMs } of steps) {
      for (const one of bytes) await this.#bus.write(this.#chip.address, NO_REGISTER, Uint8Array.of(one));
      if (restMs > 0) await rest(restMs);
    }
  }
}
