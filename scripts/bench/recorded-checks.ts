/** Signature checks of some work, written down while it is done, to be done again by themselves: the floor of whatever checks signatures. */
import type { Crypto } from '#protocol/crypto.ts';

/** The same cryptography, which writes down what it is asked for but for digests. */
export function recordingChecks(crypto: Crypto): { readonly crypto: Crypto; readonly checks: (() => unknown)[] } {
  const checks: (() => unknown)[] = [];
  const noted = <T>(check: () => T): T => {
    checks.push(check);
    return check();
  };
  return {
    checks,
    crypto: {
      ...crypto,
      verifyEd25519: (...parts) => noted(() => crypto.verifyEd25519(...parts)),
      verifyEcdsa: (...parts) => noted(() => crypto.verifyEcdsa(...parts)),
      verifyRsaPkcs1: (...parts) => noted(() => crypto.verifyRsaPkcs1(...parts)),
      rsaPublicOperation: (...parts) => noted(() => crypto.rsaPublicOperation(...parts)),
    },
  };
}
