/**
 * What box and device say to each other through a broker of somebody else: bytes of a stream by number, credit for them, the end.
 * Specification §5.7.
 */
import { decodeBulk, type Decoded } from '../codec.ts';
import { LIMITS } from '../limits.ts';
import { bytes, integer, oneOf, struct, variant, type Infer } from '../schema.ts';

const Count = integer({ min: 0, max: Number.MAX_SAFE_INTEGER });

/** Why an end has closed. */
export const RELAY_REASONS = [
  ...(['done', 'no-window', 'full', 'leaving', 'unused', 'lost', 'stalled', 'silent'] as const),
  ...(['malformed', 'beyond-credit', 'too-many'] as const),
] as const;
export type RelayReason = (typeof RELAY_REASONS)[number];

/** The first word of a session, by the box. */
export const RelayOpen = struct({ version: integer({ min: 1, max: 1 }) });

export const RelayFrame = variant('frame', {
  /** `number` counts the data frames of this direction from 0. */
  data: struct({ number: Count, bytes: bytes({ min: 1, max: LIMITS.relayDataBytesMax }) }),
  /** Data frames with a number below this may be sent. */
  credit: struct({ below: Count }),
  /** `after`: so many data frames were sent before. */
  close: struct({ after: Count, reason: oneOf(...RELAY_REASONS) }),
});
export type RelayFrame = Infer<typeof RelayFrame>;

export function decodeRelayFrame(payload: Uint8Array): Decoded<RelayFrame> {
  return decodeBulk(RelayFrame, payload, LIMITS.relayFrameBytesMax);
}

/** Whether a payload asks for a session. */
export function isRelayOpen(payload: Uint8Array): boolean {
  return decodeBulk(RelayOpen, payload, LIMITS.relayFrameBytesMax).status === 'decoded';
}
