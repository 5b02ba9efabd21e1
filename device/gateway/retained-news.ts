/**
 * What the broker retains of capsules, said again when it has lost it: after a start of the device, and of the broker, which
 * a member that comes or goes restarts. Specification §5.4.
 *
 * A few at a time, the newest first, so that they stand behind neither answers nor duties.
 */
import { DEVICE_LIMITS } from '../limits.ts';
import type { StoredCapsule } from '../store/store.ts';

export interface RetainedParts {
  /** Capsules whose news would still be retained, newest first. */
  readonly remembered: () => readonly string[];
  /** As it stands in the store now; undefined where it was forgotten. */
  readonly capsule: (id: string) => StoredCapsule | undefined;
  readonly say: (capsule: StoredCapsule) => void;
}

export class RetainedNews {
  readonly #parts: RetainedParts;
  #waiting: string[] = [];
  #timer: NodeJS.Timeout | undefined;

  constructor(parts: RetainedParts) {
    this.#parts = parts;
  }

  /** The broker has lost what it retained: everything is said again, from the beginning where that was under way. */
  begin(): void {
    this.end();
    this.#waiting = [...this.#parts.remembered()];
    this.#timer = setInterval(() => this.#sayNext(), DEVICE_LIMITS.retainedAgainMs);
    this.#sayNext();
  }

  /** Nobody hears: the store is not read any more. */
  end(): void {
    clearInterval(this.#timer);
    this.#waiting = [];
  }

  #sayNext(): void {
    const now = this.#waiting.splice(0, DEVICE_LIMITS.retainedAgainCapsules);
    for (const id of now) {
      const capsule = this.#parts.capsule(id);
      if (capsule) this.#parts.say(capsule);
    }
    if (this.#waiting.length === 0) clearInterval(this.#timer);
  }
}
