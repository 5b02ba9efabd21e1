/** One look at a chain for a sender: everything it needs to know, at one block on which the endpoints agree. Specification §20.8. */
import { hex } from '#protocol/digest.ts';
import { readCount, readQuantity, readReceipt, type Block, type Receipt } from './answers.ts';
import { describeComparison, type Comparison } from './comparison.ts';
import { quantity, valueOf, type Endpoints, type Question } from './endpoints.ts';
import type { Answer } from './json-rpc.ts';
import { LAYER1_LIMITS } from './limits.ts';
import type { ChainView, Inclusion, Trial } from './sender.ts';

/** How a chain says what is final: by its tag, or nothing, and then by depth. */
export type Finality = 'tag' | 'depth';

export type Look =
  | { readonly status: 'seen'; readonly view: ChainView }
  | { readonly status: 'not-seen'; readonly why: 'chain-away' | 'endpoints-differ'; readonly words: string };

export interface LookedFor {
  readonly address: Uint8Array;
  readonly finality: Finality;
  /** Transactions, and the call of each, to say why one failed. */
  readonly transactions: readonly { readonly hash: Uint8Array; readonly call: Call }[];
}

export interface Call {
  readonly to: Uint8Array;
  readonly data: Uint8Array;
  /** In wei, decimal. */
  readonly value: string;
}

/** @param wordsOfError what a contract said, in words */
export async function lookAt(endpoints: Endpoints, wanted: LookedFor, wordsOfError: (data: Uint8Array) => string): Promise<Look> {
  try {
    const head = required(await endpoints.head());
    const final = await finalBlock(endpoints, head, wanted.finality);
    const [nonce, finalNonce, balance] = await Promise.all([
      endpoints.ask(ofAccount('eth_getTransactionCount', wanted.address, head.number, readCount)),
      endpoints.ask(ofAccount('eth_getTransactionCount', wanted.address, final, readCount)),
      endpoints.ask(ofAccount('eth_getBalance', wanted.address, head.number, readQuantity)),
    ]);
    const offered = await offeredFee(endpoints, head);
    if (offered === undefined) return { status: 'not-seen', why: 'chain-away', words: 'no endpoint offers a fee' };
    const found = await Promise.all(wanted.transactions.map((one) => inclusionOf(endpoints, one, head, wanted.address, wordsOfError)));
    const view = {
      head: head.number,
      final,
      nonce: required(nonce),
      finalNonce: required(finalNonce),
      balance: required(balance),
      market: { baseFee: head.baseFee, offered },
      included: new Map(found.flatMap((one) => (one ? [one] : []))),
    };
    return { status: 'seen', view };
  } catch (error) {
    if (error instanceof NotAgreed) return { status: 'not-seen', why: error.why, words: error.message };
    throw error;
  }
}

/** What would happen, on the newest block. */
export async function tryCall(
  endpoints: Endpoints,
  from: Uint8Array,
  call: Call,
  wordsOfError: (data: Uint8Array) => string,
): Promise<Trial> {
  try {
    const head = required(await endpoints.head());
    const outcome = required(await endpoints.ask(calling(from, call, head.number)));
    if (outcome.status === 'reverted') return { status: 'reverts', words: wordsOfRevert(outcome, wordsOfError) };
    const gas = middle(
      await endpoints.opinions({ ...ofCall('eth_estimateGas', from, call, head.number), read: valueOf(readCount), words: String }),
    );
    return gas === undefined ? { status: 'unknown', why: 'chain-away' } : { status: 'passes', gas };
  } catch (error) {
    if (error instanceof NotAgreed) return { status: 'unknown', why: error.why };
    throw error;
  }
}

/** How those who are asked answer: an agreed value, or the reason why there is none. */
class NotAgreed extends Error {
  readonly why: 'chain-away' | 'endpoints-differ';

  constructor(comparison: Exclude<Comparison<unknown>, { readonly status: 'agreed' }>) {
    super(describeComparison(comparison));
    this.why = comparison.status === 'differ' ? 'endpoints-differ' : 'chain-away';
  }
}

function required<T>(comparison: Comparison<T>): T {
  if (comparison.status !== 'agreed') throw new NotAgreed(comparison);
  return comparison.value;
}

/** As tip or as price; where nobody names a tip, what the price has above the base fee. */
async function offeredFee(endpoints: Endpoints, { baseFee }: Block): Promise<bigint | undefined> {
  const named = baseFee === undefined ? undefined : middle(await endpoints.opinions(tip));
  if (named !== undefined) return named;
  const price = middle(await endpoints.opinions(gasPrice));
  const above = price === undefined ? undefined : price - (baseFee ?? 0n);
  return above !== undefined && above < 0n ? 0n : above;
}

/** The lowest of what endpoints name as final: who is ahead, or lies, makes nothing final too early. */
async function finalBlock(endpoints: Endpoints, head: Block, finality: Finality): Promise<number> {
  if (finality === 'depth') return Math.max(0, head.number - LAYER1_LIMITS.finalityDepthBlocks);
  const read = valueOf((value) => readCount((value as { readonly number?: unknown } | null)?.number));
  const named = await endpoints.opinions({ method: 'eth_getBlockByNumber', params: ['finalized', false], read, words: String });
  return Math.min(head.number, ...(named.length > 0 ? named : [0]));
}

async function inclusionOf(
  endpoints: Endpoints,
  { hash, call }: LookedFor['transactions'][number],
  head: Block,
  from: Uint8Array,
  wordsOfError: (data: Uint8Array) => string,
): Promise<readonly [string, Inclusion] | undefined> {
  const receipt = required(await endpoints.ask(receiptUpTo(hash, head.number)));
  if (receipt === 'none') return undefined;
  const { block, cost, ok } = receipt;
  const inclusion = { block: block.number, hash: block.hash, cost };
  if (ok) return [hex(hash), inclusion];
  const again = await endpoints.ask(calling(from, call, Math.max(0, block.number - 1)));
  const failure =
    again.status === 'agreed' && again.value.status === 'reverted' ? wordsOfRevert(again.value, wordsOfError) : 'it failed in its block';
  return [hex(hash), { ...inclusion, failure }];
}

/** A block above the one that is looked at is none yet: else who is ahead of the others would seem to differ. */
function receiptUpTo(hash: Uint8Array, head: number): Question<Receipt | 'none'> {
  const read = valueOf(readReceipt);
  return {
    method: 'eth_getTransactionReceipt',
    params: [`0x${hash.toHex()}`],
    read: (answer) => {
      const receipt = read(answer);
      return receipt !== undefined && receipt !== 'none' && receipt.block.number > head ? 'none' : receipt;
    },
    words: (receipt) =>
      receipt === 'none'
        ? 'no receipt'
        : `a receipt of block ${receipt.block.hash.toHex()}, ${receipt.ok ? 'done' : 'failed'}, ${receipt.cost} wei`,
  };
}

type Outcome =
  | { readonly status: 'returned'; readonly data: string }
  | { readonly status: 'reverted'; readonly words: string; readonly data?: Uint8Array };

function calling(from: Uint8Array, call: Call, block: number): Question<Outcome> {
  return {
    ...ofCall('eth_call', from, call, block),
    read: outcomeOf,
    words: (outcome) =>
      outcome.status === 'returned'
        ? `that it returns ${outcome.data.slice(0, 80)}`
        : `that it reverts with ${outcome.data?.toHex() ?? 'nothing'}`,
  };
}

/** Without data a refusal is a revert only where the endpoint says so: it may as well have no such block. */
function outcomeOf(answer: Answer): Outcome | undefined {
  if (answer.status === 'answered') return typeof answer.value === 'string' ? { status: 'returned', data: answer.value } : undefined;
  if (answer.status === 'away' || (answer.data === undefined && !/revert/i.test(answer.words))) return undefined;
  return { status: 'reverted', words: answer.words, ...(answer.data && { data: answer.data }) };
}

function wordsOfRevert({ words, data }: Extract<Outcome, { status: 'reverted' }>, wordsOfError: (data: Uint8Array) => string): string {
  return data === undefined || data.length === 0 ? words : wordsOfError(data);
}

function ofCall(method: string, from: Uint8Array, { to, data, value }: Call, block: number): Pick<Question<never>, 'method' | 'params'> {
  const fields = { from: `0x${from.toHex()}`, to: `0x${to.toHex()}`, data: `0x${data.toHex()}`, value: quantity(BigInt(value)) };
  return { method, params: [fields, quantity(block)] };
}

function ofAccount<T extends number | bigint>(
  method: string,
  address: Uint8Array,
  block: number,
  read: (value: unknown) => T | undefined,
): Question<T> {
  return { method, params: [`0x${address.toHex()}`, quantity(block)], read: valueOf(read), words: (value) => `${method} is ${value}` };
}

const gasPrice: Question<bigint> = { method: 'eth_gasPrice', params: [], read: valueOf(readQuantity), words: String };
const tip: Question<bigint> = { ...gasPrice, method: 'eth_maxPriorityFeePerGas' };

/** Of an even number the lower one: what endpoints merely offer, one of them can't make dear. */
function middle<T extends number | bigint>(values: readonly T[]): T | undefined {
  const sorted = values.toSorted((left, right) => (left < right ? -1 : left > right ? 1 : 0));
  return sorted[Math.floor((sorted.length - 1) / 2)];
}
