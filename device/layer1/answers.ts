/** What endpoints answer, read: only what is used of it, each part checked for its form and size. Pure. Execution API specification of Ethereum. */
import { LAYER1_LIMITS } from './limits.ts';

export interface Block {
  readonly number: number;
  readonly hash: Uint8Array;
  readonly parent: Uint8Array;
  /** Unix time in seconds. */
  readonly timeS: number;
  /** Absent where the chain has no base fee. */
  readonly baseFee?: bigint;
  /** What PREVRANDAO gives in this block. */
  readonly prevrandao?: Uint8Array;
}

export interface Receipt {
  readonly block: { readonly number: number; readonly hash: Uint8Array };
  readonly ok: boolean;
  /** Gas used times its price, in wei. */
  readonly cost: bigint;
}

export function readQuantity(value: unknown): bigint | undefined {
  return typeof value === 'string' && /^0x(?:0|[1-9a-fA-F][0-9a-fA-F]{0,63})$/.test(value) ? BigInt(value) : undefined;
}

/** A quantity that a number holds: heights, nonces, times. */
export function readCount(value: unknown): number | undefined {
  const count = readQuantity(value);
  return count !== undefined && count <= BigInt(Number.MAX_SAFE_INTEGER) ? Number(count) : undefined;
}

export function readBlock(value: unknown): Block | undefined {
  const number = readCount(fieldOf(value, 'number'));
  const [hash, parent, prevrandao] = ['hash', 'parentHash', 'mixHash'].map((name) => readWord(fieldOf(value, name)));
  const timeS = readCount(fieldOf(value, 'timestamp'));
  const baseFee = readQuantity(fieldOf(value, 'baseFeePerGas'));
  if (number === undefined || !hash || !parent || timeS === undefined) return undefined;
  return { number, hash, parent, timeS, ...(baseFee !== undefined && { baseFee }), ...(prevrandao && { prevrandao }) };
}

/** `none` where the endpoint knows of no block with this transaction. */
export function readReceipt(value: unknown): Receipt | 'none' | undefined {
  if (value === null) return 'none';
  const number = readCount(fieldOf(value, 'blockNumber'));
  const hash = readWord(fieldOf(value, 'blockHash'));
  const status = readCount(fieldOf(value, 'status'));
  const gas = readCount(fieldOf(value, 'gasUsed'));
  const price = readQuantity(fieldOf(value, 'effectiveGasPrice')) ?? 0n;
  if (number === undefined || !hash || (status !== 0 && status !== 1) || gas === undefined || price > LAYER1_LIMITS.priceMax)
    return undefined;
  return { block: { number, hash }, ok: status === 1, cost: BigInt(gas) * price };
}

/** A field of a JSON object, of whatever came. */
export function fieldOf(value: unknown, name: string): unknown {
  return typeof value === 'object' && value !== null && Object.hasOwn(value, name) ? (value as Record<string, unknown>)[name] : undefined;
}

/** `0x` and whole bytes. */
export function bytesIn(value: unknown): Uint8Array | undefined {
  return typeof value === 'string' && /^0x(?:[0-9a-fA-F]{2})*$/.test(value) ? Uint8Array.fromHex(value.slice(2)) : undefined;
}

function readWord(value: unknown): Uint8Array | undefined {
  const word = bytesIn(value);
  return word?.length === 32 ? word : undefined;
}
