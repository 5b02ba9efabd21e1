/** A member's trust as a file: everything that its check takes but the network file, which is the checker's own. Specification §18.8. */
import { judgeCheckpointProof, type ProvenCheckpoint } from './chain/checkpoint-proof.ts';
import type { ProofContext, ProofRefusal } from './chain/shown-checkpoint.ts';
import type { MemberRecord } from './chain/state.ts';
import { decodeStrict, encodeStrict, sameBytes } from './codec.ts';
import { Digest, hex } from './digest.ts';
import { explainTrust, type ExplainedTrust, type ExplainedTrustVerdict } from './explained-trust.ts';
import { LIMITS } from './limits.ts';
import { bytes, list, oneOf, struct, type Infer } from './schema.ts';

export const TrustFile = struct({
  version: oneOf(1),
  node: Digest,
  /** Encoded `CheckpointProof` that shows the member. */
  proof: bytes({ min: 1, max: LIMITS.checkpointProofBytesMax }),
  /** Encoded `MemberEvidence` of its slots in the state, as far as it is at hand; rising. */
  evidence: list(bytes({ min: 1, max: LIMITS.memberEvidenceBytesMax }), { max: LIMITS.trustSlotsKept }),
});
export type TrustFile = Infer<typeof TrustFile>;

type ExplainedRefusal = Extract<ExplainedTrustVerdict, { readonly status: 'refused' }>['reason'];

export type TrustFileVerdict =
  | {
      readonly status: 'accepted';
      readonly checkpoint: ProvenCheckpoint;
      readonly record: MemberRecord;
      readonly explained: ExplainedTrust;
    }
  | {
      readonly status: 'refused';
      readonly reason: ProofRefusal | 'member-not-shown' | ExplainedRefusal;
      readonly detail: string;
    };

export function encodeTrustFile(file: TrustFile): Uint8Array {
  return encodeStrict(TrustFile, file);
}

/** @param encoded foreign bytes */
export function judgeTrustFile(encoded: Uint8Array, context: ProofContext): TrustFileVerdict {
  const decoded = decodeStrict(TrustFile, encoded, LIMITS.trustFileBytesMax);
  if (decoded.status === 'malformed') return { status: 'refused', reason: 'malformed', detail: decoded.detail };
  const { node, proof, evidence } = decoded.value;
  const checkpoint = judgeCheckpointProof(proof, context);
  if (checkpoint.status === 'refused') return checkpoint;
  const record = checkpoint.members.find((member) => sameBytes(member.node, node));
  if (!record) return { status: 'refused', reason: 'member-not-shown', detail: `the proof does not show the member ${hex(node)}` };
  const verdict = explainTrust(checkpoint, record, evidence, context);
  return verdict.status === 'refused' ? verdict : { status: 'accepted', checkpoint, record, explained: verdict.explained };
}
