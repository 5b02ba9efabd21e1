/** What `npm run simulate -- twins` and `-- mutations` say: how far they are, and what they have found. */
import { durationText, type Terminal } from '../../../scripts/terminal.ts';
import { interruptedStatus } from '../shared-work.ts';
import type { BatchOutcome } from './batch.ts';

const failuresShown = 20;
/** Between two lines of progress where there is no live one. */
const lineMs = 10_000;

export class Report {
  readonly #terminal: Terminal;
  readonly #what: string;
  readonly #wanted: number;
  readonly #startedMs = performance.now();
  readonly #counts = new Map<string, number>();
  readonly #failures: string[] = [];
  #saidMs = performance.now();

  /** @param what is counted against `wanted` */
  constructor(terminal: Terminal, what: string, wanted: number) {
    this.#terminal = terminal;
    this.#what = what;
    this.#wanted = wanted;
  }

  /** @returns how much is done by now */
  take({ counts, failures }: BatchOutcome): number {
    for (const [name, count] of Object.entries(counts)) this.#counts.set(name, (this.#counts.get(name) ?? 0) + count);
    for (const failure of failures.slice(0, Math.max(0, failuresShown - this.#failures.length))) this.#line('bad', failure);
    this.#failures.push(...failures);
    this.#sayProgress();
    return this.#done;
  }

  /** @returns the exit status */
  close(end: 'done' | 'interrupted'): number {
    this.#terminal.settle();
    for (const [name, count] of this.#counts) this.#terminal.line(`  ${name}: ${count}`);
    this.#terminal.line(`  ${durationText(performance.now() - this.#startedMs)}, ${this.#rate.toFixed(0)} ${this.#what} a second`);
    if (end === 'interrupted') this.#line('warning', `  interrupted: ${this.#done} of ${this.#wanted} ${this.#what}`);
    if (this.#failures.length > 0) {
      this.#line('bad', `  ${this.#failures.length} broke a rule`);
      return 1;
    }
    this.#terminal.line('  no rule was broken');
    return end === 'interrupted' ? interruptedStatus : 0;
  }

  get #done(): number {
    return this.#counts.get(this.#what) ?? 0;
  }

  get #rate(): number {
    return (this.#done * 1_000) / Math.max(1, performance.now() - this.#startedMs);
  }

  #sayProgress(): void {
    const leftMs = (Math.max(0, this.#wanted - this.#done) * 1_000) / this.#rate;
    const words = `  ${this.#done} of ${this.#wanted} ${this.#what}, ${this.#rate.toFixed(0)} a second, ${durationText(leftMs)} left`;
    if (this.#terminal.live) return this.#terminal.show(words);
    if (performance.now() - this.#saidMs < lineMs) return;
    this.#saidMs = performance.now();
    this.#terminal.line(words);
  }

  #line(style: 'bad' | 'warning', words: string): void {
    this.#terminal.line(this.#terminal.paint(style, words));
  }
}
