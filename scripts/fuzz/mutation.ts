/**
 * Changes to proper input, blind to its structure: bits, bytes, cuts, repetitions, pieces of other inputs, and the values
 * at which lengths and numbers go wrong in CBOR, JSON, DER and TPM structures alike.
 */
import { pick, type Draw } from './random.ts';

/** Most inputs are small; what is larger than any message of the protocol shows nothing more. */
const inputBytesMax = 320 * 1024;

/** One to four changes to one of `seeds`. */
export function mutated(seeds: readonly Uint8Array[], draw: Draw): Uint8Array {
  let bytes = pick(draw, seeds);
  for (let changes = 1 + draw(4); changes > 0; changes--) bytes = pick(draw, changesKnown)(bytes, draw, seeds);
  return bytes.length > inputBytesMax ? bytes.slice(0, inputBytesMax) : bytes;
}

type Change = (bytes: Uint8Array, draw: Draw, seeds: readonly Uint8Array[]) => Uint8Array;

const changesKnown: readonly Change[] = [
  flipBit,
  setByte,
  setByte,
  stepByte,
  setNumber,
  setNumber,
  cut,
  remove,
  repeat,
  insert,
  insertToken,
  insertToken,
  nest,
  splice,
  graft,
];

function flipBit(bytes: Uint8Array, draw: Draw): Uint8Array {
  const at = draw(bytes.length + 1);
  return at < bytes.length ? bytes.with(at, (bytes[at] ?? 0) ^ (1 << draw(8))) : bytes;
}

function setByte(bytes: Uint8Array, draw: Draw): Uint8Array {
  return bytes.length === 0 ? bytes : bytes.with(draw(bytes.length), draw(256));
}

/** A length or a count that is one off. */
function stepByte(bytes: Uint8Array, draw: Draw): Uint8Array {
  if (bytes.length === 0) return bytes;
  const at = draw(bytes.length);
  return bytes.with(at, (bytes[at] ?? 0) + (draw(2) === 0 ? 1 : 255));
}

const edges = [
  0n,
  1n,
  0x7fn,
  0x80n,
  0xffn,
  0x7fffn,
  0xffffn,
  0x7fff_ffffn,
  0x8000_0000n,
  0xffff_ffffn,
  (1n << 53n) - 1n,
  1n << 53n,
  (1n << 63n) - 1n,
  (1n << 64n) - 1n,
];

/** Overwrites 1, 2, 4 or 8 bytes with a value at the edge of something, big-endian. */
function setNumber(bytes: Uint8Array, draw: Draw): Uint8Array {
  const width = 1 << draw(4);
  if (bytes.length < width) return bytes;
  const value = new DataView(new ArrayBuffer(8));
  value.setBigUint64(0, pick(draw, edges));
  const changed = bytes.slice();
  changed.set(new Uint8Array(value.buffer, 8 - width), draw(bytes.length - width + 1));
  return changed;
}

function cut(bytes: Uint8Array, draw: Draw): Uint8Array {
  return bytes.subarray(0, draw(bytes.length + 1));
}

function remove(bytes: Uint8Array, draw: Draw): Uint8Array {
  const [from, to] = range(bytes, draw);
  return joined(bytes.subarray(0, from), bytes.subarray(to));
}

function repeat(bytes: Uint8Array, draw: Draw): Uint8Array {
  const [from, to] = range(bytes, draw);
  return joined(bytes.subarray(0, to), bytes.subarray(from));
}

function insert(bytes: Uint8Array, draw: Draw): Uint8Array {
  return put(
    bytes,
    draw,
    Uint8Array.from({ length: 1 + draw(12) }, () => draw(256)),
  );
}

const tokens = [
  ...[
    '__proto__',
    'constructor',
    'toString',
    '\u{1f9ed}',
    '\u0000',
    '\u009b',
    '\ufeff',
    '\u202e',
    '..',
    '/',
    '+',
    '#',
    '$SYS',
    'null',
    '-0',
    '1e999',
    '"',
    '\\ud800',
  ].map((text) => new TextEncoder().encode(text)),
  // CBOR: not a number, infinities, negative zero, null, undefined, break, tags, endless and huge items, half a surrogate pair
  ...[
    'f97e00',
    'f97c00',
    'fbfff0000000000000',
    'f98000',
    'f6',
    'f7',
    'ff',
    'c0',
    'c249010000000000000000',
    'd81c',
    'd81d00',
    'd9d9f7',
    'd90103',
    '5f',
    '7f',
    '9f',
    'bf',
  ].map((hex) => Uint8Array.fromHex(hex)),
  ...[
    '5bffffffffffffffff',
    '7a7fffffff',
    '9a00ffffff',
    'bb0000000100000000',
    '1bffffffffffffffff',
    '3bffffffffffffffff',
    '63eda080',
    '695f5f70726f746f5f5f',
  ].map((hex) => Uint8Array.fromHex(hex)),
];

function insertToken(bytes: Uint8Array, draw: Draw): Uint8Array {
  const token = pick(draw, tokens);
  if (draw(2) === 0) return put(bytes, draw, token);
  const at = draw(bytes.length + 1);
  return joined(bytes.subarray(0, at), token, bytes.subarray(at + token.length));
}

const openers = [
  ...['81', 'a1', 'a16161', '9f', 'bf', 'c1', 'd81c', '30', '3080'].map((hex) => Uint8Array.fromHex(hex)),
  ...['[', '{"a":', '"'].map((text) => new TextEncoder().encode(text)),
];

/** Lists in lists in lists; seldom very deep, for that is slow to make. */
function nest(bytes: Uint8Array, draw: Draw): Uint8Array {
  const opener = pick(draw, openers);
  const times = draw(64) === 0 ? draw(20_000) : draw(40);
  const nested = new Uint8Array(opener.length * times);
  for (let at = 0; at < nested.length; at += opener.length) nested.set(opener, at);
  return put(bytes, draw, nested);
}

/** The front of this input and the end of another. */
function splice(bytes: Uint8Array, draw: Draw, seeds: readonly Uint8Array[]): Uint8Array {
  const other = pick(draw, seeds);
  return joined(bytes.subarray(0, draw(bytes.length + 1)), other.subarray(draw(other.length + 1)));
}

/** A piece of another input over a piece of this one. */
function graft(bytes: Uint8Array, draw: Draw, seeds: readonly Uint8Array[]): Uint8Array {
  const other = pick(draw, seeds);
  const piece = other.subarray(...range(other, draw));
  const at = draw(bytes.length + 1);
  return joined(bytes.subarray(0, at), piece, bytes.subarray(at + (draw(2) === 0 ? 0 : piece.length)));
}

function put(bytes: Uint8Array, draw: Draw, inserted: Uint8Array): Uint8Array {
  const at = draw(bytes.length + 1);
  return joined(bytes.subarray(0, at), inserted, bytes.subarray(at));
}

/** Mostly short: long ones leave nothing of the input. */
function range(bytes: Uint8Array, draw: Draw): [from: number, to: number] {
  const from = draw(bytes.length + 1);
  return [from, Math.min(bytes.length, from + draw(draw(4) === 0 ? bytes.length + 1 : 16))];
}

function joined(...parts: readonly Uint8Array[]): Uint8Array {
  const whole = new Uint8Array(parts.reduce((sum, { length }) => sum + length, 0));
  let at = 0;
  for (const part of parts) {
    whole.set(part, at);
    at += part.length;
  }
  return whole;
}
