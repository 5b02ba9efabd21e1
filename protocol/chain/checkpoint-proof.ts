/**
 * Proofs of state: what core and members of a checkpoint's state are, for whoever has only the network file. A device that is asked how it
 * stands with a member is not believed; its proof is checked. Specification §13.8.
 */
import { decodeStrict, encodeStrict } from '../codec.ts';
import { LIMITS } from '../limits.ts';
import type { Member } from '../network.ts';
import { list, struct, type Infer } from '../schema.ts';
import type { Vote } from './certifying-seats.ts';
import {
  ProofFault,
  requireCheckpoint,
  requireSeats,
  roomOf,
  ShownCheckpoint,
  type ProofContext,
  type ProofRefusal,
} from './shown-checkpoint.ts';
import type { ProvenState } from './state-root.ts';
import { Voucher } from './voucher.ts';

export const CheckpointProof = struct({
  shown: ShownCheckpoint,
  /** One for each key that signed a certificate of this proof. */
  vouchers: list(Voucher, { max: LIMITS.votersMax * LIMITS.memberKeysMax }),
  /** In the order of numbers; none while the seats are those of the genesis. */
  changes: list(ShownCheckpoint, { max: LIMITS.seatChangesShownMax }),
});
export type CheckpointProof = Infer<typeof CheckpointProof>;

export interface ProvenCheckpoint extends ProvenState {
  readonly status: 'accepted';
  readonly number: number;
  readonly height: number;
  readonly block: Uint8Array;
  /** Chain time of the block, Unix ms. */
  readonly timeMs: number;
  readonly voters: number;
  readonly votes: readonly Vote[];
  /** Cards of the founders, and of those that the proof shows to have had a seat since. */
  readonly cards: readonly Member[];
}

export type CheckpointProofVerdict =
  ProvenCheckpoint | { readonly status: 'refused'; readonly reason: ProofRefusal; readonly detail: string };

export function encodeCheckpointProof(proof: CheckpointProof): Uint8Array {
  return encodeStrict(CheckpointProof, proof);
}

/** @param encoded foreign bytes */
export function judgeCheckpointProof(encoded: Uint8Array, context: ProofContext): CheckpointProofVerdict {
  const decoded = decodeStrict(CheckpointProof, encoded, LIMITS.checkpointProofBytesMax);
  if (decoded.status === 'malformed') return { status: 'refused', reason: 'malformed', detail: decoded.detail };
  const { shown, changes } = decoded.value;
  try {
    const room = roomOf(context, decoded.value);
    const seats = requireSeats(changes, context, room);
    const { block, state, votes } = requireCheckpoint(seats, shown, room);
    const { number, height, block: id } = shown.certificate;
    const place = { number, height, block: id, timeMs: block.header.timeMs };
    const { core, members } = state;
    return { status: 'accepted', ...place, core, members, voters: seats.nodes.length, votes, cards: [...seats.cards.values()] };
  } catch (error) {
    if (error instanceof ProofFault) return { status: 'refused', reason: error.reason, detail: error.message };
    throw error;
  }
}
