/** Slots, the moment in each at which a member shows evidence, and which are planted. Specification §18.1, §18.7. */
import { domainDigest, uint64 } from '../digest.ts';

/** What is drawn in a slot is drawn by the epoch's seed at its first block. */
export interface SlotSeed {
  readonly slot: number;
  readonly seed: Uint8Array;
}

export function slotOf(height: number, slotHeights: number): number {
  return Math.floor(height / slotHeights);
}

/** What the VRF of a member's moment is over. */
export function momentAlpha(network: Uint8Array, { slot, seed }: SlotSeed): Uint8Array {
  return domainDigest('attestation-moment', network, seed, uint64(slot));
}

/** The first height at which the evidence counts. @param output of the VRF */
export function momentHeight(output: Uint8Array, slot: number, slotHeights: number): number {
  return slot * slotHeights + Number(leading(output) % BigInt(Math.ceil((slotHeights * 3) / 4)));
}

/** What the VRF of a planted challenge is over. */
export function challengeAlpha(network: Uint8Array, { slot, seed }: SlotSeed): Uint8Array {
  return domainDigest('planted-challenge', network, seed, uint64(slot));
}

/** @param output of the VRF. @param oneIn 0: none is */
export function isPlanted(output: Uint8Array, oneIn: number): boolean {
  return oneIn > 0 && leading(output) % BigInt(oneIn) === 0n;
}

function leading(output: Uint8Array): bigint {
  return new DataView(output.buffer, output.byteOffset).getBigUint64(0);
}
