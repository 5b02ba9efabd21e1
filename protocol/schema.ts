/**
 * Declared messages: the type, the form on the wire and the bounds of a value, written once. Specification §2.2.
 *
 * A declaration reads foreign values (from CBOR or JSON) into checked ones and writes checked values back. Reading
 * refuses unknown fields, missing fields and everything out of bounds, and names the place (`files[3].path`).
 */

/** How bytes look in the notation at hand: themselves in CBOR, text in JSON (§2.4). */
export type Notation = 'cbor' | 'json';

export interface Schema<T> {
  /** Checks a foreign value and returns it typed. Throws {@link MalformedValue}; only the doors in `codec.ts` call it. */
  read(raw: unknown, at: string, notation: Notation): T;
  /** The plain value that a codec can encode. */
  write(value: T, notation: Notation): unknown;
}

/** A field that may be absent. Absent means absent: neither `null` nor `undefined` travels. */
export interface OptionalField<T> {
  readonly optional: Schema<T>;
}

export type Infer<S> = S extends Schema<infer T> ? T : never;

/** A foreign value that doesn't fit its declaration; `message` says where, what was and what would be right. */
export class MalformedValue extends Error {}

type Fields = Record<string, Schema<unknown> | OptionalField<unknown>>;
type RequiredKeys<F extends Fields> = { [K in keyof F]: F[K] extends OptionalField<unknown> ? never : K }[keyof F];
type OptionalKeys<F extends Fields> = { [K in keyof F]: F[K] extends OptionalField<unknown> ? K : never }[keyof F];
type Flat<T> = { [K in keyof T]: T[K] };
export type Struct<F extends Fields> = Flat<
  { [K in RequiredKeys<F>]: F[K] extends Schema<infer T> ? T : never } & {
    [K in OptionalKeys<F>]?: F[K] extends OptionalField<infer T> ? T : never;
  }
>;

/** A map with exactly these fields. */
export function struct<const F extends Fields>(fields: F): Schema<Struct<F>> {
  const declared = Object.entries(fields);
  return {
    read(raw, at, notation) {
      const given = entriesOf(raw, at);
      const value: Record<string, unknown> = {};
      for (const [name, field] of declared) {
        const present = given.has(name);
        if (!present && !('optional' in field)) throw new MalformedValue(`${at} lacks the field "${name}"`);
        if (present) value[name] = schemaOf(field).read(given.get(name), `${at}.${name}`, notation);
        given.delete(name);
      }
      requireNoMore(
        given,
        at,
        declared.map(([name]) => name),
      );
      return value as Struct<F>;
    },
    write(value, notation) {
      const given = value as Record<string, unknown>;
      const raw: Record<string, unknown> = {};
      for (const [name, field] of declared) {
        if (given[name] !== undefined) raw[name] = schemaOf(field).write(given[name], notation);
      }
      return raw;
    },
  };
}

export function optional<T>(schema: Schema<T>): OptionalField<T> {
  return { optional: schema };
}

/** One of several structs, told apart by the word in `tag`. */
export function variant<K extends string, V extends Record<string, Schema<object>>>(
  tag: K,
  variants: V,
): Schema<{ [W in keyof V & string]: Flat<Record<K, W> & Infer<V[W]>> }[keyof V & string]> {
  type Value = { [W in keyof V & string]: Flat<Record<K, W> & Infer<V[W]>> }[keyof V & string];
  const words = Object.keys(variants);
  return {
    read(raw, at, notation) {
      const given = entriesOf(raw, at);
      const word = given.get(tag);
      const chosen = typeof word === 'string' && words.includes(word) ? variants[word] : undefined;
      if (!chosen) throw new MalformedValue(`${at}.${tag} is ${show(word)}; it must be one of ${words.join(', ')}`);
      given.delete(tag);
      return { [tag]: word, ...chosen.read(given, at, notation) } as Value;
    },
    write(value, notation) {
      const { [tag]: word, ...rest } = value as Record<string, unknown>;
      const chosen = variants[word as string] as Schema<object>;
      return { [tag]: word, ...(chosen.write(rest, notation) as object) };
    },
  };
}

/** Unicode text of `min` to `max` UTF-16 units, without control characters unless `multiline`. */
export function text(bounds: { min?: number; max: number; pattern?: RegExp; like?: string; multiline?: boolean }): Schema<string> {
  const min = bounds.min ?? 0;
  return {
    read(raw, at) {
      if (typeof raw !== 'string') throw new MalformedValue(`${at} is ${show(raw)}; it must be text`);
      requireWithin(raw.length, min, bounds.max, at, 'characters');
      if (!raw.isWellFormed()) throw new MalformedValue(`${at} holds half of a surrogate pair; it must be well-formed Unicode`);
      if (!bounds.multiline && hasControlCharacter(raw))
        throw new MalformedValue(`${at} holds control characters; it must be one line of plain text`);
      if (bounds.pattern && !bounds.pattern.test(raw))
        throw new MalformedValue(`${at} is ${show(raw)}; it must be ${bounds.like ?? String(bounds.pattern)}`);
      return raw;
    },
    write: (value) => value,
  };
}

/** A byte string of `min` to `max` bytes; base64 in JSON. */
export function bytes(bounds: { min?: number; max: number }): Schema<Uint8Array> {
  return byteString(bounds.min ?? 0, bounds.max, {
    toText: (value) => value.toBase64(),
    fromText: (value) => Uint8Array.fromBase64(value),
    like: 'base64',
  });
}

/** A byte string of exactly `length` bytes; lower-case hexadecimal in JSON. */
export function fixedBytes(length: number): Schema<Uint8Array> {
  return byteString(length, length, {
    toText: (value) => value.toHex(),
    fromText: (value) => Uint8Array.fromHex(value),
    like: 'hexadecimal',
  });
}

/** A whole number, inside ±(2^53 − 1). */
export function integer(bounds: { min: number; max: number }): Schema<number> {
  return {
    read(raw, at) {
      if (typeof raw !== 'number' || !Number.isSafeInteger(raw) || Object.is(raw, -0))
        throw new MalformedValue(`${at} is ${show(raw)}; it must be a whole number`);
      requireWithin(raw, bounds.min, bounds.max, at, '');
      return raw;
    },
    write: (value) => value,
  };
}

export const flag: Schema<boolean> = {
  read(raw, at) {
    if (typeof raw !== 'boolean') throw new MalformedValue(`${at} is ${show(raw)}; it must be true or false`);
    return raw;
  },
  write: (value) => value,
};

/** One of these words or numbers. */
export function oneOf<const W extends string | number>(...words: readonly W[]): Schema<W> {
  return {
    read(raw, at) {
      const word = words.find((candidate) => candidate === raw);
      if (word === undefined)
        throw new MalformedValue(`${at} is ${show(raw)}; it must be ${words.length === 1 ? '' : 'one of '}${words.join(', ')}`);
      return word;
    },
    write: (value) => value,
  };
}

/** A list of `min` to `max` items. */
export function list<T>(item: Schema<T>, bounds: { min?: number; max: number }): Schema<T[]> {
  const min = bounds.min ?? 0;
  return {
    read(raw, at, notation) {
      if (!Array.isArray(raw)) throw new MalformedValue(`${at} is ${show(raw)}; it must be a list`);
      requireWithin(raw.length, min, bounds.max, at, 'items');
      return raw.map((value, index) => item.read(value, `${at}[${index}]`, notation));
    },
    write: (value, notation) => value.map((entry) => item.write(entry, notation)),
  };
}

/** A map from names to values, with at most `max` entries. */
export function record<T>(name: Schema<string>, item: Schema<T>, bounds: { max: number }): Schema<Record<string, T>> {
  return {
    read(raw, at, notation) {
      const given = entriesOf(raw, at);
      requireWithin(given.size, 0, bounds.max, at, 'entries');
      const entries = [...given].map(
        ([key, value]) => [name.read(key, `${at} key`, notation), item.read(value, `${at}.${key}`, notation)] as const,
      );
      return Object.fromEntries(entries);
    },
    write: (value, notation) => Object.fromEntries(Object.entries(value).map(([key, entry]) => [key, item.write(entry, notation)])),
  };
}

/** Text by others for a sentence of ours: one well-formed line of at most `max` UTF-16 units, without control characters. */
export function harmless(value: string, max: number): string {
  return value
    .slice(0, max)
    .toWellFormed()
    .replace(/[\p{Cc}\p{Bidi_Control}]/gu, '\ufffd');
}

interface TextForm {
  toText(value: Uint8Array): string;
  fromText(value: string): Uint8Array;
  readonly like: string;
}

function byteString(min: number, max: number, form: TextForm): Schema<Uint8Array> {
  return {
    read(raw, at, notation) {
      const value = notation === 'json' ? bytesFromText(raw, form, at) : raw;
      if (!(value instanceof Uint8Array)) throw new MalformedValue(`${at} is ${show(raw)}; it must be a byte string`);
      requireWithin(value.length, min, max, at, 'bytes');
      return value;
    },
    write: (value, notation) => (notation === 'json' ? form.toText(value) : value),
  };
}

function bytesFromText(raw: unknown, form: TextForm, at: string): Uint8Array {
  if (typeof raw !== 'string') throw new MalformedValue(`${at} is ${show(raw)}; it must be text in ${form.like}`);
  try {
    return form.fromText(raw);
  } catch {
    throw new MalformedValue(`${at} is not ${form.like}`);
  }
}

function schemaOf<T>(field: Schema<T> | OptionalField<T>): Schema<T> {
  return 'optional' in field ? field.optional : field;
}

function entriesOf(raw: unknown, at: string): Map<string, unknown> {
  const entries = raw instanceof Map ? [...raw] : isPlainObject(raw) ? Object.entries(raw) : undefined;
  if (!entries) throw new MalformedValue(`${at} is ${show(raw)}; it must be a map`);
  for (const [key] of entries) {
    if (typeof key !== 'string') throw new MalformedValue(`${at} has a key that isn't text`);
  }
  return new Map(entries as [string, unknown][]);
}

function isPlainObject(raw: unknown): raw is object {
  return typeof raw === 'object' && raw !== null && !Array.isArray(raw) && !ArrayBuffer.isView(raw);
}

function requireNoMore(given: Map<string, unknown>, at: string, known: string[]): void {
  const [unknown] = given.keys();
  if (unknown !== undefined) throw new MalformedValue(`${at} has an unknown field ${show(unknown)}; known are ${known.join(', ')}`);
}

function requireWithin(value: number, min: number, max: number, at: string, unit: string): void {
  if (value >= min && value <= max) return;
  const bounds = min === max ? `exactly ${min}` : value > max ? `at most ${max}` : `at least ${min}`;
  throw new MalformedValue(`${at} is ${value}${unit ? ` ${unit}` : ''}; it must be ${bounds}`);
}

function hasControlCharacter(value: string): boolean {
  return /\p{Cc}/u.test(value);
}

/** A foreign value, short and harmless enough for an error message. */
function show(raw: unknown): string {
  if (raw === undefined) return 'absent';
  if (typeof raw === 'string') return harmless(JSON.stringify(raw.length > 40 ? `${raw.slice(0, 40)}…` : raw), 250);
  if (typeof raw === 'number' || typeof raw === 'boolean' || typeof raw === 'bigint' || raw === null) return String(raw);
  if (raw instanceof Uint8Array) return `a byte string of ${raw.length} bytes`;
  return Array.isArray(raw) ? 'a list' : 'a map';
}
