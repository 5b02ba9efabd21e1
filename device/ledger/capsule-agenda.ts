/**
 * Which capsules a block has to look at. Pure. Specification §15.
 *
 * Of ten thousand capsules a block changes a few. What follows from the entries of a part of the map is kept with that part, which
 * the states of many blocks share, so that finding those few costs their paths.
 */
import type { StateMap, Tree } from '#protocol/chain/state-map.ts';
import type { CapsuleRecord } from '#protocol/chain/state.ts';

/** Of the capsules below a fork of the map; Infinity where there is none of the kind. */
export interface Agenda {
  /** Capsules that have not ended. */
  readonly open: number;
  /** Capsules for which a box is to be drawn. */
  readonly waiting: number;
  /** Earliest height at which one ended. */
  readonly endedHeight: number;
  /** Earliest acceptance of one that has ended. */
  readonly endedAcceptedAtMs: number;
  /** Earliest acceptance of one that is open. */
  readonly openAcceptedAtMs: number;
  /** Earliest deadline of one for which a box is to be drawn. */
  readonly waitingDeadlineMs: number;
  /** Earliest height and chain time at which an executor was asked that has not answered. */
  readonly askedHeight: number;
  readonly askedMs: number;
}

export function agendaOf(capsules: StateMap<CapsuleRecord>): Agenda {
  return capsules.tree ? agendaBelow(capsules.tree) : nothing;
}

/** The capsules in those parts of the map of whose agenda `concerns` says yes; it also hears the agenda of each single one. */
export function capsulesWhere(capsules: StateMap<CapsuleRecord>, concerns: (agenda: Agenda) => boolean): CapsuleRecord[] {
  const found: CapsuleRecord[] = [];
  const open = capsules.tree ? [capsules.tree] : [];
  for (let next = open.pop(); next !== undefined; next = open.pop()) {
    if (!concerns(agendaBelow(next))) continue;
    if ('bit' in next) open.push(next.right, next.left);
    else found.push(next.value);
  }
  return found;
}

const nothing: Agenda = {
  open: 0,
  waiting: 0,
  endedHeight: Infinity,
  endedAcceptedAtMs: Infinity,
  openAcceptedAtMs: Infinity,
  waitingDeadlineMs: Infinity,
  askedHeight: Infinity,
  askedMs: Infinity,
};

const agendas = new WeakMap<object, Agenda>();

function agendaBelow(tree: Tree<CapsuleRecord>): Agenda {
  const known = agendas.get(tree);
  if (known) return known;
  const agenda = 'bit' in tree ? together(agendaBelow(tree.left), agendaBelow(tree.right)) : agendaOfOne(tree.value);
  agendas.set(tree, agenda);
  return agenda;
}

function agendaOfOne({ end, awaitsDraw, acceptedAtMs, deadlineMs, asked }: CapsuleRecord): Agenda {
  if (end) return { ...nothing, endedHeight: end.height, endedAcceptedAtMs: acceptedAtMs };
  const open = { ...nothing, open: 1, openAcceptedAtMs: acceptedAtMs, ...(asked && { askedHeight: asked.height, askedMs: asked.timeMs }) };
  return awaitsDraw === 'yes' ? { ...open, waiting: 1, waitingDeadlineMs: deadlineMs ?? Infinity } : open;
}

function together(left: Agenda, right: Agenda): Agenda {
  return {
    open: left.open + right.open,
    waiting: left.waiting + right.waiting,
    endedHeight: Math.min(left.endedHeight, right.endedHeight),
    endedAcceptedAtMs: Math.min(left.endedAcceptedAtMs, right.endedAcceptedAtMs),
    openAcceptedAtMs: Math.min(left.openAcceptedAtMs, right.openAcceptedAtMs),
    waitingDeadlineMs: Math.min(left.waitingDeadlineMs, right.waitingDeadlineMs),
    askedHeight: Math.min(left.askedHeight, right.askedHeight),
    askedMs: Math.min(left.askedMs, right.askedMs),
  };
}
