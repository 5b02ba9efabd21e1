/**
 * What layer 1 does not hold of an anchor, as a file by whomever: the header under its digest, the block of its checkpoint, and the seats in that
 * block's state. With the digest from the contract nothing else is believed. Specification §20.10.
 */
import { blockId, decodeHeader, type Header } from '../chain/block.ts';
import { seatsAfter, type CertifyingSeats } from '../chain/certifying-seats.ts';
import { merkleRoot } from '../chain/merkle.ts';
import { BareBlock } from '../chain/shown-checkpoint.ts';
import { StateMap } from '../chain/state-map.ts';
import { judgeStateProof, StateProof, type ProvenState } from '../chain/state-root.ts';
import { decodeStrict, encodeStrict, sameBytes } from '../codec.ts';
import { hex } from '../digest.ts';
import { LIMITS } from '../limits.ts';
import { foundersOf, Genesis, Member, networkId, nodeIdOf, type Network } from '../network.ts';
import { list, oneOf, struct, variant, type Infer } from '../schema.ts';
import { attestationPoint } from '../tpm/attestation-key.ts';
import { anchorDigest, AnchorHeader, AnchorPlace } from './anchor.ts';
import { anchoredState } from './anchored-state.ts';
import { memberLeafDigest, vrfKeyDigest } from './leaf.ts';

/** What a device shows of an anchor's checkpoint. */
export const AnchoredSeats = variant('of', {
  /** Checkpoint 0 has no block: the founders' cards. */
  genesis: struct({ members: list(Member, { min: 1, max: LIMITS.membersMax }) }),
  /** Its block, and of its state the core and members: all with a seat, and others. */
  checkpoint: struct({ block: BareBlock, state: StateProof }),
});
export type AnchoredSeats = Infer<typeof AnchoredSeats>;

export const AnchorFile = struct({
  version: oneOf(1),
  place: AnchorPlace,
  header: AnchorHeader,
  genesis: Genesis,
  seats: AnchoredSeats,
  /** From above a transaction's block up to the anchor's: for what is older than the anchor. */
  link: list(BareBlock, { max: LIMITS.anchorLinkMax }),
});
export type AnchorFile = Infer<typeof AnchorFile>;

export type AnchorRefusal =
  | 'malformed'
  | 'other-anchor'
  | 'other-network'
  | 'other-founders'
  | 'other-checkpoint'
  | 'state-not-shown'
  | 'seats-not-shown'
  | 'other-leaves'
  | 'card-of-another';

export interface TrustedAnchor {
  readonly status: 'accepted';
  readonly place: AnchorPlace;
  readonly header: AnchorHeader;
  /** The genesis, and the cards of the seats. No references: layer 1 has none under an anchor. */
  readonly network: Network;
  /** Whose certificates count from here on. */
  readonly start: CertifyingSeats;
  /** Core and members of the state, as far as they are shown; undefined for the genesis. */
  readonly state: ProvenState | undefined;
  readonly link: readonly BareBlock[];
}

type Refused = { readonly status: 'refused'; readonly reason: AnchorRefusal; readonly detail: string };
export type AnchorVerdict = TrustedAnchor | Refused;

export function encodeAnchorFile(file: AnchorFile): Uint8Array {
  return encodeStrict(AnchorFile, file);
}

/** @param encoded foreign bytes. @param anchor a digest from a source that the caller trusts */
export function judgeAnchorFile(encoded: Uint8Array, anchor: Uint8Array): AnchorVerdict {
  const decoded = decodeStrict(AnchorFile, encoded, LIMITS.anchorFileBytesMax);
  return decoded.status === 'malformed' ? refused('malformed', decoded.detail) : judgeAnchor(decoded.value, anchor);
}

/** The digest commits to all of it: network, block, and so the state and whoever has a seat there. */
export function judgeAnchor({ place, header, genesis, seats, link }: AnchorFile, anchor: Uint8Array): AnchorVerdict {
  const digest = anchorDigest(place, header);
  if (!sameBytes(digest, anchor)) return refused('other-anchor', `place and header come to ${hex(digest)}; the anchor is ${hex(anchor)}`);
  const id = networkId(bare(genesis));
  if (!sameBytes(id, place.network))
    return refused('other-network', `the genesis is that of network ${hex(id)}; the anchor is of ${hex(place.network)}`);
  const shown = seats.of === 'genesis' ? foundersAt(header, genesis, seats.members) : seatsAt(header, genesis, seats);
  if ('reason' in shown) return shown;
  const { start, state } = shown;
  const missing = start.nodes.find((node) => !start.cards.has(hex(node)));
  if (missing || start.nodes.length !== header.seats)
    return refused(
      'seats-not-shown',
      missing ? `the card of ${hex(missing)}, which has a seat, is missing` : `the anchor has ${header.seats} seats`,
    );
  const network = { ...bare(genesis), members: [...start.cards.values()] };
  return { status: 'accepted', place, header, network, start, state, link };
}

interface Shown {
  readonly start: CertifyingSeats;
  readonly state: ProvenState | undefined;
}

function seatsAt(header: AnchorHeader, genesis: Genesis, { block, state }: Extract<AnchoredSeats, { of: 'checkpoint' }>): Shown | Refused {
  const { epoch, checkpoint: number, height, blockId: id, timeMs } = header;
  const read = decodeHeader(block.header);
  if (read.status === 'malformed') return refused('malformed', read.detail);
  if (!sameBytes(blockId(block.header, block.end), id))
    return refused('other-checkpoint', `the block is not ${hex(id)}, which the anchor names`);
  if (!isOf(read.value, { network: networkId(bare(genesis)), height, timeMs }))
    return refused('other-checkpoint', 'network, height or chain time of the block are not those of the anchor');
  const proven = judgeStateProof(read.value.state, state);
  if (proven.status === 'refused') return refused('state-not-shown', `${proven.reason}: ${proven.detail}`);
  const verdict = seatsAfter({ cards: new Map() }, { number, height, block: id }, proven);
  if (verdict.status === 'refused') return refused('card-of-another', verdict.detail);
  const place = { epoch, number, id, height, timeMs };
  if (!haveLeaves(header, genesis, place, proven)) return refused('other-leaves', 'the leaves under the anchor are not those of the state');
  return { start: verdict.seats, state: proven };
}

/** Where all members are shown their leaves are made anew: what layer 1 is told of them is what the state says. */
function haveLeaves(
  header: AnchorHeader,
  genesis: Genesis,
  { epoch, ...place }: { epoch: number; number: number; id: Uint8Array; height: number; timeMs: number },
  { core, members }: ProvenState,
): boolean {
  const leaves = members.filter(({ standing }) => standing !== 'applicant');
  if (leaves.length !== header.members) return true;
  const known = StateMap.of(members.map((record) => [hex(record.node), record] as const));
  const state = { core, members: known, boxes: StateMap.of<never>(), capsules: StateMap.of<never>() };
  const { moment } = anchoredState(bare(genesis), epoch, { ...place, state });
  const roots = ['membersRoot', 'verdictsRoot', 'creditsRoot', 'seed'] as const;
  return roots.every((root) => sameBytes(moment[root], header[root]));
}

function isOf(header: Header, { network, height, timeMs }: { network: Uint8Array; height: number; timeMs: number }): boolean {
  return sameBytes(header.network, network) && header.height === height && header.timeMs === timeMs;
}

/** All leaves follow from the cards, so their root does. Names and addresses on them nobody has certified yet. */
function foundersAt({ checkpoint, height, membersRoot }: AnchorHeader, genesis: Genesis, members: readonly Member[]): Shown | Refused {
  if (checkpoint !== 0 || height !== 0)
    return refused('seats-not-shown', `cards of founders for checkpoint ${checkpoint}, which has a state`);
  const cards = new Map(
    foundersOf({ ...bare(genesis), members: [...members] }).map((member) => [hex(nodeIdOf(member.endorsementKey)), member]),
  );
  const nodes = genesis.members.toSorted((left, right) => (hex(left) < hex(right) ? -1 : 1));
  const leaves = nodes.flatMap((node) => {
    const card = cards.get(hex(node));
    const point = card && attestationPoint(card.attestationKey);
    return card && point ? [memberLeafDigest({ node, ...point, vrf: vrfKeyDigest(card.vrfKey), standing: 'seat', drawsFromEpoch: 0 })] : [];
  });
  if (!sameBytes(merkleRoot(leaves), membersRoot)) return refused('other-founders', 'the cards are not those of the members at anchor 0');
  return { start: { number: 0, height: 0, nodes, cards }, state: undefined };
}

function bare(genesis: Genesis): Network {
  return { genesis, members: [], references: [] };
}

function refused(reason: AnchorRefusal, detail: string): Refused {
  return { status: 'refused', reason, detail };
}
