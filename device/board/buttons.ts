/** Presses the buttons of the box: performs what the machine of presses decides. Specification §16.2. */
import { performance } from 'node:perf_hooks';
import type { PressLengths } from './definition.ts';
import type { Pin } from './johnny-five.ts';
import type { PowerOutcome, PowerState } from './ports.ts';
import { buttonOf, nextPressMs, refusedWhileHeld, RELEASED, stepPress } from './press.ts';
import type { Button, PressEffect, PressEvent, PressVerb, Refusal } from './press.ts';
import { guardRelease } from './release-guard.ts';

export interface ButtonParts {
  readonly pins: Readonly<Partial<Record<Button, Pin>>>;
  readonly lengths: PressLengths;
  /** As the LED says at this moment. */
  readonly power: () => PowerState;
}

interface Held {
  readonly endGuard: () => void;
  readonly settle: (outcome: PowerOutcome) => void;
}

/** Who asked for a press. */
interface Asker {
  readonly settle: (outcome: PowerOutcome) => void;
  readonly begun: (() => void) | undefined;
}

export class Buttons {
  readonly #parts: ButtonParts;
  readonly #held = new Map<Button, Held>();
  #state = RELEASED;
  #timer: NodeJS.Timeout | undefined;
  #isClosed = false;

  constructor(parts: ButtonParts) {
    this.#parts = parts;
  }

  /** Resolves when the button has been let go. @param begun told when it is pressed */
  async press(verb: PressVerb, begun?: () => void): Promise<PowerOutcome> {
    const button = buttonOf(verb);
    if (this.#isClosed) return { status: 'failed', reason: 'closed', detail: 'the board has been closed' };
    if (!this.#parts.pins[button]) return notWired(button);
    return new Promise((resolve) =>
      this.#step({ kind: 'asked', verb, power: this.#parts.power(), atMs: performance.now() }, { settle: resolve, begun }),
    );
  }

  /** Why the mains can't be switched now. */
  refusalOfMains(): Refusal | undefined {
    return refusedWhileHeld(this.#state);
  }

  /** Lets go of whatever is pressed; who waits for it hears that it was cut short. */
  close(): void {
    this.#isClosed = true;
    for (const button of [...this.#held.keys()]) {
      this.#settle(button, { status: 'failed', reason: 'closed', detail: 'the board was closed during the press' });
      this.#step({ kind: 'let-go', button, atMs: performance.now() });
    }
    clearTimeout(this.#timer);
  }

  #step(event: PressEvent, asker?: Asker): void {
    const { state, effects } = stepPress(this.#state, event, this.#parts.lengths);
    this.#state = state;
    for (const effect of effects) this.#perform(effect, asker);
    this.#wake();
  }

  #perform(effect: PressEffect, asker?: Asker): void {
    switch (effect.kind) {
      case 'refuse':
        asker?.settle({ status: 'refused', reason: effect.reason, detail: effect.detail });
        return;
      case 'press':
        asker?.begun?.();
        this.#hold(effect.button, asker?.settle ?? (() => undefined));
        return;
      case 'release': {
        const failure = this.#drive(effect.button, 'low');
        this.#settle(effect.button, failure ?? { status: 'done' });
        return;
      }
    }
  }

  #hold(button: Button, settle: (outcome: PowerOutcome) => void): void {
    const endGuard = guardRelease(() => void this.#drive(button, 'low'));
    this.#held.set(button, { endGuard, settle });
    const failure = this.#drive(button, 'high');
    if (!failure) return;
    this.#settle(button, failure);
    this.#step({ kind: 'let-go', button, atMs: performance.now() });
  }

  #drive(button: Button, way: 'high' | 'low'): PowerOutcome | undefined {
    try {
      this.#parts.pins[button]?.[way]();
      return undefined;
    } catch (error) {
      return { status: 'failed', reason: 'hardware', detail: error instanceof Error ? error.message : String(error) };
    }
  }

  #settle(button: Button, outcome: PowerOutcome): void {
    const held = this.#held.get(button);
    this.#held.delete(button);
    held?.endGuard();
    held?.settle(outcome);
  }

  /** A timer that holds the process while a button is held. */
  #wake(): void {
    clearTimeout(this.#timer);
    const next = nextPressMs(this.#state);
    if (next === undefined || this.#isClosed) return;
    const wait = Math.max(0, Math.ceil(next - performance.now()));
    this.#timer = setTimeout(() => this.#step({ kind: 'tick', atMs: performance.now() }), wait);
    if (this.#held.size === 0) this.#timer.unref();
  }
}

function notWired(button: Button): PowerOutcome {
  return { status: 'refused', reason: 'not-wired', detail: `board.yaml has no lines.${button}Button` };
}
