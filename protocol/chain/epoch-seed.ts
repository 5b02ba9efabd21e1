/** Seeds of the draws: renewed once an epoch from VRF outputs of the epoch before the last. Specification §12.1. */
import { domainDigest } from '../digest.ts';

/** What an epoch's gathering begins with. */
export const emptyGathering: Uint8Array = new Uint8Array(32);

/** Heights 0 to `epochHeights` − 1 are epoch 0. */
export function epochOf(height: number, epochHeights: number): number {
  return Math.floor(height / epochHeights);
}

/** Seed of epochs 0 and 1. @param vrfPublicAreas TPMT_PUBLIC of the genesis members, in the order of their node ids */
export function genesisSeed(network: Uint8Array, vrfPublicAreas: readonly Uint8Array[]): Uint8Array {
  return domainDigest('epoch-seed', network, ...vrfPublicAreas);
}

/** Seed of epoch e. @param previousSeed that of e − 1. @param gathered the outputs of e − 2 */
export function nextSeed(previousSeed: Uint8Array, gathered: Uint8Array): Uint8Array {
  return domainDigest('epoch-seed', previousSeed, gathered);
}

/** Takes a block's VRF output into what its epoch has gathered so far. */
export function gather(gathered: Uint8Array, output: Uint8Array): Uint8Array {
  return domainDigest('epoch-gather', gathered, output);
}
