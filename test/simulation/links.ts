/**
 * The network between hosts: what one publishes reaches another late, twice, much later again, or never; links break and
 * heal. A subscriber that reaches a broker again gets what is retained there. Specification §14.1.
 */
import type { MessageKind } from '../../device/consensus/events.ts';
import type { Chance, Chances } from './chance.ts';
import type { EventQueue } from './event-queue.ts';
import type { Scenario } from './scenario.ts';

/** What the core says, and what judges of members say. */
export type LetterKind = MessageKind | 'verdict';

export interface Parcel {
  /** Index of the sending and of the receiving host. */
  readonly from: number;
  readonly to: number;
  readonly kind: LetterKind;
  readonly payload: Uint8Array;
}

export interface Links {
  send(parcel: Parcel): void;
  /** One direction. */
  cut(from: number, to: number): void;
  mend(from: number, to: number): void;
  isCut(from: number, to: number): boolean;
  /** No faults from now on, and nothing old comes any more. */
  heal(): void;
  readonly counts: { sent: number; lost: number; repeated: number; bytes: number };
}

const retainedKinds: ReadonlySet<LetterKind> = new Set(['head', 'voucher']);

/** Delay of a healthy link. */
const healthyDelayMs = 5;

export function createLinks(
  scenario: Scenario,
  chances: Chances,
  queue: EventQueue,
  deliver: (parcel: Parcel) => void,
  mended: (from: number, to: number) => void,
): Links {
  const { faults, network } = scenario;
  const broken = new Set<string>();
  const counts = { sent: 0, lost: 0, repeated: 0, bytes: 0 };
  const streams = new Map<string, Chance>();
  let healed = false;
  const stream = (concern: string, { from, to }: Parcel): Chance => {
    const name = `${concern} ${from} ${to}`;
    const known = streams.get(name) ?? chances('link', name);
    streams.set(name, known);
    return known;
  };
  const delayOf = (parcel: Parcel): number => {
    if (healed || !faults.has('delay')) return healthyDelayMs;
    const chance = stream('delay', parcel);
    const spike = chance.happens(network.spikeShare) ? chance.exponential(network.spikeMeanMs) : 0;
    return 0.1 + chance.exponential(network.delayMeanMs) + spike;
  };
  const arrive = (parcel: Parcel, delayMs: number): void => {
    queue.after(delayMs, () => {
      if (broken.has(`${parcel.from} ${parcel.to}`)) counts.lost += 1;
      else deliver(parcel);
    });
  };
  const again = (parcel: Parcel): void => {
    if (faults.has('duplication') && stream('duplicate', parcel).happens(network.duplicateShare)) {
      counts.repeated += 1;
      arrive(parcel, delayOf(parcel));
    }
    if (!faults.has('replay')) return;
    const chance = stream('replay', parcel);
    if (!chance.happens(network.replayShare * chance.share())) return;
    counts.repeated += 1;
    const laterMs = chance.exponential(scenario.targetIntervalMs * 20);
    if (queue.nowMs + laterMs < scenario.faultsEndMs) arrive(parcel, laterMs);
  };
  return {
    counts,
    send: (parcel) => {
      counts.sent += 1;
      counts.bytes += parcel.payload.length;
      if (healed) {
        arrive(parcel, healthyDelayMs);
        return;
      }
      again(parcel);
      const lost = faults.has('loss') && stream('loss', parcel).happens(network.lossShare);
      if (!lost) {
        arrive(parcel, delayOf(parcel));
        return;
      }
      counts.lost += 1;
      // What is lost on a connection ends it sooner or later; the next one brings what is retained.
      if (retainedKinds.has(parcel.kind)) queue.after(scenario.targetIntervalMs * 2, () => mended(parcel.from, parcel.to));
    },
    cut: (from, to) => {
      broken.add(`${from} ${to}`);
    },
    mend: (from, to) => {
      if (broken.delete(`${from} ${to}`)) mended(from, to);
    },
    isCut: (from, to) => broken.has(`${from} ${to}`),
    heal: () => {
      healed = true;
      for (const pair of [...broken]) {
        const [from, to] = pair.split(' ').map(Number) as [number, number];
        broken.delete(pair);
        mended(from, to);
      }
    },
  };
}
