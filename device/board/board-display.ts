/**
 * What the small display of a device says: how its box is, and above that, as long as there is one, a notice for people, such as a
 * code for pairing. It is there before any box is. Specification §16.2.
 */
import type { DisplayChip } from './definition.ts';
import type { Bus, Devices } from './devices.ts';
import { Display } from './display.ts';

export class BoardDisplay {
  readonly #chip: DisplayChip;
  readonly #openBus: () => Promise<Bus>;
  #opening: Promise<{ bus: Bus; display: Display }> | undefined;
  #lines: readonly string[] = [];
  #notice: readonly string[] = [];
  #isShown = true;

  /** @param bus its number; it is opened for the first that is to be shown */
  constructor(chip: DisplayChip, bus: number, devices: Pick<Devices, 'openBus'>) {
    this.#chip = chip;
    this.#openBus = async () => devices.openBus(bus);
  }

  /** Shown where there is no notice, now or later. Never rejects. */
  show(lines: readonly string[]): Promise<void> {
    this.#lines = lines;
    return this.#write();
  }

  /** Shown instead of everything else, broken at the end of a row; none takes the notice away. Never rejects. */
  showNotice(lines: readonly string[]): Promise<void> {
    this.#notice = lines.flatMap((line) => rowsOf(line, this.#chip.columns));
    return this.#write();
  }

  /** Once more what could not be shown: a display that was away may be there again. */
  async retry(): Promise<void> {
    if (!this.#isShown) await this.#write();
  }

  /** Without a notice: nobody is there to take it away afterwards. */
  async close(): Promise<void> {
    if (this.#notice.length > 0) await this.showNotice([]);
    (await this.#opening?.catch(() => undefined))?.bus.close();
  }

  async #write(): Promise<void> {
    this.#isShown = false;
    try {
      const { display } = await (this.#opening ??= this.#open());
      await display.show(this.#notice.length > 0 ? this.#notice : this.#lines);
      this.#isShown = true;
    } catch {
      // What it would have shown is in the log as well.
    }
  }

  async #open(): Promise<{ bus: Bus; display: Display }> {
    try {
      const bus = await this.#openBus();
      return { bus, display: new Display(this.#chip, bus) };
    } catch (error) {
      this.#opening = undefined;
      throw error;
    }
  }
}

function rowsOf(line: string, columns: number): string[] {
  return Array.from({ length: Math.ceil(line.length / columns) }, (_, row) => line.slice(row * columns, (row + 1) * columns));
}
