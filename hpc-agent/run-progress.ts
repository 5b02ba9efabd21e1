/** One run's progress on its way to the device: at most a message in a while, and the last value always. Specification §6.4. */
import type { Progress } from './executor.ts';
import { progressIntervalMs } from './limits.ts';
import { plainNote, type BoxVoice } from './voice.ts';

export class RunProgressTeller {
  readonly #run: string;
  readonly #voice: BoxVoice;
  #latest: Progress | undefined;
  #pause: NodeJS.Timeout | undefined;

  constructor(run: string, voice: BoxVoice) {
    this.#run = run;
    this.#voice = voice;
  }

  made(progress: Progress): void {
    this.#latest = progress;
    if (this.#pause === undefined) this.#tell();
  }

  /** Says the last value now, if it has not been said. */
  finish(): void {
    clearTimeout(this.#pause);
    this.#pause = undefined;
    this.#tell();
    clearTimeout(this.#pause);
  }

  #tell(): void {
    if (this.#latest === undefined) return;
    const { progress, note } = this.#latest;
    this.#latest = undefined;
    const permille = Math.min(1_000, Math.max(0, Math.round(progress * 1_000)));
    void this.#voice.progress({ run: this.#run, permille, ...(note === undefined ? {} : { note: plainNote(note) }) });
    this.#pause = setTimeout(() => {
      this.#pause = undefined;
      this.#tell();
    }, progressIntervalMs);
  }
}
