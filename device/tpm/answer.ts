/** What the chip answered, decoded: a chip that answers nonsense is a failure of the world, not a verdict. */
import { SizedBuffer } from '#protocol/tpm/sized-buffer.ts';
import type { Structure } from '#protocol/tpm/wire.ts';

/** @throws Error where the bytes are no such structure */
export function requireDecoded<T>(structure: Structure<T>, bytes: Uint8Array): T {
  const decoded = structure.decode(bytes);
  if (decoded.status === 'decoded') return decoded.value;
  throw new Error(`The TPM answered with a malformed ${structure.name}: ${decoded.detail}`);
}

/** The bytes inside a TPM2B_…, without the two of its length. */
export function unsized(bytes: Uint8Array): Uint8Array {
  return requireDecoded(SizedBuffer, bytes).slice();
}

/** A TPM2B_… around bytes. */
export function sized(bytes: Uint8Array): Uint8Array {
  return SizedBuffer.encode(bytes);
}
