/** News of one capsule on its way to a reader: a queue with a limit, read as an async iterable. */
import type { EnergyNews, LogNews, ProgressNews, ResultNews, StateNews } from '#protocol/client-messages.ts';
import { CLIENT_LIMITS } from './limits.ts';

export type News =
  | ({ readonly news: 'state' } & StateNews)
  | ({ readonly news: 'progress' } & ProgressNews)
  | ({ readonly news: 'log' } & LogNews)
  | ({ readonly news: 'energy' } & EnergyNews)
  | ({ readonly news: 'result' } & ResultNews)
  /** The reader was slower than the news: so many messages of log, progress and energy are gone. The blobs of the result hold the whole log. */
  | { readonly news: 'missed'; readonly count: number };

/** Ends after the result; a failure ends it by throwing. One reader. */
export class NewsQueue implements AsyncIterableIterator<News> {
  readonly #waiting: News[] = [];
  readonly #onStop: () => void;
  #missed = 0;
  #wake: (() => void) | undefined;
  #end: { readonly failure?: Error } | undefined;

  constructor(onStop: () => void) {
    this.#onStop = onStop;
  }

  push(news: News): void {
    if (this.#end) return;
    if (this.#waiting.length >= CLIENT_LIMITS.newsMax) this.#dropOne();
    this.#waiting.push(news);
    this.#wake?.();
  }

  /** What was pushed before is still read. */
  end(failure?: Error): void {
    this.#end ??= failure ? { failure } : {};
    this.#wake?.();
  }

  async next(): Promise<IteratorResult<News, undefined>> {
    while (this.#waiting.length === 0 && !this.#end) await new Promise<void>((resolve) => (this.#wake = resolve));
    if (this.#missed > 0) return { done: false, value: this.#takeMissed() };
    const value = this.#waiting.shift();
    if (value) return { done: false, value };
    this.#onStop();
    if (this.#end?.failure) throw this.#end.failure;
    return { done: true, value: undefined };
  }

  async return(): Promise<IteratorResult<News, undefined>> {
    this.end();
    this.#waiting.length = 0;
    this.#onStop();
    return { done: true, value: undefined };
  }

  [Symbol.asyncIterator](): this {
    return this;
  }

  /** The oldest log, progress or energy message; where there is none, the oldest of all. */
  #dropOne(): void {
    const index = this.#waiting.findIndex(({ news }) => news === 'log' || news === 'progress' || news === 'energy');
    this.#waiting.splice(Math.max(0, index), 1);
    this.#missed += 1;
  }

  #takeMissed(): News {
    const count = this.#missed;
    this.#missed = 0;
    return { news: 'missed', count };
  }
}
