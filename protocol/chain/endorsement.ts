/** What a member says of its head while that is not final, signed by its operational key. Specification §12.8. */
import { Digest } from '../digest.ts';
import { LIMITS } from '../limits.ts';
import { struct, type Infer } from '../schema.ts';
import { signedKind } from '../signed.ts';
import { Height } from './finality-certificate.ts';

export const Endorsement = struct({
  network: Digest,
  /** Of the block; two of one node and height for different blocks count for none. */
  height: Height,
  block: Digest,
  node: Digest,
});
export type Endorsement = Infer<typeof Endorsement>;
export const EndorsementMessage = signedKind('endorsement', Endorsement, LIMITS.ballotBytesMax);
