/** An acceptance as devices give it to clients: a message of 8 fields, about 300 bytes when it is signed. Specification §7.3. */
import { randomBytes } from 'node:crypto';
import type { Acceptance } from '#protocol/client-messages.ts';

export function madeAcceptance(): Acceptance {
  return {
    network: drawn(32),
    node: drawn(32),
    device: 'alpha',
    client: 'you',
    request: drawn(16),
    capsule: drawn(16).toHex(),
    digest: drawn(32),
    acceptedAtMs: Date.now(),
  };
}

function drawn(count: number): Uint8Array {
  return new Uint8Array(randomBytes(count));
}
