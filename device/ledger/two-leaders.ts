/**
 * Which two blocks draw a capsule's box. Pure. Specification §15.2.
 *
 * A member knows its own outputs for a whole epoch, and a gateway chooses when it orders and, with a client's help, the capsule's id: were
 * the draw one member's, those two could choose the box.
 */
import { boxDraw } from '#protocol/chain/public-draw.ts';
import type { CapsuleRecord, ChainState } from '#protocol/chain/state.ts';
import { sameBytes } from '#protocol/codec.ts';
import { LIMITS } from '#protocol/limits.ts';
import { recordOf } from './member-identity.ts';
import type { Lead } from './position.ts';

export interface DrawingBlock {
  readonly leader: Uint8Array;
  /** VRF output of its draw. */
  readonly output: Uint8Array;
  readonly height: number;
}

/** Seats whose draws count, so that they may lead. */
export function drawingSeats(state: ChainState): readonly Uint8Array[] {
  const { seats, epoch } = state.core;
  return seats.filter((node) => (recordOf(state, node)?.drawsFromEpoch ?? Infinity) <= epoch.number);
}

/** The block that orders a capsule, or another attempt, as the first of the two; undefined where the gateway leads it. */
export function firstDrawing(gateway: Uint8Array, lead: Lead | undefined, height: number): DrawingBlock | undefined {
  return lead && !sameBytes(lead.node, gateway) ? { leader: lead.node, output: lead.output, height } : undefined;
}

/** The capsule with the first of its blocks noted, and the draw where this block is the second, or one before was. */
export function withDraw(
  record: CapsuleRecord,
  block: DrawingBlock,
  seats: readonly Uint8Array[],
): { readonly record: CapsuleRecord; readonly draw?: Uint8Array } {
  if (record.draw) return { record, draw: record.draw };
  const others = seats.filter((node) => !sameBytes(node, record.gateway)).length;
  if (others === 0) return { record, draw: block.output };
  if (sameBytes(block.leader, record.gateway)) return { record };
  if (others === 1) return { record, draw: block.output };
  const { drawing: first } = record;
  if (!first) return { record: { ...record, drawing: { ...block } } };
  const isOther = !sameBytes(first.leader, block.leader) || block.height - first.height >= LIMITS.drawOtherLeaderHeights;
  return isOther ? { record, draw: boxDraw(first.output, block.output) } : { record };
}
