/** The branch of the head, block by block: which evidence stands on it, and which checkpoint was certified when. Pure. Specification §18.2. */
import type { ReadBlock } from '#protocol/chain/block.ts';
import { decodeTransaction } from '#protocol/chain/transaction.ts';
import { slotOf } from '#protocol/chain/trust-slots.ts';
import { hex } from '#protocol/digest.ts';
import { LIMITS } from '#protocol/limits.ts';
import type { Position } from '../ledger/position.ts';
import { TRUST_LIMITS } from './limits.ts';
import type { TrustState } from './state.ts';

/** Forgets what another branch has said. @returns the blocks of the head's branch that were not read before, lowest first */
export function followBranch(state: TrustState, head: Position): ReadBlock[] {
  const { branch, setup } = state;
  for (const memory of [branch.ids, branch.certified]) for (const height of memory.keys()) if (height > head.height) memory.delete(height);
  const from = firstKeptHeight(head, setup.trust.slotHeights);
  const blocks: ReadBlock[] = [];
  for (let height = head.height; height >= 1 && blocks.length < TRUST_LIMITS.lookBackHeights; height -= 1) {
    if (height < from && hasCertificate(state, from)) break;
    const block = setup.blockAt(height);
    if (!block || branch.ids.get(height) === hex(block.id)) break;
    branch.certified.delete(height);
    branch.ids.set(height, hex(block.id));
    blocks.push(block);
    noteCertificates(state, block);
  }
  const lowest = blocks.at(-1)?.header;
  if (lowest?.height === 1) branch.certified.set(0, { number: 0, block: lowest.parent });
  const { number, block } = head.state.core.checkpoint;
  branch.certified.set(head.height, { number, block });
  forget(state, from);
  return blocks.reverse();
}

/** The last certified checkpoint of the branch below a height, the genesis for the first; undefined where the branch is not known so far back. */
export function checkpointBelow({ branch }: TrustState, height: number): number | undefined {
  const at = [...branch.certified.keys()].filter((known) => known < Math.max(height, 1)).reduce((best, known) => Math.max(best, known), -1);
  return branch.certified.get(at)?.number;
}

/** Block of a checkpoint that the branch has certified. */
export function checkpointBlock({ branch }: TrustState, number: number): Uint8Array | undefined {
  return branch.certified.values().find((known) => known.number === number)?.block;
}

function noteCertificates({ branch }: TrustState, { header, transactions }: ReadBlock): void {
  for (const encoded of transactions) {
    const transaction = decodeTransaction(encoded);
    if (transaction.status === 'malformed' || transaction.value.kind !== 'finality') continue;
    const { number, block } = transaction.value.certificate;
    branch.certified.set(header.height, { number, block });
  }
}

/** The first height of the oldest slot of which evidence can still be judged. */
function firstKeptHeight({ height }: Position, slotHeights: number): number {
  return Math.max(1, (slotOf(height, slotHeights) - LIMITS.trustSlotsKept + 1) * slotHeights);
}

/** Whether it is known what was certified when the oldest slot began. */
function hasCertificate({ branch }: TrustState, from: number): boolean {
  return branch.certified.keys().some((height) => height < from);
}

/** Of what was certified below, the newest is what still stood when the oldest slot began. */
function forget({ branch }: TrustState, from: number): void {
  for (const height of branch.ids.keys()) if (height < from) branch.ids.delete(height);
  const below = [...branch.certified.keys()].filter((height) => height < from).sort((left, right) => right - left);
  for (const height of below.slice(1)) branch.certified.delete(height);
}
