/**
 * From certified checkpoints to anchors with a quorum: each epoch once, signed once by the own chip, and the votes of others gathered. A chip that
 * signs two anchors of one epoch loses its stake, so what was signed is on the disk before it is said, and stands for good. Pure.
 * Specification §20.2, §20.9.
 */
import type { TimeCertificate } from '#protocol/chain/block.ts';
import { sameBytes } from '#protocol/codec.ts';
import { hex } from '#protocol/digest.ts';
import { follows, NO_ANCHOR } from '#protocol/layer1/anchor.ts';
import { judgeAnchorVote, packVote } from '#protocol/layer1/anchor-vote.ts';
import type { SaidVote } from '#protocol/layer1/anchor-message.ts';
import type { AnchoredState } from '#protocol/layer1/anchored-state.ts';
import {
  anchorOf,
  headerOf,
  isOfMoment,
  ownVotes,
  saidAnchor,
  voterOf,
  votersOf,
  type AnchorEpoch,
  type AnchorsSetup,
  type AnchorsState,
} from './anchors-state.ts';
import { ANCHOR_LIMITS } from './limits.ts';

export type AnchorsEvent =
  /** The state at the checkpoint of an epoch. */
  | { readonly type: 'anchored'; readonly anchored: AnchoredState }
  | { readonly type: 'signed'; readonly epoch: number; readonly certificate: TimeCertificate }
  /** The chip did not; it may be asked again. */
  | { readonly type: 'not-signed'; readonly epoch: number }
  /** All that a member says of its votes on this chain, in the place of what it said before. */
  | { readonly type: 'heard'; readonly node: Uint8Array; readonly votes: readonly SaidVote[] }
  /** Layer 1 has made it final. */
  | { readonly type: 'final'; readonly epoch: number };

/** Done in this order: what is said was stored. */
export type AnchorsEffect =
  | { readonly effect: 'store'; readonly epoch: AnchorEpoch }
  | { readonly effect: 'forget'; readonly epoch: number }
  /** TPM2_GetTime over the anchor. */
  | { readonly effect: 'sign'; readonly epoch: number; readonly anchor: Uint8Array }
  | { readonly effect: 'say'; readonly votes: readonly SaidVote[] }
  /** One chip voted for two anchors of one epoch. */
  | { readonly effect: 'accuse'; readonly node: Uint8Array; readonly first: SaidVote; readonly second: SaidVote }
  | { readonly effect: 'report'; readonly report: AnchorsReport };

export type AnchorsReport =
  | { readonly event: 'anchorVoted'; readonly epoch: number; readonly height: number }
  | { readonly event: 'anchorHasQuorum'; readonly epoch: number; readonly votes: number }
  /** A member voted for another anchor of the epoch than this device comes to. */
  | { readonly event: 'anchorContrary'; readonly epoch: number; readonly by: string }
  /** It would not come after the one before, so this chip does not vote on it. */
  | { readonly event: 'anchorDoesNotFollow'; readonly epoch: number }
  /** Too many wait for layer 1. */
  | { readonly event: 'anchorNotTaken'; readonly epoch: number };

/** @param founders the anchored state of the genesis. @param stored what this device had, in any order */
export function startAnchors(setup: AnchorsSetup, founders: AnchoredState, stored: readonly AnchorEpoch[]): AnchorsState {
  const first: AnchorEpoch = { ...founders, previous: NO_ANCHOR, votes: new Map() };
  const ordered = [first, ...stored.toSorted((left, right) => left.moment.epoch - right.moment.epoch)];
  const epochs = new Map(ordered.map((epoch) => [epoch.moment.epoch, epoch]));
  return { ...setup, epochs, said: new Map(), contrary: new Map(), accused: new Set(), asked: new Set(), judged: new WeakMap(), final: 0 };
}

export function stepAnchors(state: AnchorsState, event: AnchorsEvent): AnchorsEffect[] {
  switch (event.type) {
    case 'anchored':
      return [...taken(state, event.anchored), ...settled(state)];
    case 'signed':
      return signed(state, event.epoch, event.certificate);
    case 'not-signed':
      state.asked.delete(event.epoch);
      return [];
    case 'heard':
      return heard(state, hex(event.node), event.votes);
    case 'final':
      return finalised(state, event.epoch);
  }
}

/** What is still to be done, asked for again: by whoever was refused by the chip. */
export function settled(state: AnchorsState): AnchorsEffect[] {
  const effects: AnchorsEffect[] = [];
  for (const number of state.epochs.keys())
    effects.push(...linked(state, number), ...gathered(state, number, state.said.keys()), ...asked(state, number));
  return effects;
}

/** Of all that is known only what this member says is looked at, unless an anchor that was not known is by it. */
function heard(state: AnchorsState, node: string, votes: readonly SaidVote[]): AnchorsEffect[] {
  state.said.set(node, votes);
  const numbers = votes.map(({ header }) => header.epoch);
  const links = numbers.flatMap((number) => linked(state, number));
  return links.length > 0 ? [...links, ...settled(state)] : numbers.flatMap((number) => gathered(state, number, [node]));
}

function taken(state: AnchorsState, anchored: AnchoredState): AnchorsEffect[] {
  const { epoch } = anchored.moment;
  if (state.epochs.has(epoch)) return [];
  if (state.epochs.size > ANCHOR_LIMITS.waitingMax + ANCHOR_LIMITS.finalKept) return [reported({ event: 'anchorNotTaken', epoch })];
  return put(state, { ...anchored, votes: new Map() });
}

/** The anchor before: this device's own, or that which more than two thirds of the seats name who come to the same moment. */
function linked(state: AnchorsState, number: number): AnchorsEffect[] {
  const epoch = state.epochs.get(number);
  if (!epoch || epoch.previous) return [];
  const previous = anchorOf(state, state.epochs.get(number - 1)) ?? namedByQuorum(state, epoch);
  return previous ? put(state, { ...epoch, previous }) : [];
}

function namedByQuorum(state: AnchorsState, epoch: AnchorEpoch): Uint8Array | undefined {
  const seats = epoch.leaves.members.slice(0, epoch.moment.seats);
  const named = seats.flatMap((seat) => {
    const said = saidOf(state, hex(seat.node), epoch.moment.epoch);
    return said ? [{ node: hex(seat.node), said }] : [];
  });
  const areEnough = (some: readonly unknown[]): boolean => some.length * 3 > seats.length * 2;
  const most = Map.groupBy(named, ({ said }) => hex(saidAnchor(state.place, said)))
    .values()
    .find(areEnough);
  const [first] = most ?? [];
  if (!most || !first || !isOfMoment(state.place, epoch, first.said)) return undefined;
  return areEnough(most.filter(({ node, said }) => holds(state, node, said))) ? first.said.header.previous : undefined;
}

/** Votes that these have said: those that hold count, and those for another anchor are remembered against their chip. */
function gathered(state: AnchorsState, number: number, nodes: Iterable<string>): AnchorsEffect[] {
  const epoch = state.epochs.get(number);
  const anchor = anchorOf(state, epoch);
  if (!epoch || !anchor) return [];
  const added = new Map<string, Uint8Array>();
  const effects: AnchorsEffect[] = [];
  for (const node of nodes) {
    const said = saidOf(state, node, number);
    if (!said) continue;
    const isOwn = sameBytes(saidAnchor(state.place, said), anchor);
    const isNew = isOwn ? !epoch.votes.has(node) : !state.contrary.has(`${number}/${node}`);
    if (isNew && holds(state, node, said)) {
      if (isOwn) added.set(node, said.vote);
      else effects.push(...noteContrary(state, number, node, said, epoch));
    }
    effects.push(...accused(state, number, node, added.get(node) ?? epoch.votes.get(node), epoch));
  }
  if (added.size === 0) return effects;
  const votes = new Map([...epoch.votes, ...added]);
  const quorum = hasQuorum(state, { ...epoch, votes }) && !hasQuorum(state, epoch);
  const report = quorum ? [reported({ event: 'anchorHasQuorum', epoch: number, votes: votes.size })] : [];
  return [...put(state, { ...epoch, votes }), ...report, ...effects];
}

function hasQuorum(state: AnchorsState, { moment, votes }: AnchorEpoch): boolean {
  const voters = votersOf(state, moment.epoch) ?? [];
  return voters.filter(({ node }) => votes.has(hex(node))).length * 3 > voters.length * 2;
}

function noteContrary(state: AnchorsState, number: number, node: string, said: SaidVote, epoch: AnchorEpoch): AnchorsEffect[] {
  const key = `${number}/${node}`;
  const isOfOnePrevious = epoch.previous && sameBytes(said.header.previous, epoch.previous);
  if (!isOfOnePrevious) return [];
  state.contrary.set(key, said);
  return [reported({ event: 'anchorContrary', epoch: number, by: node })];
}

function accused(state: AnchorsState, number: number, node: string, vote: Uint8Array | undefined, epoch: AnchorEpoch): AnchorsEffect[] {
  const key = `${number}/${node}`;
  const second = state.contrary.get(key);
  if (!vote || !second || state.accused.has(key)) return [];
  const [header, voter] = [headerOf(epoch), voterOf(state, number, node)];
  if (!header || !voter) return [];
  state.accused.add(key);
  return [{ effect: 'accuse', node: voter.node, first: { header, vote }, second }];
}

/** Signed once: what stands on the disk is never signed otherwise. */
function asked(state: AnchorsState, number: number): AnchorsEffect[] {
  const epoch = state.epochs.get(number);
  const anchor = anchorOf(state, epoch);
  if (!epoch || !anchor || number === 0 || epoch.own || state.asked.has(number) || number <= state.final) return [];
  if (!isSeat(state, number)) return [];
  state.asked.add(number);
  const before = state.epochs.get(number - 1);
  if (before && !follows(before.moment, epoch.moment)) return [reported({ event: 'anchorDoesNotFollow', epoch: number })];
  return [{ effect: 'sign', epoch: number, anchor }];
}

function isSeat(state: AnchorsState, number: number): boolean {
  const seats = votersOf(state, number) ?? state.epochs.get(number)?.leaves.members ?? [];
  return seats.some(({ node }) => sameBytes(node, state.node));
}

function signed(state: AnchorsState, number: number, certificate: TimeCertificate): AnchorsEffect[] {
  state.asked.delete(number);
  const epoch = state.epochs.get(number);
  const anchor = anchorOf(state, epoch);
  const voter = voterOf(state, number, hex(state.node));
  if (!epoch || !anchor || !voter || epoch.own) return [];
  const own = packVote(certificate, anchor);
  if (!own || judgeAnchorVote(state.crypto, voter, own, anchor).status === 'refused') return [];
  const votes = new Map(epoch.votes).set(hex(state.node), own);
  const stored = put(state, { ...epoch, own, votes });
  const report = reported({ event: 'anchorVoted', epoch: number, height: epoch.moment.height });
  return [...stored, { effect: 'say', votes: ownVotes(state) }, report];
}

/** Some are kept for proofs of their leaves. */
function finalised(state: AnchorsState, number: number): AnchorsEffect[] {
  if (number <= state.final) return [];
  state.final = number;
  const old = [...state.epochs.keys()].filter((epoch) => epoch <= number - ANCHOR_LIMITS.finalKept);
  for (const epoch of old) state.epochs.delete(epoch);
  for (const key of state.contrary.keys()) if (Number.parseInt(key, 10) <= number - ANCHOR_LIMITS.finalKept) state.contrary.delete(key);
  return old.map((epoch) => ({ effect: 'forget', epoch }));
}

function saidOf(state: AnchorsState, node: string, number: number): SaidVote | undefined {
  return state.said.get(node)?.find(({ header }) => header.epoch === number);
}

function holds(state: AnchorsState, node: string, said: SaidVote): boolean {
  const known = state.judged.get(said);
  if (known !== undefined) return known;
  const voter = voterOf(state, said.header.epoch, node);
  const verdict = voter && judgeAnchorVote(state.crypto, voter, said.vote, saidAnchor(state.place, said)).status === 'accepted';
  if (verdict !== undefined) state.judged.set(said, verdict);
  return verdict ?? false;
}

function put(state: AnchorsState, epoch: AnchorEpoch): AnchorsEffect[] {
  state.epochs.set(epoch.moment.epoch, epoch);
  return [{ effect: 'store', epoch }];
}

function reported(report: AnchorsReport): AnchorsEffect {
  return { effect: 'report', report };
}
