/**
 * A checkpoint as proofs show it: its certificate, its block and what they need of its state; and how one follows from the seats before it.
 * Specification §13.6.
 */
import { sameBytes } from '../codec.ts';
import type { Crypto } from '../crypto.ts';
import { LIMITS } from '../limits.ts';
import { networkId, type Network } from '../network.ts';
import { bytes, struct, type Infer } from '../schema.ts';
import { blockId, decodeHeader, TimeCertificate, type Header } from './block.ts';
import type { CertificateRefusal } from './certified-votes.ts';
import { foundingSeats, seatsAfter, votesOf, type CertifyingSeats, type SeatsRefusal, type Vote } from './certifying-seats.ts';
import { FinalityCertificate } from './finality-certificate.ts';
import { judgeStateProof, StateProof, type ProvenState } from './state-root.ts';
import type { Voucher } from './voucher.ts';

/** A block without its transactions: what its id commits to. */
export const BareBlock = struct({ header: bytes({ min: 1, max: LIMITS.headerBytesMax }), end: TimeCertificate });
export type BareBlock = Infer<typeof BareBlock>;

export const ShownCheckpoint = struct({ certificate: FinalityCertificate, block: BareBlock, state: StateProof });
export type ShownCheckpoint = Infer<typeof ShownCheckpoint>;

export type ProofRefusal =
  | 'malformed'
  | 'not-in-block'
  | 'other-network'
  | 'blocks-not-linked'
  | 'other-checkpoint'
  | 'state-not-shown'
  | SeatsRefusal
  | `certificate-${CertificateRefusal}`;

/** By what a proof is judged. */
export interface ProofContext {
  readonly network: Network;
  readonly crypto: Crypto;
  /** Whose certificates count to begin with; the founders' by default. An anchor on layer 1 gives later ones (§20.9). */
  readonly start?: CertifyingSeats | undefined;
}

/** The same, with what the proof itself brings. */
export interface ProofRoom {
  readonly network: Uint8Array;
  readonly crypto: Crypto;
  readonly vouchers: readonly Voucher[];
}

export function roomOf({ network, crypto }: ProofContext, { vouchers }: { readonly vouchers: readonly Voucher[] }): ProofRoom {
  return { network: networkId(network), crypto, vouchers };
}

/** Ends the judgement of a proof from wherever a rule is broken; caught by whoever judges the whole. */
export class ProofFault extends Error {
  readonly reason: ProofRefusal;

  constructor(reason: ProofRefusal, detail: string) {
    super(detail);
    this.reason = reason;
  }
}

export interface ShownBlock {
  readonly id: Uint8Array;
  readonly header: Header;
}

/** @throws ProofFault */
export function requireBlock({ header: headerBytes, end }: BareBlock, network: Uint8Array): ShownBlock {
  const header = decodeHeader(headerBytes);
  if (header.status === 'malformed') throw new ProofFault('malformed', header.detail);
  if (!sameBytes(header.value.network, network)) throw new ProofFault('other-network', 'a block of the proof is of another network');
  return { id: blockId(headerBytes, end), header: header.value };
}

/** Who certifies what follows the changes that a proof shows: those at or below the beginning are of no use. @throws ProofFault */
export function requireSeats(changes: readonly ShownCheckpoint[], { network, start }: ProofContext, room: ProofRoom): CertifyingSeats {
  const later = start ? changes.filter(({ certificate }) => certificate.number > start.number) : changes;
  return later.reduce((seats, change) => seatsFollowing(seats, change, room), start ?? foundingSeats(network));
}

function seatsFollowing(seats: CertifyingSeats, change: ShownCheckpoint, room: ProofRoom): CertifyingSeats {
  const { state } = requireCheckpoint(seats, change, room);
  const next = seatsAfter(seats, change.certificate, state);
  if (next.status === 'refused') throw new ProofFault(next.reason, next.detail);
  return next.seats;
}

export interface CertifiedCheckpoint {
  readonly block: ShownBlock;
  readonly state: ProvenState;
  readonly votes: readonly Vote[];
}

/** @throws ProofFault where these seats have not certified it, or it has not this state */
export function requireCheckpoint(
  seats: CertifyingSeats,
  { certificate, block, state }: ShownCheckpoint,
  room: ProofRoom,
): CertifiedCheckpoint {
  const shown = requireBlock(block, room.network);
  const votes = requireCertified(seats, certificate, shown, room);
  const verdict = judgeStateProof(shown.header.state, state);
  if (verdict.status === 'refused') throw new ProofFault('state-not-shown', `${verdict.reason}: ${verdict.detail}`);
  return { block: shown, state: verdict, votes };
}

/** @throws ProofFault */
export function requireCertified(
  seats: CertifyingSeats,
  certificate: FinalityCertificate,
  block: ShownBlock,
  room: ProofRoom,
): readonly Vote[] {
  const { number, height } = certificate;
  if (!sameBytes(certificate.block, block.id) || height !== block.header.height)
    throw new ProofFault(
      'other-checkpoint',
      `certificate ${number} is not of the block of height ${block.header.height} that the proof shows`,
    );
  const verdict = votesOf(seats, certificate, room);
  if (verdict.status === 'refused') throw new ProofFault(verdict.reason, verdict.detail);
  return verdict.votes;
}
