/**
 * The draw of a height and the wait that it means: exponentially distributed, so that the shortest of all waits belongs to
 * each seat with the same probability. Integers only, since every member must come to the same millisecond. Specification §12.2.
 */
import { domainDigest, uint64 } from '../digest.ts';
import type { ConsensusParameters } from '../network.ts';

/** Binary digits of L behind the point. */
const fractionBits = 40n;
/** Binary digits of log2 U that are computed. */
const digits = 48n;
/** ⌊ln 2 · 2^40⌋. */
const ln2 = 762_123_384_785n;
const mantissaBits = 63n;

/** What a member's VRF is applied to for a height: 32 bytes, the same for all members and on every branch with this seed. */
export function drawAlpha(network: Uint8Array, seed: Uint8Array, height: number): Uint8Array {
  return domainDigest('poet-draw', network, seed, uint64(height));
}

/**
 * The wait in whole ms.
 * @param output 32 bytes of a VRF whose proof was judged
 * @param seats in force on the branch, at least one
 */
export function waitMsOf(
  output: Uint8Array,
  seats: number,
  parameters: Pick<ConsensusParameters, 'targetIntervalMs' | 'minimumWaitMs'>,
): number {
  const meanMs = BigInt(parameters.targetIntervalMs) * BigInt(seats);
  return parameters.minimumWaitMs + Number((meanMs * negativeLogarithm(output)) >> fractionBits);
}

/** L = −ln(U / 2^64) · 2^40, rounded as §12.2 says: U = 1 + the first 8 bytes. From 0 to 64 · ln 2 · 2^40. */
export function negativeLogarithm(output: Uint8Array): bigint {
  return (((64n << digits) - binaryLogarithm(uniform(output))) * ln2) >> digits;
}

/** 1 ≤ U ≤ 2^64. */
function uniform(output: Uint8Array): bigint {
  return 1n + new DataView(output.buffer, output.byteOffset).getBigUint64(0);
}

/** log2 with 48 binary digits, by squaring: a mantissa that reaches 2 when squared has a one as the next digit. */
function binaryLogarithm(value: bigint): bigint {
  const whole = BigInt(value.toString(2).length - 1);
  let mantissa = (value << mantissaBits) >> whole;
  let logarithm = whole;
  for (let digit = 0n; digit < digits; digit += 1n) {
    mantissa = (mantissa * mantissa) >> mantissaBits;
    const reaches = mantissa >> (mantissaBits + 1n);
    mantissa >>= reaches;
    logarithm = (logarithm << 1n) | reaches;
  }
  return logarithm;
}
