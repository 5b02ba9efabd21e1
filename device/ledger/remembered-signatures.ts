/**
 * Signatures that were checked once. Pure. The answers are those of the port: the same transaction is judged for the pool, for the block
 * that a member composes, and in the block that it takes.
 */
import type { Crypto } from '#protocol/crypto.ts';
import { hex } from '#protocol/digest.ts';

/** The port, remembering the right signatures that it saw last; wrong ones are checked every time, so that nobody can push others out for free. */
export function rememberingSignatures(crypto: Crypto, countMax: number): Crypto {
  const right = new Set<string>();
  const remembered = (parts: readonly Uint8Array[], holds: () => boolean): boolean => {
    const id = hex(crypto.sha256(joined(parts)));
    if (right.has(id)) return true;
    if (!holds()) return false;
    right.add(id);
    const [oldest] = right;
    if (right.size > countMax && oldest !== undefined) right.delete(oldest);
    return true;
  };
  return {
    ...crypto,
    verifyEd25519: (publicKey, message, signature) =>
      publicKey.length === 32 &&
      signature.length === 64 &&
      remembered([ed25519, publicKey, signature, message], () => crypto.verifyEd25519(publicKey, message, signature)),
    verifyEcdsa: (curve, point, hash, message, signature) => {
      const check = (): boolean => crypto.verifyEcdsa(curve, point, hash, message, signature);
      const isOurs = curve === 'P-256' && hash === 'sha256' && point.length === 65 && signature.length === 64;
      return isOurs ? remembered([ecdsa, point, signature, message], check) : check();
    },
  };
}

const ed25519 = Uint8Array.of(1);
const ecdsa = Uint8Array.of(2);

/** Of fixed lengths but for the last, so that no two lists of parts are the same bytes. */
function joined(parts: readonly Uint8Array[]): Uint8Array {
  const whole = new Uint8Array(parts.reduce((length, part) => length + part.length, 0));
  let at = 0;
  for (const part of parts) {
    whole.set(part, at);
    at += part.length;
  }
  return whole;
}
