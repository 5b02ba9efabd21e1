/** The ciphers of pairing by node:crypto: AES-256-GCM, and the stretching of a code, off the thread. Specification §5.6. */
import { createCipheriv, createDecipheriv, scrypt } from 'node:crypto';
import type { Aead } from '#protocol/aead.ts';
import { STRETCH } from '#protocol/spake2plus.ts';

const TAG_BYTES = 16;
/** A key seals one message. */
const nonce = new Uint8Array(12);

export const nodeAead: Aead = {
  seal: (key, associated, plain) => {
    const cipher = createCipheriv('aes-256-gcm', key, nonce).setAAD(associated);
    return new Uint8Array(Buffer.concat([cipher.update(plain), cipher.final(), cipher.getAuthTag()]));
  },
  open: (key, associated, sealed) => {
    if (sealed.length < TAG_BYTES) return undefined;
    const end = sealed.length - TAG_BYTES;
    const decipher = createDecipheriv('aes-256-gcm', key, nonce, { authTagLength: TAG_BYTES }).setAAD(associated);
    decipher.setAuthTag(sealed.subarray(end));
    try {
      return new Uint8Array(Buffer.concat([decipher.update(sealed.subarray(0, end)), decipher.final()]));
    } catch {
      return undefined;
    }
  },
};

/** `stretch` of protocol/spake2plus.ts on a thread of its own: a device has other things to do meanwhile. */
export function stretchAside(input: Uint8Array, salt: Uint8Array): Promise<Uint8Array> {
  const { N, r, p, dkLen } = STRETCH;
  return new Promise((resolve, reject) => {
    scrypt(input, salt, dkLen, { N, r, p, maxmem: 2 * 128 * N * r }, (error, stretched) =>
      error ? reject(error) : resolve(new Uint8Array(stretched)),
    );
  });
}
