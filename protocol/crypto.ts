/**
 * The port through which verification reaches cryptography, so that one set of rules runs on native code in a device
 * and on plain TypeScript in a browser. Keys and signatures come from others: a malformed one is `false`, never thrown.
 */
export type HashAlgorithm = 'sha256' | 'sha384' | 'sha512';
export type Curve = 'P-256' | 'P-384';

export interface Crypto {
  sha256: (bytes: Uint8Array) => Uint8Array;
  sha384: (bytes: Uint8Array) => Uint8Array;
  sha512: (bytes: Uint8Array) => Uint8Array;
  hmacSha256: (key: Uint8Array, bytes: Uint8Array) => Uint8Array;

  /** RFC 8032. `publicKey` 32 bytes, `signature` 64 bytes. Keys of small order are refused. */
  verifyEd25519: (publicKey: Uint8Array, message: Uint8Array, signature: Uint8Array) => boolean;

  /**
   * FIPS 186-5, `s` in either half. A TPM doesn't normalise `s`, so a second valid signature can be made by anyone:
   * never use one as an identifier.
   * @param point SEC1 uncompressed: 0x04, x, y
   * @param message hashed here with `hash`
   * @param signature r then s, each as long as the curve's order
   */
  verifyEcdsa: (curve: Curve, point: Uint8Array, hash: HashAlgorithm, message: Uint8Array, signature: Uint8Array) => boolean;

  /** RFC 8017 section 8.2.2. @param modulus big-endian without leading zero; the signature is exactly as long */
  verifyRsaPkcs1: (modulus: Uint8Array, exponent: number, hash: HashAlgorithm, message: Uint8Array, signature: Uint8Array) => boolean;

  /**
   * RSAVP1, RFC 8017 section 5.2.2: signature^exponent mod modulus, as long as the modulus.
   * @returns undefined where the key is unusable, or the input is not exactly as long as the modulus and below it
   */
  rsaPublicOperation: (modulus: Uint8Array, exponent: number, input: Uint8Array) => Uint8Array | undefined;
}
