/** A network of four software chips whose members judge one another: a checkpoint's state in which one was judged, and the proof of it. §18. */
import { encodeCheckpointProof, judgeCheckpointProof, type ProvenCheckpoint } from '#protocol/chain/checkpoint-proof.ts';
import { stateRoot, proveState } from '#protocol/chain/state-root.ts';
import { StateMap } from '#protocol/chain/state-map.ts';
import type { ChainState } from '#protocol/chain/state.ts';
import type { JudgedSlot, MemberTrust } from '#protocol/chain/trust-state.ts';
import { nobleCrypto } from '#protocol/crypto-noble.ts';
import { blobDigest, hex } from '#protocol/digest.ts';
import { encodeMemberEvidence, memberEvidenceDigest, memberEvidenceQualifier, type MemberEvidence } from '#protocol/member-evidence.ts';
import { networkId, type Network } from '#protocol/network.ts';
import { encodeTrustFile } from '#protocol/trust-file.ts';
import { blockWith, certificateOf, founded, founders, stateWith } from '../chain/proof-workshop.ts';
import { measuredEvents, type SoftwareChip } from '../chain/software-chip.ts';

export const network: Network = {
  ...founded,
  genesis: { ...founded.genesis, trust: { slotHeights: 48, judges: 2, trustedCheckpoints: 144, plantedOneIn: 8 } },
  references: measuredEvents.map(({ kind, digest }) => ({ kind, digest, label: `good ${kind}` })),
};
export const networkIdentity = networkId(network);
export const [subject] = founders as readonly [SoftwareChip, ...SoftwareChip[]];
export const others: readonly SoftwareChip[] = founders.slice(1);

/** @param eventLog that the chip has extended, known to the network file or not */
export function evidenceOf(chip: SoftwareChip, eventLog: MemberEvidence['eventLog'] = [...measuredEvents]): MemberEvidence {
  const about = { checkpoint: { number: 3, block: blobDigest(Uint8Array.of(3)) }, operationalKey: chip.operationalKey };
  const qualifier = memberEvidenceQualifier(networkIdentity, chip.node, about);
  const { quote, quoteSignature, pcrs } = chip.makeVoucher(networkIdentity, { qualifier, eventLog });
  return { ...about, quote, quoteSignature, pcrs, eventLog };
}

/** As the state holds it after its block. */
export function slotWith(evidence: MemberEvidence, changed: Partial<JudgedSlot> = {}): JudgedSlot {
  const boot = { key: evidence.operationalKey, resetCount: 3, restartCount: 1 };
  return { slot: 2, evidence: memberEvidenceDigest(evidence), timeMs: 100_000, boot, log: 'replays', ...changed };
}

export function judged(word: 'trusted' | 'untrusted' | 'disputed', voters: readonly SoftwareChip[]): NonNullable<JudgedSlot['verdict']> {
  return { word, height: 101, before: 'trusted', voters: voters.map(({ node }) => node) };
}

export function trustWith(changed: Partial<MemberTrust> = {}): MemberTrust {
  return { credit: 256, attestedUntil: 147, word: 'trusted', judgedIn: 3, slots: [], ...changed };
}

/** @param trust of the subject; the others were never judged */
export function stateJudging(trust: MemberTrust): ChainState {
  const seats = founders.map(({ node }) => node);
  const { core, members, ...rest } = stateWith(seats);
  const records = [...members.values()].filter(({ node }) => seats.some((seat) => hex(seat) === hex(node)));
  const own = (node: Uint8Array): MemberTrust => (hex(node) === hex(subject.node) ? trust : trustWith());
  const draws = [{ slot: 2, seed: blobDigest(Uint8Array.of(2)), seats, weights: Uint8Array.of(2, 2, 2, 2) }];
  const judging = StateMap.of(records.map((record) => [hex(record.node), { ...record, trust: own(record.node) }] as const));
  return { ...rest, core: { ...core, seatsToCome: core.seatsToCome.slice(0, 1), draws }, members: judging };
}

/** Checkpoint 5 at height 112. */
export function proofOf(state: ChainState, nodes: readonly Uint8Array[] = [subject.node]): Uint8Array {
  const block = blockWith(112, { state: stateRoot(state), network: networkIdentity });
  const voters = founders.slice(0, 3);
  const shown = {
    certificate: certificateOf(block, 5, voters),
    block: { header: block.headerBytes, end: block.end },
    state: proveState(state, nodes),
  };
  return encodeCheckpointProof({ shown, vouchers: voters.map((chip) => chip.makeVoucher(networkIdentity)), changes: [] });
}

export function provenOf(state: ChainState, nodes?: readonly Uint8Array[]): ProvenCheckpoint {
  const verdict = judgeCheckpointProof(proofOf(state, nodes), { network, crypto: nobleCrypto });
  if (verdict.status === 'refused') throw new Error(`${verdict.reason}: ${verdict.detail}`);
  return verdict;
}

export function fileOf(trust: MemberTrust, evidence: readonly MemberEvidence[] = []): Uint8Array {
  return encodeTrustFile({
    version: 1,
    node: subject.node,
    proof: proofOf(stateJudging(trust)),
    evidence: evidence.map(encodeMemberEvidence),
  });
}
