/** The power LED of the box as the device sees it. Specification §16.2. */
import type { BoardIo } from './board-io.ts';
import { afterLedEdge, firstSeen, powerOf, type LedState } from './led-state.ts';
import type { PowerState } from './ports.ts';

const NS_PER_MS = 1_000_000n;

export class PowerLed {
  readonly #io: BoardIo;
  readonly #pin: number;
  readonly #changed: (state: PowerState) => void;
  #led: LedState | undefined;
  #said: PowerState = 'unknown';
  #review: NodeJS.Timeout | undefined;

  /** @param changed is told at once, the first time too */
  constructor(io: BoardIo, pin: number, changed: (state: PowerState) => void) {
    this.#io = io;
    this.#pin = pin;
    this.#changed = changed;
    io.watch(pin, {
      edge: (edge) => {
        this.#led = this.#led ? afterLedEdge(this.#led, edge) : firstSeen(edge.level, edge.atNs);
        this.look();
      },
      failed: () => this.look(),
    });
    this.look();
  }

  get state(): PowerState {
    return this.look();
  }

  /** Takes the time into account: a blink that stays away is an end of the blinking. */
  look(): PowerState {
    const now = process.hrtime.bigint();
    const { power, reviewNs } = this.#sensed(now);
    clearTimeout(this.#review);
    this.#review = undefined;
    if (reviewNs !== undefined) this.#review = setTimeout(() => this.look(), Number((reviewNs - now) / NS_PER_MS) + 1).unref();
    if (power !== this.#said) {
      this.#said = power;
      this.#changed(power);
    }
    return power;
  }

  close(): void {
    clearTimeout(this.#review);
  }

  #sensed(now: bigint): ReturnType<typeof powerOf> | { readonly power: 'unknown'; readonly reviewNs?: undefined } {
    try {
      const level = this.#io.levelOf(this.#pin);
      this.#led ??= firstSeen(level, now);
      return powerOf({ ...this.#led, level }, now);
    } catch {
      this.#led = undefined;
      return { power: 'unknown' };
    }
  }
}
