/** How sure the chain is of a receipt, as the client gets it on `capsules/<id>/finality`. Specification §9.4, §15.4. */
import { CapsuleId } from './capsule.ts';
import { Height } from './chain/finality-certificate.ts';
import { Digest } from './digest.ts';
import { LIMITS } from './limits.ts';
import { bytes, struct, variant, type Infer } from './schema.ts';

export const FinalityNews = variant('finality', {
  /** The receipt's transaction stands in this block, and no checkpoint holds the block yet: it may still be undone. */
  'not-final': struct({ capsule: CapsuleId, height: Height, block: Digest }),
  /** `proof`: encoded `FinalityProof` (§13.6), which shows it to whoever has the network file. */
  final: struct({ capsule: CapsuleId, proof: bytes({ min: 1, max: LIMITS.finalityProofBytesMax }) }),
});
export type FinalityNews = Infer<typeof FinalityNews>;
