/** Anchors of a network whose chips a test holds. */
import { merkleRoot } from '#protocol/chain/merkle.ts';
import { nobleCrypto } from '#protocol/crypto-noble.ts';
import { blobDigest, hex, uint64 } from '#protocol/digest.ts';
import { packVote } from '#protocol/layer1/anchor-vote.ts';
import { anchorDigest, type AnchorHeader, type AnchorPlace } from '#protocol/layer1/anchor.ts';
import type { SaidVote } from '#protocol/layer1/anchor-message.ts';
import type { AnchoredState } from '#protocol/layer1/anchored-state.ts';
import { creditLeafDigest, memberLeafDigest, verdictLeafDigest, vrfKeyDigest, type MemberLeaf } from '#protocol/layer1/leaf.ts';
import { attestationPoint } from '#protocol/tpm/attestation-key.ts';
import { anchorOf, headerOf, type AnchorEpoch, type AnchorsState } from '../../../device/anchors/anchors-state.ts';
import { startAnchors, stepAnchors, type AnchorsEffect } from '../../../device/anchors/machine.ts';
import { softwareChip, type SoftwareChip } from '../chain/software-chip.ts';

export const place: AnchorPlace = { network: blobDigest(uint64(1)), chainId: 31_337, anchors: new Uint8Array(20).fill(7) };
export const chips: readonly SoftwareChip[] = ['alpha', 'bravo', 'charlie', 'delta', 'echo']
  .map((name) => softwareChip(name))
  .sort((left, right) => (hex(left.node) < hex(right.node) ? -1 : 1));

const zeros = new Uint8Array(32);

export function leafOf({ node, member }: SoftwareChip, standing: MemberLeaf['standing'] = 'seat'): MemberLeaf {
  const point = attestationPoint(member.attestationKey);
  if (!point) throw new Error('no point');
  return { node, ...point, vrf: vrfKeyDigest(member.vrfKey), standing, drawsFromEpoch: 0 };
}

/** The state of an epoch whose seats these chips have. */
export function anchored(epoch: number, seats: readonly SoftwareChip[] = chips.slice(0, 4), change: object = {}): AnchoredState {
  const leaves = {
    members: seats.map((chip) => leafOf(chip)),
    verdicts: seats.map(({ node }) => ({
      ...{ node, slot: 0, word: 'none' as const, attestedUntil: 0, judgedAtMs: 0 },
      ...{ evidence: zeros, judges: zeros, drawnFrom: 0 },
    })),
    credits: seats.map(({ node }) => ({ node, credit: 0, eligible: false })),
  };
  const roots = {
    membersRoot: merkleRoot(leaves.members.map(memberLeafDigest)),
    verdictsRoot: merkleRoot(leaves.verdicts.map(verdictLeafDigest)),
    creditsRoot: merkleRoot(leaves.credits.map(creditLeafDigest)),
  };
  const at = { checkpoint: epoch * 4, height: epoch * 8, blockId: blobDigest(uint64(epoch)), timeMs: epoch * 1_000 };
  const counts = { members: seats.length, seats: seats.length };
  return { moment: { epoch, ...at, seed: blobDigest(uint64(epoch + 100)), ...roots, ...counts, ...change }, leaves };
}

export function startedBy(chip: SoftwareChip, stored: readonly AnchorEpoch[] = []): AnchorsState {
  return startAnchors({ place, crypto: nobleCrypto, node: chip.node }, anchored(0), stored);
}

/** What a chip says of an anchor. */
export function voteOf(chip: SoftwareChip, header: AnchorHeader): SaidVote {
  const anchor = anchorDigest(place, header);
  const vote = packVote(chip.certifyTime(anchor), anchor);
  if (!vote) throw new Error('no vote');
  return { header, vote };
}

/** The state takes an epoch, and its own chip signs where it is asked. @returns all effects */
export function takes(state: AnchorsState, chip: SoftwareChip, given: AnchoredState): AnchorsEffect[] {
  const effects = stepAnchors(state, { type: 'anchored', anchored: given });
  return effects.flatMap((effect) =>
    effect.effect === 'sign'
      ? [effect, ...stepAnchors(state, { type: 'signed', epoch: effect.epoch, certificate: chip.certifyTime(effect.anchor) })]
      : [effect],
  );
}

/** The header of an epoch as the state comes to it. */
export function headerAt(state: AnchorsState, epoch: number): AnchorHeader {
  const header = headerOf(epochAt(state, epoch));
  if (!header) throw new Error(`epoch ${epoch} has no anchor yet`);
  return header;
}

export function epochAt(state: AnchorsState, epoch: number): AnchorEpoch {
  const known = state.epochs.get(epoch);
  if (!known) throw new Error(`no epoch ${epoch}`);
  return known;
}

export function anchorAt(state: AnchorsState, epoch: number): string {
  return hex(anchorOf(state, state.epochs.get(epoch)) ?? zeros);
}

export function namesOf(effects: readonly AnchorsEffect[]): string[] {
  return effects.map((effect) => (effect.effect === 'report' ? effect.report.event : effect.effect));
}
