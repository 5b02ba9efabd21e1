/** What the device shows to whoever stands before it: status LED and buzzer. Specification §16.2. */
import type { Components, Led } from './johnny-five.ts';
import type { Sign } from './ports.ts';

const SLOW_BLINK_MS = 500;
const FAST_BLINK_MS = 100;
const BEEP_MS = 200;
/** Whoever did not come after so many beeps will not come because of more. */
const BEEPS = 5;

export class Signs {
  readonly #led: Led | undefined;
  readonly #buzzer: Led | undefined;
  #beeps: NodeJS.Timeout | undefined;

  /** Pins of the two, where there are any. An active buzzer is switched like an LED. */
  constructor(components: Components, pins: { readonly statusLed: number | undefined; readonly buzzer: number | undefined }) {
    this.#led = pins.statusLed === undefined ? undefined : components.led(pins.statusLed);
    this.#buzzer = pins.buzzer === undefined ? undefined : components.led(pins.buzzer);
  }

  show(sign: Sign): void {
    this.#silence();
    this.#led?.stop().off();
    switch (sign) {
      case 'none':
        return;
      case 'ready':
        this.#led?.on();
        return;
      case 'working':
        this.#led?.blink(SLOW_BLINK_MS);
        return;
      case 'attention':
        this.#led?.blink(FAST_BLINK_MS);
        this.#buzzer?.blink(BEEP_MS);
        this.#beeps = setTimeout(() => this.#silence(), 2 * BEEPS * BEEP_MS).unref();
    }
  }

  close(): void {
    this.show('none');
  }

  #silence(): void {
    clearTimeout(this.#beeps);
    this.#buzzer?.stop().off();
  }
}
