/** One command at a time to a BMC: orders before everything that waits, the rest as it came. Specification §16.5. */

export class Turns {
  readonly #orders: (() => Promise<void>)[] = [];
  readonly #others: (() => Promise<void>)[] = [];
  #isBusy = false;

  /** @returns what `work` returns, and rejects as it does */
  take<T>(rank: 'order' | 'other', work: () => Promise<T>): Promise<T> {
    const { promise, resolve, reject } = Promise.withResolvers<T>();
    (rank === 'order' ? this.#orders : this.#others).push(() => work().then(resolve, reject));
    if (!this.#isBusy) void this.#work();
    return promise;
  }

  async #work(): Promise<void> {
    this.#isBusy = true;
    for (let next = this.#next(); next; next = this.#next()) await next();
    this.#isBusy = false;
  }

  #next(): (() => Promise<void>) | undefined {
    return this.#orders.shift() ?? this.#others.shift();
  }
}
