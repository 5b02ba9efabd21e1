/** Lines of the log about what somebody said in vain: so many in a minute, and no more. Specification §6.7, §14.3. Pure. */

const MINUTE_MS = 60_000;

export class LineLimit {
  readonly #perMinute: number;
  #minute = 0;
  #lines = new Map<string, number>();

  constructor(perMinute: number) {
    this.#perMinute = perMinute;
  }

  /** Whether there is a line left for whoever it is about. */
  takes(about: string, atMs: number): boolean {
    const minute = Math.floor(atMs / MINUTE_MS);
    if (minute !== this.#minute) this.#lines = new Map();
    this.#minute = minute;
    const count = (this.#lines.get(about) ?? 0) + 1;
    this.#lines.set(about, count);
    return count <= this.#perMinute;
  }
}
