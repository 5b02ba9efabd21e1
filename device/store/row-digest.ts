/** The digest by which damage to a stored row is found. Specification §14.4. */
import { createHash } from 'node:crypto';

/** 16 bytes of SHA-256 over everything that a row says, and in which table. */
export function digestOf(table: string, ...parts: readonly (string | number | Uint8Array)[]): Uint8Array {
  const hash = createHash('sha256').update(table);
  for (const part of parts) {
    const bytes = part instanceof Uint8Array ? part : new TextEncoder().encode(String(part));
    hash.update(`:${bytes.length}:`).update(bytes);
  }
  return new Uint8Array(hash.digest().subarray(0, 16));
}
