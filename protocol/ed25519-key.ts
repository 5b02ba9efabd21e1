/**
 * Which Ed25519 public keys are keys at all. RFC 8032 section 5.1.3 refuses y ≥ p; points of small order, under which
 * one signature fits many messages, are refused too. OpenSSL checks neither, so the rule stands here for everyone.
 */

const fieldPrime = 2n ** 255n - 19n;
const order8 = 0x05fc536d880238b13933c6d305acdfd5f098eff289f4c345b027b2c28f95e826n;
const smallOrder = new Set([0n, 1n, fieldPrime - 1n, order8, fieldPrime - order8]);

/** @param publicKey y little-endian, the sign of x in the highest bit */
export function isUsableEd25519Key(publicKey: Uint8Array): boolean {
  if (publicKey.length !== 32) return false;
  const y = BigInt(`0x${publicKey.toReversed().toHex()}`) & (2n ** 255n - 1n);
  return y < fieldPrime && !smallOrder.has(y);
}
