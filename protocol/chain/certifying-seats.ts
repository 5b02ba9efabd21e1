/** Who may certify a checkpoint, as a proof of finality brings it up from the genesis. Specification §13.1 and §13.6. */
import { sameBytes } from '../codec.ts';
import type { Crypto } from '../crypto.ts';
import { hex } from '../digest.ts';
import { LIMITS } from '../limits.ts';
import { attestationKeyOf } from '../member-keys.ts';
import { nodeIdOf, type Member, type Network } from '../network.ts';
import type { CertificateRefusal } from './certified-votes.ts';
import { judgeCertificate, type FinalityCertificate } from './finality-certificate.ts';
import type { CoreState, MemberRecord } from './state.ts';
import { judgeVoucher, type Voucher } from './voucher.ts';

/** After one checkpoint, for those that follow. */
export interface CertifyingSeats {
  /** The checkpoint; 0 and none for the genesis. */
  readonly number: number;
  readonly height: number;
  readonly block?: Uint8Array;
  /** Node ids in their order. */
  readonly nodes: readonly Uint8Array[];
  /** Cards by node id, of those that are known. */
  readonly cards: ReadonlyMap<string, Member>;
}

export interface Vote {
  readonly node: Uint8Array;
  readonly name: string;
  readonly operationalKey: Uint8Array;
}

/** `too-many-seats`: a committee votes, which is drawn by a seed that a proof does not show. */
export type SeatsRefusal = 'checkpoints-not-in-order' | 'too-many-seats' | 'card-of-another' | 'voucher-refused';

type Refused<Reason extends string> = { readonly status: 'refused'; readonly reason: Reason; readonly detail: string };

export type SeatsVerdict = { readonly status: 'accepted'; readonly seats: CertifyingSeats } | Refused<SeatsRefusal>;
export type VotesVerdict =
  { readonly status: 'accepted'; readonly votes: readonly Vote[] } | Refused<SeatsRefusal | `certificate-${CertificateRefusal}`>;

export function foundingSeats({ genesis, members }: Network): CertifyingSeats {
  const cards = new Map(members.map((member) => [hex(nodeIdOf(member.endorsementKey)), member]));
  return { number: 0, height: 0, nodes: inOrder(genesis.members), cards };
}

/** The seats that follow a checkpoint, by its state, which was shown under the root in its header. */
export function seatsAfter(
  known: Pick<CertifyingSeats, 'cards'>,
  { number, height, block }: Pick<FinalityCertificate, 'number' | 'height' | 'block'>,
  state: { readonly core: CoreState; readonly members: readonly MemberRecord[] },
): SeatsVerdict {
  const cards = new Map(known.cards);
  for (const { node, member } of state.members) {
    if (!sameBytes(nodeIdOf(member.endorsementKey), node))
      return refused('card-of-another', `the card of ${hex(node)} has another endorsement key`);
    cards.set(hex(node), member);
  }
  const nodes = inOrder(state.core.seatsToCome.at(-1)?.seats ?? []);
  return { status: 'accepted', seats: { number, height, block, nodes, cards } };
}

/** Whether these seats certified it, with keys for which there are vouchers of their chips. */
export function votesOf(
  seats: CertifyingSeats,
  certificate: FinalityCertificate,
  context: { readonly network: Uint8Array; readonly crypto: Crypto; readonly vouchers: readonly Voucher[] },
): VotesVerdict {
  if (!follows(seats, certificate))
    return refused('checkpoints-not-in-order', `certificate ${certificate.number} does not follow checkpoint ${seats.number}`);
  if (seats.nodes.length > LIMITS.votersMax)
    return refused('too-many-seats', `${seats.nodes.length} seats draw a committee; a proof is for up to ${LIMITS.votersMax}`);
  let fault: string | undefined;
  const isKeyOf = (node: Uint8Array, key: Uint8Array): boolean => {
    fault = faultOfKey(seats.cards.get(hex(node)), node, key, context);
    return fault === undefined;
  };
  const verdict = judgeCertificate(context.crypto, certificate, { network: context.network, voters: seats.nodes, isKeyOf });
  if (verdict.status === 'accepted') return { status: 'accepted', votes: certificate.votes.map((vote) => named(vote, seats.cards)) };
  if (verdict.reason === 'key-unknown' && fault !== undefined) return refused('voucher-refused', fault);
  return refused(`certificate-${verdict.reason}`, verdict.detail);
}

/** Checkpoints between the two may have been left out of the proof. */
function follows(seats: CertifyingSeats, { number, height, previous }: FinalityCertificate): boolean {
  if (number <= seats.number || height <= seats.height) return false;
  return number !== seats.number + 1 || seats.block === undefined || sameBytes(previous, seats.block);
}

function faultOfKey(
  card: Member | undefined,
  node: Uint8Array,
  key: Uint8Array,
  { network, crypto, vouchers }: { readonly network: Uint8Array; readonly crypto: Crypto; readonly vouchers: readonly Voucher[] },
): string | undefined {
  const voucher = vouchers.find((candidate) => sameBytes(candidate.node, node) && sameBytes(candidate.operationalKey, key));
  if (!voucher) return `the proof has no voucher for the key ${hex(key)} of ${hex(node)}`;
  const attestationKey = card && attestationKeyOf(card, crypto);
  if (!attestationKey) return `the proof has no card of ${hex(node)} with an attestation key`;
  const verdict = judgeVoucher(crypto, attestationKey, network, voucher);
  return verdict.status === 'refused' ? `the voucher of ${hex(node)}: ${verdict.reason}, ${verdict.detail}` : undefined;
}

function named({ node, key }: FinalityCertificate['votes'][number], cards: ReadonlyMap<string, Member>): Vote {
  return { node, name: cards.get(hex(node))?.name ?? hex(node), operationalKey: key };
}

function inOrder(nodes: readonly Uint8Array[]): Uint8Array[] {
  return nodes.toSorted((left, right) => (hex(left) < hex(right) ? -1 : 1));
}

function refused<Reason extends string>(reason: Reason, detail: string): Refused<Reason> {
  return { status: 'refused', reason, detail };
}
