/** What a device shows of the state so that nobody need believe it: proofs, and evidence that has its digest there. Specification §13.8, §14.5. */
import type { ReadBlock } from '#protocol/chain/block.ts';
import type { BareBlock } from '#protocol/chain/shown-checkpoint.ts';
import { decodeAction } from '#protocol/chain/signed-action.ts';
import { decodeTransaction } from '#protocol/chain/transaction.ts';
import { sameBytes } from '#protocol/codec.ts';
import { hex } from '#protocol/digest.ts';
import { LIMITS } from '#protocol/limits.ts';
import type { Network } from '#protocol/network.ts';
import { CHAIN_LIMITS } from '../limits.ts';
import type { AnchoredArchive } from './anchored-archive.ts';
import type { Chain, ChainView, ShowChain } from './chain-port.ts';

type Shown = ReturnType<ShowChain>;

export interface ProvingChain extends Pick<Chain, 'finalised'> {
  proofOfState(nodes: readonly Uint8Array[]): Uint8Array | undefined;
}

/** As many as are asked for, or as one answer has room for. */
export function showState(chain: ProvingChain, asked: { readonly from: Uint8Array; readonly count: number }): Shown {
  const nodes = [...chain.finalised().state.members].flatMap(([key, { node }]) => (key >= hex(asked.from) ? [node] : []));
  for (let { count } = asked; count > 0; count = Math.floor(count / 2)) {
    const proof = chain.proofOfState(nodes.slice(0, count));
    if (!proof) return refused('no-proof', whyNoProof(chain.finalised()));
    const next = nodes[count];
    if (proof.length <= LIMITS.checkpointProofBytesMax) return { status: 'shown', view: { show: 'state', proof, ...(next && { next }) } };
  }
  return refused('no-proof', `a proof with one member has more than ${LIMITS.checkpointProofBytesMax} bytes`);
}

function whyNoProof({ number }: ReturnType<Chain['finalised']>): string {
  if (number === 0) return 'nothing is final yet; ask again when the first checkpoint is certified';
  return 'this device started from a checkpoint and lacks earlier changes of seats, or the block; ask another device';
}

interface BlockSource {
  blockOnHead(height: number): ReadBlock | undefined;
}

interface EvidenceParts {
  readonly consensus: ProvingChain & BlockSource;
  readonly network: Pick<Network, 'genesis'>;
}

/** Looked for in the blocks of the slot, the newest first. */
export function showEvidence({ consensus, network }: EvidenceParts, asked: { readonly node: Uint8Array; readonly slot: number }): Shown {
  const { trust } = network.genesis;
  const finalised = consensus.finalised();
  if (!trust || !isKnown(finalised, asked))
    return refused('unknown-evidence', `no evidence of slot ${asked.slot} of ${hex(asked.node)} is in the state`);
  const end = (asked.slot + 1) * trust.slotHeights;
  const lowest = Math.max(1, asked.slot * trust.slotHeights, end - CHAIN_LIMITS.evidenceHeightsMax);
  for (let height = Math.min(finalised.height, end - 1); height >= lowest; height -= 1) {
    const evidence = evidenceIn(consensus.blockOnHead(height), asked);
    if (evidence) return { status: 'shown', view: { show: 'evidence', evidence } };
  }
  return refused('unknown-evidence', `the block with the evidence of slot ${asked.slot} of ${hex(asked.node)} is not kept here`);
}

function isKnown({ state }: ChainView, { node, slot }: { readonly node: Uint8Array; readonly slot: number }): boolean {
  return state.members.get(hex(node))?.trust?.slots.some((known) => known.slot === slot) ?? false;
}

function evidenceIn(block: ReadBlock | undefined, asked: { readonly node: Uint8Array; readonly slot: number }): Uint8Array | undefined {
  for (const encoded of block?.transactions ?? []) {
    const transaction = decodeTransaction(encoded);
    if (transaction.status === 'malformed' || transaction.value.kind !== 'signed' || !sameBytes(transaction.value.by, asked.node)) continue;
    const action = decodeAction(transaction.value.body);
    if (action.status === 'decoded' && action.value.action === 'attestation' && action.value.slot === asked.slot)
      return action.value.evidence;
  }
  return undefined;
}

/** What layer 1 does not hold of an anchor (§20.10). */
export function showAnchor(archive: Pick<AnchoredArchive, 'at'> | undefined, height: number): Shown {
  const seats = archive?.at(height);
  if (!seats) return refused('no-proof', `this device keeps no checkpoint with an anchor at height ${height}; ask another device`);
  if (seats.length <= LIMITS.anchoredSeatsBytesMax) return { status: 'shown', view: { show: 'anchor', seats } };
  return refused('no-proof', `the seats at height ${height} have ${seats.length} bytes, more than one answer`);
}

export function showLink(
  chain: BlockSource & Pick<Chain, 'finalised'>,
  { above, to }: { readonly above: number; readonly to: number },
): Shown {
  const blocks: BareBlock[] = [];
  const end = Math.min(to, chain.finalised().height);
  for (let height = above + 1; height <= end && blocks.length < LIMITS.bareBlocksMax; height += 1) {
    const block = chain.blockOnHead(height);
    if (!block) return refused('no-proof', `block ${height} is not kept here; ask another device`);
    blocks.push({ header: block.headerBytes, end: block.end });
  }
  return { status: 'shown', view: { show: 'link', blocks } };
}

function refused(reason: 'no-proof' | 'unknown-evidence', detail: string): Shown {
  return { status: 'refused', reason, detail };
}
