/**
 * The port to authenticated encryption, AES-256-GCM (NIST SP 800-38D). Apart from `crypto.ts`, because verifiers never need
 * it and a browser's own is asynchronous.
 */
export interface Aead {
  /** @param key 32 bytes, which seals one message only: the nonce is zero. @returns ciphertext ‖ tag of 16 bytes */
  seal: (key: Uint8Array, associated: Uint8Array, plain: Uint8Array) => Uint8Array;
  /** @returns undefined where the bytes were not sealed with this key and these associated data */
  open: (key: Uint8Array, associated: Uint8Array, sealed: Uint8Array) => Uint8Array | undefined;
}
