/**
 * The door through which boxes are heard: each may say so much in a while, and whoever goes on beyond it is not taken from by the
 * broker for a time. Specification §6.7. All boxes share the broker's queue for this device, so one of them could fill it for all.
 */
import type { BoxUp } from '#protocol/topics.ts';
import { fullAllowance, spend, type Allowance } from '../allowance.ts';
import { BOX_LIMITS } from './limits.ts';
import type { Log, Publisher } from '../ports.ts';

export interface BoxDoorParts {
  /** The broker shall take nothing from these boxes, and from all others what they may say. */
  readonly silence: (boxes: readonly string[]) => Promise<void>;
  /** Of a clock that only goes forward, ms. */
  readonly nowMs: () => number;
  readonly log: Log;
}

type PaceName = keyof typeof BOX_LIMITS.paces;

interface Visitor {
  readonly allowances: Partial<Record<PaceName, Allowance>>;
  /** Pieces that this device asked it for and that have not come. */
  asked: number;
  /** How often it was left alone, and when last. */
  times: number;
  lastMs: number;
  pause: NodeJS.Timeout | undefined;
}

const PACE_OF: Readonly<Record<BoxUp, PaceName>> = {
  ...{ hello: 'hello', need: 'transfer', log: 'transfer' },
  ...{ evidence: 'words', state: 'words', progress: 'words', report: 'words', chunk: 'words' },
};

export class BoxDoor {
  readonly #parts: BoxDoorParts;
  readonly #visitors = new Map<string, Visitor>();
  #again: NodeJS.Timeout | undefined;
  #isClosed = false;

  constructor(parts: BoxDoorParts) {
    this.#parts = parts;
  }

  /** Whether a message of a box is to be read. What it is asked for costs it nothing. */
  admits(box: string, kind: BoxUp, bytes: number): boolean {
    const visitor = this.#visitorOf(box);
    // What was on its way when the broker was told.
    if (visitor.pause) return false;
    if (kind === 'chunk' && visitor.asked > 0) {
      visitor.asked -= 1;
      return true;
    }
    const pace = PACE_OF[kind];
    const atMs = this.#parts.nowMs();
    const spending = spend(visitor.allowances[pace] ?? fullAllowance(BOX_LIMITS.paces[pace], atMs), BOX_LIMITS.paces[pace], bytes, atMs);
    visitor.allowances[pace] = spending.allowance;
    if (spending.allowance.dropped >= BOX_LIMITS.droppedMax) this.#leaveAlone(box, visitor, kind);
    return spending.status === 'accepted';
  }

  /** The publisher with its asks for pieces counted. */
  counting(publisher: Publisher): Publisher {
    return {
      ...publisher,
      publish: (topic, payload, options) => {
        if (topic.to === 'box' && topic.kind === 'need') {
          const visitor = this.#visitorOf(topic.box);
          visitor.asked = Math.min(visitor.asked + 1, BOX_LIMITS.askedMax);
        }
        publisher.publish(topic, payload, options);
      },
    };
  }

  close(): void {
    this.#isClosed = true;
    clearTimeout(this.#again);
    for (const { pause } of this.#visitors.values()) clearTimeout(pause);
  }

  #visitorOf(box: string): Visitor {
    const known = this.#visitors.get(box);
    if (known) return known;
    const visitor: Visitor = { allowances: {}, asked: 0, times: 0, lastMs: 0, pause: undefined };
    this.#visitors.set(box, visitor);
    return visitor;
  }

  #leaveAlone(box: string, visitor: Visitor, kind: BoxUp): void {
    const atMs = this.#parts.nowMs();
    visitor.times = atMs - visitor.lastMs > BOX_LIMITS.forgivenMs ? 1 : visitor.times + 1;
    visitor.lastMs = atMs;
    const forMs = Math.min(BOX_LIMITS.pauseMs * 2 ** Math.min(visitor.times - 1, 16), BOX_LIMITS.pauseMaxMs);
    this.#parts.log('boxLeftAlone', { box, kind, forMs });
    visitor.pause = setTimeout(() => {
      this.#visitors.set(box, { ...visitor, allowances: {}, asked: 0, pause: undefined });
      this.#tellBroker();
    }, forMs);
    this.#tellBroker();
  }

  /** Again until the broker has taken it. */
  #tellBroker(): void {
    clearTimeout(this.#again);
    const silenced = [...this.#visitors].filter(([, { pause }]) => pause !== undefined).map(([box]) => box);
    this.#parts.silence(silenced.sort()).catch((error: unknown) => {
      if (this.#isClosed) return;
      this.#parts.log('boxRightsKept', { error: error instanceof Error ? error.message : 'unknown' });
      clearTimeout(this.#again);
      this.#again = setTimeout(() => this.#tellBroker(), BOX_LIMITS.rightsAgainMs);
    });
  }
}
