/** What members say to one another about the chain, beside blocks, transactions and ballots. Specification §14. */
import { Digest } from '../digest.ts';
import { LIMITS } from '../limits.ts';
import { bytes, integer, list, oneOf, struct, variant, type Infer } from '../schema.ts';
import { FinalityCertificate, Height } from './finality-certificate.ts';

const StateOffset = integer({ min: 0, max: LIMITS.stateBytesMax });

/** Where a member stands; retained. Unsigned: it only tells what can be asked for. */
export const HeadAnnouncement = struct({
  checkpoint: struct({ number: Height, block: Digest, height: Height }),
  head: struct({ id: Digest, height: Height }),
});

/** `to`: the member that is asked, by node id. */
export const ChainRequest = struct({
  to: Digest,
  want: variant('want', {
    /** A block and up to `ancestors` below it, as far as it is above `above`. */
    block: struct({ id: Digest, ancestors: integer({ min: 0, max: LIMITS.ancestorsMax }), above: Height }),
    /** Blocks upwards from a height, on the way to the answerer's head. */
    range: struct({ fromHeight: Height }),
    /** Certificates upwards from a number. */
    certificates: struct({ fromNumber: Height }),
    /** A piece of the state at the answerer's last kept checkpoint, or at the one of this block. */
    state: struct({ block: Digest, offset: StateOffset }),
  }),
});

export const ChainResponse = variant('response', {
  /** Lowest first. */
  blocks: struct({ blocks: list(bytes({ min: 1, max: LIMITS.blockBytesMax }), { max: LIMITS.ancestorsMax }) }),
  certificates: struct({ certificates: list(FinalityCertificate, { max: LIMITS.ancestorsMax }) }),
  state: struct({ block: Digest, offset: StateOffset, total: StateOffset, piece: bytes({ max: LIMITS.chunkBytesMax }) }),
  /** The answerer does not have it (any more); it stands at `checkpoint`. */
  nothing: struct({ what: oneOf('block', 'range', 'certificates', 'state') }),
});

export type HeadAnnouncement = Infer<typeof HeadAnnouncement>;
export type ChainRequest = Infer<typeof ChainRequest>;
export type ChainResponse = Infer<typeof ChainResponse>;
