/**
 * How TPM structures become bytes and back: big-endian, exact length, one form a value.
 * TPM 2.0 Part 1 section 4.31 (canonical form) and Part 2 section 4. The only file that touches micro-packed.
 *
 * A structure is declared once as a field; `structure` makes of it a decoder for foreign bytes, which answers with a
 * verdict and never throws, and an encoder for our own values, which throws on a value that has no encoding.
 */
import * as packed from 'micro-packed';

export type MalformedReason = 'too-large' | 'truncated' | 'trailing-bytes' | 'invalid-value';
export type Malformed = { status: 'malformed'; reason: MalformedReason; detail: string };
export type Decoded<T> = { status: 'decoded'; value: T } | Malformed;

export type Field<T> = packed.CoderType<T>;
export type ValueOf<F> = F extends { encode: (value: infer T) => Uint8Array } ? T : never;

export interface Structure<T> {
  /** Name in TPM 2.0 Part 2, for messages. */
  name: string;
  field: Field<T>;
  /** Foreign bytes in; byte fields of the value are views on them. */
  decode: (bytes: Uint8Array) => Decoded<T>;
  encode: (value: T) => Uint8Array;
}

/** @param bytesMax longest encoding that is looked at */
export function structure<T>(name: string, bytesMax: number, field: Field<T>): Structure<T> {
  return { name, field, decode: (bytes) => decodeExactly(name, bytesMax, field, bytes), encode: (value) => field.encode(value) };
}

export const u8: Field<number> = packed.U8;
export const u16: Field<number> = packed.U16BE;
export const u32: Field<number> = packed.U32BE;
export const u64: Field<bigint> = packed.U64BE;

/** TPMI_YES_NO: one byte, 0 or 1. */
export const yesNo: Field<boolean> = packed.bool;

/** No bytes at all: the details of a scheme that has none. */
export const nothing: Field<object> = struct<object>({});

export function struct<T extends object>(fields: { [K in keyof T]: Field<T[K]> }): Field<T> {
  return packed.struct(fields) as unknown as Field<T>;
}

/** TPM2B_…: a 16-bit length and that many bytes, `bytesMax` at most. */
export function sizedBytes(bytesMax: number): Field<Uint8Array> {
  return packed.validate(packed.bytes(packed.U16BE), (bytes) => {
    if (bytes.length > bytesMax) throw new RangeError(`${bytes.length} bytes where at most ${bytesMax} are allowed`);
    return bytes;
  });
}

/** All bytes that are left, `bytesMax` at most. */
export function remainingBytes(bytesMax: number): Field<Uint8Array> {
  return packed.validate(packed.bytes(null), (bytes) => {
    if (bytes.length > bytesMax) throw new RangeError(`${bytes.length} bytes where at most ${bytesMax} are allowed`);
    return bytes;
  });
}

/** A 16-bit length and a structure of exactly that length. */
export function sized<T>(inner: Field<T>): Field<T> {
  return packed.prefix(packed.U16BE, inner);
}

/** A length byte between `bytesMin` and `bytesMax`, and that many bytes. */
export function shortBytes(bytesMin: number, bytesMax: number): Field<Uint8Array> {
  return packed.validate(packed.bytes(packed.U8), (bytes) => {
    if (bytes.length < bytesMin || bytes.length > bytesMax)
      throw new RangeError(`${bytes.length} bytes where ${bytesMin} to ${bytesMax} are allowed`);
    return bytes;
  });
}

/** TPML_…: a 32-bit count and that many elements, `countMax` at most. */
export function list<T>(countMax: number, element: Field<T>): Field<T[]> {
  return packed.wrap({
    encodeStream: (writer, values: T[]) => {
      if (values.length > countMax) throw new RangeError(`${values.length} elements where at most ${countMax} are allowed`);
      u32.encodeStream(writer, values.length);
      for (const value of values) element.encodeStream(writer, value);
    },
    decodeStream: (reader) => {
      const count = u32.decodeStream(reader);
      if (count > countMax) throw reader.err(`${count} elements where at most ${countMax} are allowed`);
      return Array.from({ length: count }, () => element.decodeStream(reader));
    },
  });
}

/** A number that stands for a word; any other number is invalid. */
export function word<W extends string>(number: Field<number>, numbers: Readonly<Record<W, number>>): Field<W> {
  const words = new Map(Object.entries<number>(numbers).map(([name, value]) => [value, name as W]));
  return packed.wrap({
    encodeStream: (writer, name: W) => number.encodeStream(writer, numbers[name]),
    decodeStream: (reader) => {
      const value = number.decodeStream(reader);
      const name = words.get(value);
      if (name === undefined) throw reader.err(`0x${value.toString(16)} where one of ${[...words.values()].join(', ')} is expected`);
      return name;
    },
  });
}

/** A constant that must be there. */
export function constant(number: Field<number>, expected: number): Field<number> {
  return packed.validate(number, (value) => {
    if (value !== expected) throw new RangeError(`0x${value.toString(16)} where 0x${expected.toString(16)} is expected`);
    return value;
  });
}

/** 32 bits with names; a set bit without a name is invalid. */
export function flags<Name extends string>(bits: Readonly<Record<Name, number>>): Field<Record<Name, boolean>> {
  const named = Object.entries<number>(bits).map(([name, bit]) => [name as Name, (1 << bit) >>> 0] as const);
  const known = named.reduce((all, [, mask]) => (all | mask) >>> 0, 0);
  return packed.wrap({
    encodeStream: (writer, set: Record<Name, boolean>) =>
      u32.encodeStream(
        writer,
        named.reduce((all, [name, mask]) => (set[name] ? all | mask : all) >>> 0, 0),
      ),
    decodeStream: (reader) => {
      const value = u32.decodeStream(reader);
      if ((value & ~known) !== 0) throw reader.err(`reserved bits are set in 0x${value.toString(16)}`);
      return Object.fromEntries(named.map(([name, mask]) => [name, (value & mask) !== 0])) as Record<Name, boolean>;
    },
  });
}

type Variants<Key extends string, Values> = {
  [W in keyof Values & string]: { [K in Key]: W } & Values[W];
}[keyof Values & string];

/** TPMT_… unions: a selector, then the structure it selects, in one object that carries the selector as `key`. */
export function variants<Key extends string, Values extends Record<string, object>>(
  key: Key,
  selector: Field<keyof Values & string>,
  cases: { [W in keyof Values]: Field<Values[W]> },
): Field<Variants<Key, Values>> {
  type Selected = { [K in Key]: keyof Values & string };
  const coder = packed.wrap({
    encodeStream: (writer, value: Selected) => {
      selector.encodeStream(writer, value[key]);
      cases[value[key]].encodeStream(writer, value as unknown as Values[string]);
    },
    decodeStream: (reader) => {
      const selected = selector.decodeStream(reader);
      return { [key]: selected, ...cases[selected].decodeStream(reader) } as unknown as Selected;
    },
  });
  return coder as unknown as Field<Variants<Key, Values>>;
}

function decodeExactly<T>(name: string, bytesMax: number, field: Field<T>, bytes: Uint8Array): Decoded<T> {
  if (bytes.length > bytesMax) {
    return { status: 'malformed', reason: 'too-large', detail: `${name} is ${bytes.length} bytes; at most ${bytesMax} are accepted` };
  }
  try {
    return { status: 'decoded', value: field.decode(bytes) };
  } catch (error) {
    return malformed(name, error);
  }
}

/** The library's messages are the only thing that tells its failures apart; its version is pinned and tests hold them. */
function malformed(name: string, error: unknown): Malformed {
  const message = error instanceof Error ? error.message : String(error);
  if (message.includes('Unexpected end of buffer')) {
    return { status: 'malformed', reason: 'truncated', detail: `${name} ends before its last field` };
  }
  if (message.includes('left after unpack')) {
    return { status: 'malformed', reason: 'trailing-bytes', detail: `${name} has bytes after its last field` };
  }
  return { status: 'malformed', reason: 'invalid-value', detail: `${name}: ${message.replace(/^Reader/, 'field ').slice(0, 160)}` };
}
