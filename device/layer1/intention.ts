/** An intention: a transaction with a name, which is done once however often it is asked for, and how far it is. Pure. Specification §20.8. */
import type { Fees } from '#contracts/evm.ts';
import { sameBytes } from '#protocol/codec.ts';
import { Digest } from '#protocol/digest.ts';
import { bytes, fixedBytes, integer, list, oneOf, optional, struct, text, variant, type Infer } from '#protocol/schema.ts';
import { LAYER1_LIMITS } from './limits.ts';

const Count = integer({ min: 0, max: Number.MAX_SAFE_INTEGER });
/** Decimal: wei don't fit a number. */
const Wei = text({ max: 78, pattern: /^(?:0|[1-9]\d*)$/, like: 'a whole number of wei' });
const Words = text({ max: LAYER1_LIMITS.wordsMax });

export const Intention = struct({
  /** Such as `post/7`: whoever asks chooses it, and asks by it again. */
  name: text({ min: 1, max: 120 }),
  to: fixedBytes(20),
  data: bytes({ min: 0, max: LAYER1_LIMITS.dataBytesMax }),
  value: Wei,
});
export type Intention = Infer<typeof Intention>;

/** Why nothing was sent yet, or no higher fee. */
export const WAITING = ['turn', 'chain-away', 'endpoints-differ', 'dear', 'budget', 'funds'] as const;
/** Why it never will be: the contract said no, it was included and failed, another transaction took its nonce, it needs more gas than a block gives. */
export const REFUSALS = ['would-revert', 'reverted', 'displaced', 'too-much-gas'] as const;

const Block = { block: Count, hash: Digest };

export const Standing = variant('state', {
  waiting: struct({ why: oneOf(...WAITING) }),
  sent: struct({ held: optional(oneOf(...WAITING)) }),
  bumped: struct({ held: optional(oneOf(...WAITING)) }),
  included: struct(Block),
  /** In a block, and failed there; refused when that is final. */
  failed: struct({ ...Block, detail: Words }),
  final: struct(Block),
  refused: struct({ reason: oneOf(...REFUSALS), detail: Words }),
});
export type Standing = Infer<typeof Standing>;

const StoredFees = variant('market', { legacy: struct({ price: Wei }), 'base-fee': struct({ price: Wei, tip: Wei }) });

/** One signed transaction of an intention; all attempts share a nonce, so at most one is ever in a block. */
const Attempt = struct({ hash: Digest, raw: bytes({ min: 1, max: 2 * LAYER1_LIMITS.dataBytesMax }), fees: StoredFees });

export const Sending = struct({
  intention: Intention,
  /** Rises with each that is asked for: of equal urgency the first that waits is done next. */
  place: Count,
  standing: Standing,
  attempts: list(Attempt, { max: LAYER1_LIMITS.attemptsMax }),
  nonce: Count,
  gas: Count,
  /** What it costs at most, or has cost, counted for the day in which it was last signed. */
  charged: Wei,
  /** What refused tries under its name have cost in the same day. */
  lost: Wei,
  day: Count,
  /** Unix time in milliseconds of its last change. */
  atMs: Count,
});
export type Sending = Infer<typeof Sending>;

export function storedFees(fees: Fees): Infer<typeof StoredFees> {
  return fees.market === 'legacy'
    ? { market: 'legacy', price: String(fees.gasPrice) }
    : { market: 'base-fee', price: String(fees.maxFeePerGas), tip: String(fees.maxPriorityFeePerGas) };
}

export function feesOf(stored: Infer<typeof StoredFees>): Fees {
  return stored.market === 'legacy'
    ? { market: 'legacy', gasPrice: BigInt(stored.price) }
    : { market: 'base-fee', maxFeePerGas: BigInt(stored.price), maxPriorityFeePerGas: BigInt(stored.tip) };
}

export function sameIntention(left: Intention, right: Intention): boolean {
  return left.name === right.name && left.value === right.value && sameBytes(left.to, right.to) && sameBytes(left.data, right.data);
}

/** A challenge runs against a window. */
export function isChallenge({ intention }: Sending): boolean {
  return intention.name.startsWith('challenge/');
}

export function isPost({ intention }: Sending): boolean {
  return intention.name.startsWith('post/');
}

/** Challenges first and posts last, so that what is fetched pays for them; of each kind the first that was asked for. */
export function byUrgency(left: Sending, right: Sending): number {
  return urgencyOf(left) - urgencyOf(right) || left.place - right.place;
}

function urgencyOf(sending: Sending): number {
  return isChallenge(sending) ? 0 : isPost(sending) ? 2 : 1;
}

/** Nothing changes any more. */
export function isEnded({ standing }: Sending): boolean {
  return standing.state === 'final' || standing.state === 'refused';
}

/** Signed, and in no block. */
export function isUnderWay({ standing }: Sending): boolean {
  return standing.state === 'sent' || standing.state === 'bumped';
}

/** Its transactions are looked for in blocks. */
export function isSigned(sending: Sending): boolean {
  return sending.attempts.length > 0 && !isEnded(sending);
}
