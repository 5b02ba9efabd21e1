/** How it stood with a member at a checkpoint that layer 1 holds: from the anchor's digest alone, for as long as the contract is there. Specification §20.10. */
import type { MemberRecord } from '#protocol/chain/state.ts';
import { sameBytes } from '#protocol/codec.ts';
import { nobleCrypto } from '#protocol/crypto-noble.ts';
import { hex } from '#protocol/digest.ts';
import { explainTrust, type ExplainedTrust, type StateInView } from '#protocol/explained-trust.ts';
import type { TrustedAnchor } from '#protocol/layer1/anchor-file.ts';
import { decodeMemberEvidence, memberEvidenceDigest } from '#protocol/member-evidence.ts';
import type { Network, Reference } from '#protocol/network.ts';
import { CommandFailure } from '../capsule/failure.ts';
import { UNLISTED } from '../capsule/verify-from-contract.ts';
import { timeText } from '../terminal.ts';

export interface TrustAtAnchor {
  readonly record: MemberRecord;
  readonly explained: ExplainedTrust;
  /** With the references by which the evidence was judged. */
  readonly network: Network;
}

/**
 * @param evidence as it is at hand; what the state of the anchor does not name is left out
 * @param references absent: what was measured counts as listed, and is labelled as not. @throws CommandFailure
 */
export function trustAtAnchor(
  { header, network: known, state }: TrustedAnchor,
  node: Uint8Array,
  evidence: readonly Uint8Array[],
  references?: readonly Reference[],
): TrustAtAnchor {
  if (!state) throw new CommandFailure(1, 'anchor 0 is of the founders, whom nobody has judged yet');
  const record = state.members.find((member) => sameBytes(member.node, node));
  if (!record)
    throw new CommandFailure(
      1,
      `anchor ${header.epoch} does not show the member ${hex(node).slice(0, 16)}; only those with a seat may be shown`,
    );
  const shown = evidence.filter((encoded) => isNamed(encoded, record));
  const network = { ...known, references: [...(references ?? shown.flatMap(measuredIn))] };
  const view: StateInView = { number: header.checkpoint, core: state.core };
  const verdict = explainTrust(view, record, shown, { network, crypto: nobleCrypto });
  if (verdict.status === 'refused') throw new CommandFailure(1, `${verdict.reason}: ${verdict.detail}`);
  return { record, explained: verdict.explained, network };
}

/** "anchor 12 on chain 31337, which is of checkpoint 78 (height 81, 2026-11-21 22:17:05 UTC)" */
export function anchorWords({ header, place }: TrustedAnchor): string {
  const { epoch, checkpoint, height, timeMs } = header;
  return `anchor ${epoch} on chain ${place.chainId}, which is of checkpoint ${checkpoint} (height ${height}, ${timeText(timeMs)})`;
}

function isNamed(encoded: Uint8Array, { trust }: MemberRecord): boolean {
  const decoded = decodeMemberEvidence(encoded);
  if (decoded.status === 'malformed') return false;
  const digest = memberEvidenceDigest(decoded.value);
  return trust?.slots.some((slot) => sameBytes(slot.evidence, digest)) ?? false;
}

function measuredIn(encoded: Uint8Array): Reference[] {
  const decoded = decodeMemberEvidence(encoded);
  return decoded.status === 'malformed' ? [] : decoded.value.eventLog.map(({ kind, digest }) => ({ kind, digest, label: UNLISTED }));
}

/** Beside a file of `trust export`. */
export function anchorFileOf(file: string): string {
  return `${file}.anchor`;
}
