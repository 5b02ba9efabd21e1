/** Has the broker cut off the boxes that are fenced, and tells it again until it has. Specification §17.2. */
import type { Log } from '../ports.ts';

export class CutOff {
  readonly #tell: (boxes: readonly string[]) => Promise<void>;
  readonly #log: Log;
  #wanted: readonly string[] = [];
  /** What the broker has taken; it begins with nobody. */
  #taken: readonly string[] = this.#wanted;
  #problem: string | undefined;
  #telling: Promise<string | undefined> | undefined;

  constructor(tell: (boxes: readonly string[]) => Promise<void>, log: Log) {
    this.#tell = tell;
    this.#log = log;
  }

  want(boxes: readonly string[]): void {
    const sorted = boxes.toSorted();
    if (sorted.join(' ') === this.#wanted.join(' ')) return;
    this.#wanted = sorted;
    void this.#begin();
  }

  /** Tells what was not taken, which a host does each second. @returns why the broker has not taken it; undefined once it has */
  settle(): Promise<string | undefined> {
    if (this.#taken === this.#wanted) return Promise.resolve(undefined);
    return this.#telling ?? this.#begin();
  }

  #begin(): Promise<string | undefined> {
    const telling = this.#tellWanted().finally(() => {
      if (this.#telling === telling) this.#telling = undefined;
    });
    this.#telling = telling;
    return telling;
  }

  /** What is told takes its turn at the broker, so the latest is done last. */
  async #tellWanted(): Promise<string | undefined> {
    const wanted = this.#wanted;
    try {
      await this.#tell(wanted);
    } catch (error) {
      return this.#failed(error instanceof Error ? error.message : 'unknown');
    }
    this.#taken = wanted;
    this.#problem = undefined;
    return undefined;
  }

  /** One line for a reason, not one for a try. */
  #failed(problem: string): string {
    if (problem !== this.#problem) this.#log('boxRightsKept', { error: problem });
    this.#problem = problem;
    return problem;
  }
}
