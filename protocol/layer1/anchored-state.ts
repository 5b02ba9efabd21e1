/** The leaves that a state of the chain has on layer 1, their order, and the anchor's part that follows from them. Specification §20.1, §20.2. */
import { inclusionPath, merkleRoot } from '../chain/merkle.ts';
import { judgesOf } from '../chain/judges.ts';
import type { ChainState, MemberRecord } from '../chain/state.ts';
import type { JudgedSlot, SlotDraw } from '../chain/trust-state.ts';
import { hex } from '../digest.ts';
import { networkId, type Network } from '../network.ts';
import { attestationPoint } from '../tpm/attestation-key.ts';
import type { AnchorMoment } from './anchor.ts';
import {
  creditLeafDigest,
  judgesDigest,
  memberLeafDigest,
  verdictLeafDigest,
  vrfKeyDigest,
  type CreditLeaf,
  type MemberLeaf,
  type VerdictLeaf,
} from './leaf.ts';

/** The three lists have the members in one order. */
export interface AnchorLeaves {
  readonly members: readonly MemberLeaf[];
  readonly verdicts: readonly VerdictLeaf[];
  readonly credits: readonly CreditLeaf[];
}

/** A certified checkpoint, by its block. */
export interface AnchoredCheckpoint {
  readonly number: number;
  readonly id: Uint8Array;
  readonly height: number;
  /** Chain time, Unix ms. */
  readonly timeMs: number;
  readonly state: ChainState;
}

export interface AnchoredState {
  readonly moment: AnchorMoment;
  readonly leaves: AnchorLeaves;
}

/** A leaf under one of an anchor's roots: its number, and the siblings from the leaf upwards. */
export interface LeafPath {
  readonly index: number;
  readonly path: readonly Uint8Array[];
}

/** The epochs whose anchor is of a checkpoint, given the height of the one before it. */
export function anchoredEpochs(anchorHeights: number, before: number, height: number): number[] {
  const [from, to] = [Math.floor(before / anchorHeights) + 1, Math.floor(height / anchorHeights)];
  return Array.from({ length: Math.max(0, to - from + 1) }, (_, index) => from + index);
}

export function anchoredState(network: Network, epoch: number, { number, id, height, timeMs, state }: AnchoredCheckpoint): AnchoredState {
  const seats = new Set(seatsAfter(state).map(hex));
  const records = [...state.members.values()].filter(({ standing }) => standing !== 'applicant');
  const ordered = [...records.filter(({ node }) => seats.has(hex(node))), ...records.filter(({ node }) => !seats.has(hex(node)))];
  const draw = state.core.draws?.at(-1);
  const leaves = {
    members: ordered.map((record) => memberLeaf(record, seats)),
    verdicts: ordered.map((record) => verdictLeaf(network, epoch, record, draw)),
    credits: ordered.map((record) => creditLeaf(record, draw)),
  };
  const roots = {
    membersRoot: merkleRoot(leaves.members.map(memberLeafDigest)),
    verdictsRoot: merkleRoot(leaves.verdicts.map(verdictLeafDigest)),
    creditsRoot: merkleRoot(leaves.credits.map(creditLeafDigest)),
  };
  const seed = draw?.seed ?? state.core.epoch.seed;
  const count = { members: ordered.length, seats: seats.size };
  return { moment: { epoch, checkpoint: number, height, blockId: id, timeMs, seed, ...roots, ...count }, leaves };
}

/** Where a leaf stands. @throws RangeError where there is none with this index */
export function leafPath(leaves: AnchorLeaves, tree: keyof AnchorLeaves, index: number): LeafPath {
  const ids = {
    members: () => leaves.members.map(memberLeafDigest),
    verdicts: () => leaves.verdicts.map(verdictLeafDigest),
    credits: () => leaves.credits.map(creditLeafDigest),
  };
  return { index, path: inclusionPath(ids[tree](), index) };
}

/** In force once the checkpoint of this state is certified (§11.5). */
function seatsAfter({ core }: ChainState): readonly Uint8Array[] {
  return core.seatsToCome.at(-1)?.seats ?? core.seats;
}

function memberLeaf({ node, member, standing, drawsFromEpoch }: MemberRecord, seats: ReadonlySet<string>): MemberLeaf {
  const point = attestationPoint(member.attestationKey);
  if (!point) throw new Error(`the attestation key of ${hex(node)}, which was judged when it became a member, has no point`);
  const seat = seats.has(hex(node)) ? 'seat' : 'none';
  return { node, ...point, vrf: vrfKeyDigest(member.vrfKey), standing: standing === 'expelled' ? 'expelled' : seat, drawsFromEpoch };
}

const zeros = new Uint8Array(32);

function verdictLeaf(network: Network, epoch: number, { node, trust }: MemberRecord, draw: SlotDraw | undefined): VerdictLeaf {
  const none = { node, slot: 0, judgedAtMs: 0, evidence: zeros, judges: zeros, drawnFrom: 0 };
  if (!trust) return { ...none, word: 'none', attestedUntil: 0 };
  const { word, attestedUntil } = trust;
  const judged = trust.slots.findLast((slot) => wordOf(slot) === word);
  if (!judged) return { ...none, word, attestedUntil };
  const { slot, evidence, timeMs: judgedAtMs } = judged;
  const judges = judged.closed === undefined ? drawnJudges(network, node, judged, draw) : undefined;
  return { ...none, slot, word, attestedUntil, judgedAtMs, evidence, ...(judges && { judges: judgesDigest(judges), drawnFrom: epoch }) };
}

/** What the slot has said in the end. */
function wordOf({ verdict, closed }: JudgedSlot): string | undefined {
  return closed ?? verdict?.word;
}

/** In the order of their draw; undefined where none were drawn, or from a state that has no anchor. */
function drawnJudges(network: Network, subject: Uint8Array, { slot }: JudgedSlot, draw: SlotDraw | undefined): Uint8Array[] | undefined {
  const { trust } = network.genesis;
  if (!draw || draw.slot !== slot || !trust) return undefined;
  const { weights, drawn } = judgesOf(networkId(network), draw, { subject, slot, level: 0 }, trust.judges);
  return drawn ? Array.from(weights.keys(), (node) => Uint8Array.fromHex(node)) : undefined;
}

function creditLeaf({ node, trust }: MemberRecord, draw: SlotDraw | undefined): CreditLeaf {
  const at = draw?.seats.findIndex((seat) => hex(seat) === hex(node)) ?? -1;
  return { node, credit: trust?.credit ?? 0, eligible: at >= 0 && (draw?.weights[at] ?? 0) > 0 };
}
