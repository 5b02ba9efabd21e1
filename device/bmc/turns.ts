/** One command at a time to a BMC: orders before everything that waits, and in place of a reading under way; the rest as it came. Specification §16.5. */

/** An order has taken the turn of a reading. */
export class Overtaken extends Error {}

export class Turns {
  readonly #orders: (() => Promise<void>)[] = [];
  readonly #others: (() => Promise<void>)[] = [];
  #isBusy = false;
  /** Of what is under way and is no order. */
  #underWay: AbortController | undefined;

  /** @param work may end early, by the reason of `overtaken`. @returns what it returns, and rejects as it does */
  take<T>(rank: 'order' | 'other', work: (overtaken: AbortSignal) => Promise<T>): Promise<T> {
    const { promise, resolve, reject } = Promise.withResolvers<T>();
    const turn = new AbortController();
    (rank === 'order' ? this.#orders : this.#others).push(() => {
      this.#underWay = rank === 'order' ? undefined : turn;
      return work(turn.signal).then(resolve, reject);
    });
    if (rank === 'order') this.#underWay?.abort(new Overtaken('an order wants the BMC'));
    if (!this.#isBusy) void this.#work();
    return promise;
  }

  async #work(): Promise<void> {
    this.#isBusy = true;
    for (let next = this.#next(); next; next = this.#next()) await next();
    this.#underWay = undefined;
    this.#isBusy = false;
  }

  #next(): (() => Promise<void>) | undefined {
    return this.#orders.shift() ?? this.#others.shift();
  }
}
