/** What somebody may say in a while: messages and bytes that come back at a pace, and what went beyond them. Pure. Specification §6.7, §14.3. */

export interface Pace {
  readonly messagesPerSecond: number;
  readonly messageBurst: number;
  readonly bytesPerSecond: number;
  readonly byteBurst: number;
}

/** What is left, and when that was reckoned (ms of a clock that only goes forward). */
export interface Allowance {
  readonly messages: number;
  readonly bytes: number;
  readonly atMs: number;
  /** Messages that were dropped since whoever it is of last kept within it. */
  readonly dropped: number;
}

export type Spending =
  | { readonly status: 'accepted'; readonly allowance: Allowance }
  | { readonly status: 'refused'; readonly reason: 'too-many' | 'too-much'; readonly allowance: Allowance };

export function fullAllowance({ messageBurst, byteBurst }: Pace, atMs: number): Allowance {
  return { messages: messageBurst, bytes: byteBurst, atMs, dropped: 0 };
}

/** One message of so many bytes. */
export function spend(before: Allowance, pace: Pace, bytes: number, atMs: number): Spending {
  const left = regained(before, pace, atMs);
  const reason = left.messages < 1 ? 'too-many' : left.bytes < bytes ? 'too-much' : undefined;
  if (reason !== undefined) return { status: 'refused', reason, allowance: withDrop(left) };
  return { status: 'accepted', allowance: { ...left, messages: left.messages - 1, bytes: left.bytes - bytes } };
}

export function withDrop(allowance: Allowance): Allowance {
  return { ...allowance, dropped: allowance.dropped + 1 };
}

export function regained(before: Allowance, pace: Pace, atMs: number): Allowance {
  const seconds = Math.max(0, atMs - before.atMs) / 1_000;
  const messages = Math.min(pace.messageBurst, before.messages + seconds * pace.messagesPerSecond);
  const bytes = Math.min(pace.byteBurst, before.bytes + seconds * pace.bytesPerSecond);
  return { messages, bytes, atMs, dropped: messages >= pace.messageBurst ? 0 : before.dropped };
}
