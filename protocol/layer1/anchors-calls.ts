/**
 * The few words that a reader of the contract Anchors says and hears, written by hand: three questions without structures, and one event. Whoever
 * only verifies holds no library for it. Contract ABI Specification, "Formal Specification of the Encoding". Specification §20.10.
 */
import { concatBytes } from '@noble/hashes/utils.js';
import { hex } from '../digest.ts';
import type { AnchorHeader } from './anchor.ts';

const WORD = 32;

/** First four bytes of Keccak-256 of the signature; a test compares them with the contract's ABI. */
const SELECTORS = { network: '6739afca', lastFinal: '48fc6f51', anchorOf: '34defa7c' } as const;

/** Keccak-256 of `Posted(uint64,bytes32,address,(…))`: the topic of an anchor's header. */
export const POSTED_TOPIC = Uint8Array.fromHex('d06959ecc78c17af435820d23f00322d9f44d7dd14ceb03295d3d68a2844abdf');

export const networkCall = Uint8Array.fromHex(SELECTORS.network);
export const lastFinalCall = Uint8Array.fromHex(SELECTORS.lastFinal);

export function anchorOfCall(epoch: number): Uint8Array {
  return concatBytes(Uint8Array.fromHex(SELECTORS.anchorOf), countWord(epoch));
}

/** A whole number as an argument or topic. */
export function countWord(value: number): Uint8Array {
  const word = new Uint8Array(WORD);
  new DataView(word.buffer).setBigUint64(WORD - 8, BigInt(value));
  return word;
}

/** An answer of one word; undefined for anything else, such as nothing, where there is no contract. */
export function readWord(answer: Uint8Array): Uint8Array | undefined {
  return answer.length === WORD ? answer : undefined;
}

/** The same as a whole number that a number holds. */
export function readCountWord(answer: Uint8Array): number | undefined {
  const value = answer.length === WORD ? BigInt(`0x${hex(answer)}`) : undefined;
  return value !== undefined && value <= BigInt(Number.MAX_SAFE_INTEGER) ? Number(value) : undefined;
}

const FIELDS = [
  'epoch',
  'checkpoint',
  'height',
  'blockId',
  'timeMs',
  'seed',
  'membersRoot',
  'verdictsRoot',
  'creditsRoot',
  'members',
  'seats',
  'previous',
] as const;
const DIGESTS: ReadonlySet<string> = new Set(['blockId', 'seed', 'membersRoot', 'verdictsRoot', 'creditsRoot', 'previous']);

/** The header in the data of an event `Posted`: twelve words in the order of the contract's structure. Its digest is the reader's to compare. */
export function readPostedHeader(data: Uint8Array): AnchorHeader | undefined {
  if (data.length !== FIELDS.length * WORD) return undefined;
  const fields = FIELDS.map((name, index) => {
    const word = data.subarray(index * WORD, (index + 1) * WORD);
    return [name, DIGESTS.has(name) ? word.slice() : readCountWord(word)] as const;
  });
  return fields.every(([, value]) => value !== undefined) ? (Object.fromEntries(fields) as unknown as AnchorHeader) : undefined;
}
