/** What a member says of its votes on anchors, for those who post them. Specification §14.1, §20.9. */
import { decodeStrict, encodeStrict, type Decoded } from '../codec.ts';
import { LIMITS } from '../limits.ts';
import { fixedBytes, integer, list, struct, type Infer } from '../schema.ts';
import { AnchorHeader } from './anchor.ts';
import { PackedVote } from './anchor-vote.ts';

/** A vote with what it is about: by the header whoever has another anchor of the epoch can show that both were signed. */
export const SaidVote = struct({ header: AnchorHeader, vote: PackedVote });
export type SaidVote = Infer<typeof SaidVote>;

/** The member's own, whose they are the topic tells. One entry for each chain of layer 1. */
export const AnchorVotesMessage = struct({
  chains: list(
    struct({
      chainId: integer({ min: 1, max: Number.MAX_SAFE_INTEGER }),
      anchors: fixedBytes(20),
      votes: list(SaidVote, { max: LIMITS.anchorsSaidMax }),
    }),
    { max: LIMITS.layer1ChainsMax },
  ),
});
export type AnchorVotesMessage = Infer<typeof AnchorVotesMessage>;

export function encodeAnchorVotes(message: AnchorVotesMessage): Uint8Array {
  return encodeStrict(AnchorVotesMessage, message);
}

export function decodeAnchorVotes(encoded: Uint8Array): Decoded<AnchorVotesMessage> {
  return decodeStrict(AnchorVotesMessage, encoded, LIMITS.anchorVotesBytesMax);
}
