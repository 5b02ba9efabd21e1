/**
 * The short way through strict CBOR (§2.1) for what nearly all our messages are made of: whole numbers, byte strings, ASCII text, true and
 * false, lists, and maps with ASCII names in the order of RFC 8949 §4.2.1. Pure.
 *
 * Whatever else there is, a fault included, is `notCommon`: then `codec.ts` goes the long way, which says what is wrong. So this refuses
 * nothing and may know less than CBOR, but never takes what the long way would refuse, or for another value.
 */
import { LIMITS } from './limits.ts';

export const notCommon = Symbol('not common');
type Maybe<T> = T | typeof notCommon;

interface Cursor {
  readonly encoded: Uint8Array;
  at: number;
  items: number;
}

/** The value of these bytes, maps as `Map`, byte strings as copies. */
export function readCommon(encoded: Uint8Array): unknown {
  // Without the methods of a Node Buffer, whose slices are views.
  const plain = new Uint8Array(encoded.buffer, encoded.byteOffset, encoded.length);
  const cursor: Cursor = { encoded: plain, at: 0, items: 0 };
  const value = readItem(cursor, 0);
  return cursor.at === encoded.length ? value : notCommon;
}

/** The one strict encoding of a value. */
export function writeCommon(value: unknown): Maybe<Uint8Array> {
  const length = lengthOf(value);
  if (length === notCommon) return notCommon;
  const encoded = new Uint8Array(length);
  writeItem(encoded, 0, value);
  return encoded;
}

function readItem(cursor: Cursor, depth: number): unknown {
  const { encoded } = cursor;
  const first = encoded[cursor.at] ?? 0xff;
  cursor.items += 1;
  if (cursor.items > LIMITS.cborItemsMax || depth > LIMITS.cborDepthMax) return notCommon;
  if (first === 0xf4 || first === 0xf5) {
    cursor.at += 1;
    return first === 0xf5;
  }
  const count = readCount(cursor, first & 0x1f);
  if (count === notCommon) return notCommon;
  switch (first >> 5) {
    case 0:
      return count;
    case 1:
      return count < Number.MAX_SAFE_INTEGER ? -1 - count : notCommon;
    case 2:
      return count <= encoded.length - cursor.at ? encoded.slice(cursor.at, (cursor.at += count)) : notCommon;
    case 3:
      return readText(cursor, count);
    case 4:
      return readList(cursor, count, depth + 1);
    case 5:
      return readMap(cursor, count, depth + 1);
    default:
      return notCommon;
  }
}

/** In the fewest bytes, or it is not the one encoding. */
function readCount(cursor: Cursor, info: number): Maybe<number> {
  const { encoded, at } = cursor;
  const bytes = info < 24 ? 0 : 1 << (info - 24);
  if (info > 27 || at + 1 + bytes > encoded.length) return notCommon;
  cursor.at += 1 + bytes;
  if (bytes === 0) return info;
  let count = 0;
  for (let index = at + 1; index <= at + bytes; index += 1) count = count * 256 + (encoded[index] ?? 0);
  return count >= (bytes === 1 ? 24 : 256 ** (bytes / 2)) && count <= Number.MAX_SAFE_INTEGER ? count : notCommon;
}

function readText(cursor: Cursor, length: number): Maybe<string> {
  const { encoded, at } = cursor;
  if (length > textMax || length > encoded.length - at) return notCommon;
  let text = '';
  for (let index = at; index < at + length; index += 1) {
    const unit = encoded[index] ?? 0xff;
    if (unit > 0x7f) return notCommon;
    text += String.fromCharCode(unit);
  }
  cursor.at += length;
  return text;
}

function readList(cursor: Cursor, count: number, depth: number): Maybe<unknown[]> {
  if (count > cursor.encoded.length - cursor.at) return notCommon;
  const list: unknown[] = [];
  for (let index = 0; index < count; index += 1) {
    const value = readItem(cursor, depth);
    if (value === notCommon) return notCommon;
    list.push(value);
  }
  return list;
}

function readMap(cursor: Cursor, count: number, depth: number): Maybe<Map<string, unknown>> {
  if (count > cursor.encoded.length - cursor.at) return notCommon;
  const map = new Map<string, unknown>();
  let last: string | undefined;
  for (let index = 0; index < count; index += 1) {
    const name = readItem(cursor, depth);
    if (typeof name !== 'string' || (last !== undefined && inOrder(last, name) >= 0)) return notCommon;
    const value = readItem(cursor, depth);
    if (value === notCommon) return notCommon;
    map.set(name, value);
    last = name;
  }
  return map;
}

/** Of encoded ASCII text: the shorter first, since its length stands before it. */
function inOrder(left: string, right: string): number {
  return left.length - right.length || (left < right ? -1 : left > right ? 1 : 0);
}

function lengthOf(value: unknown): Maybe<number> {
  switch (typeof value) {
    case 'boolean':
      return 1;
    case 'number':
      return Number.isSafeInteger(value) && !Object.is(value, -0) ? headLength(value < 0 ? -1 - value : value) : notCommon;
    case 'string':
      return value.length <= textMax && isAscii(value) ? headLength(value.length) + value.length : notCommon;
    case 'object':
      if (value instanceof Uint8Array) return headLength(value.length) + value.length;
      if (Array.isArray(value)) return sumOf(headLength(value.length), value);
      return isPlain(value) ? mapLength(value) : notCommon;
    default:
      return notCommon;
  }
}

function mapLength(map: Readonly<Record<string, unknown>>): Maybe<number> {
  const names = Object.keys(map);
  const length = sumOf(headLength(names.length), names);
  return length === notCommon
    ? notCommon
    : sumOf(
        length,
        names.map((name) => map[name]),
      );
}

function sumOf(start: number, values: readonly unknown[]): Maybe<number> {
  let sum = start;
  for (const value of values) {
    const length = lengthOf(value);
    if (length === notCommon) return notCommon;
    sum += length;
  }
  return sum;
}

/** Of a value that has a length. @returns where the next one stands */
function writeItem(into: Uint8Array, at: number, value: unknown): number {
  if (typeof value === 'boolean') {
    into[at] = value ? 0xf5 : 0xf4;
    return at + 1;
  }
  if (typeof value === 'number') return value < 0 ? writeHead(into, at, 1, -1 - value) : writeHead(into, at, 0, value);
  if (typeof value === 'string') return writeText(into, at, value);
  if (value instanceof Uint8Array) {
    const start = writeHead(into, at, 2, value.length);
    into.set(value, start);
    return start + value.length;
  }
  if (Array.isArray(value))
    return value.reduce((next: number, item: unknown) => writeItem(into, next, item), writeHead(into, at, 4, value.length));
  return writeMap(into, at, value as Readonly<Record<string, unknown>>);
}

function writeMap(into: Uint8Array, at: number, map: Readonly<Record<string, unknown>>): number {
  const names = Object.keys(map).sort(inOrder);
  return names.reduce((next, name) => writeItem(into, writeText(into, next, name), map[name]), writeHead(into, at, 5, names.length));
}

function writeText(into: Uint8Array, at: number, text: string): number {
  const start = writeHead(into, at, 3, text.length);
  for (let index = 0; index < text.length; index += 1) into[start + index] = text.charCodeAt(index);
  return start + text.length;
}

function writeHead(into: Uint8Array, at: number, major: number, count: number): number {
  const bytes = headLength(count) - 1;
  into[at] = (major << 5) | (bytes === 0 ? count : 55 - Math.clz32(bytes));
  let rest = count;
  for (let index = at + bytes; index > at; index -= 1) {
    into[index] = rest % 256;
    rest = Math.floor(rest / 256);
  }
  return at + 1 + bytes;
}

function headLength(count: number): number {
  if (count < 24) return 1;
  if (count < 2 ** 8) return 2;
  if (count < 2 ** 16) return 3;
  return count < 2 ** 32 ? 5 : 9;
}

function isAscii(text: string): boolean {
  for (let index = 0; index < text.length; index += 1) if (text.charCodeAt(index) > 0x7f) return false;
  return true;
}

function isPlain(value: object | null): value is Readonly<Record<string, unknown>> {
  return value !== null && Object.getPrototypeOf(value) === Object.prototype;
}

/** Names, words and addresses; longer text takes the long way. */
const textMax = 1_024;
