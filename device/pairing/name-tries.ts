/**
 * Attempts at names, each counted for as long as a window would last, whether or not one is open: so a name without a window gives
 * out when one with a window does. Pure but for what it remembers. Specification §5.6.
 */
import { MQTT_LIMITS } from '../limits.ts';

export class NameTries {
  readonly #windowMs: number;
  /** By kind and name, the oldest first. */
  readonly #tries = new Map<string, { readonly count: number; readonly untilMs: number }>();

  constructor(windowMs: number) {
    this.#windowMs = windowMs;
  }

  at(whom: string, atMs: number): number {
    const tried = this.#tries.get(whom);
    return tried && tried.untilMs > atMs ? tried.count : 0;
  }

  /** @returns its number */
  count(whom: string, atMs: number): number {
    const before = this.at(whom, atMs);
    const untilMs = before === 0 ? atMs + this.#windowMs : (this.#tries.get(whom)?.untilMs ?? atMs);
    this.#tries.delete(whom);
    this.#tries.set(whom, { count: before + 1, untilMs });
    const [oldest] = this.#tries.keys();
    if (this.#tries.size > MQTT_LIMITS.pairingNamesTriedMax && oldest !== undefined) this.#tries.delete(oldest);
    return before + 1;
  }

  /** A window was opened, and nobody shall see for which name. */
  forget(): void {
    this.#tries.clear();
  }
}
