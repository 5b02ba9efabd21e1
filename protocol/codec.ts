/**
 * The doors through which bytes become values and values bytes. Specification §2. Owner of cborg and cbor-x.
 *
 * - strict: core deterministic CBOR (RFC 8949 §4.2), for whatever is signed, hashed or stored as proof;
 * - bulk: any CBOR, for telemetry, logs, chunks and answers, which nobody signs;
 * - JSON: for people with `mosquitto_pub`.
 *
 * cbor-x only writes: as a reader it makes dates, sets, errors and bignums of tags, and a bignum as long as a message
 * takes it half a minute. It is imported without its reader in C++.
 */
import { Encoder } from 'cbor-x/encode';
import { decode as decodeCbor, encode as encodeCbor, rfc8949EncodeOptions, Tokenizer, Type, type Token } from 'cborg';
import { notCommon, readCommon, writeCommon } from './common-cbor.ts';
import { LIMITS } from './limits.ts';
import { harmless, MalformedValue, type Notation, type Schema } from './schema.ts';

export type Decoded<T> =
  | { readonly status: 'decoded'; readonly value: T }
  | {
      readonly status: 'malformed';
      readonly reason: 'too-large' | 'not-cbor' | 'not-json' | 'not-deterministic' | 'not-as-declared';
      readonly detail: string;
    };

/** The one strict encoding of a value (§2.1). The value is ours: a wrong one is an error of the program and throws. */
export function encodeStrict<T>(schema: Schema<T>, value: T): Uint8Array {
  const raw = schema.write(value, 'cbor');
  schema.read(raw, 'value', 'cbor');
  const encoded = writeCommon(raw);
  return encoded === notCommon ? encodeCbor(raw, rfc8949EncodeOptions) : encoded;
}

/** The same for a value that was put together from what somebody else said, and may be out of bounds by that. */
export function encodeForeign<T>(schema: Schema<T>, value: T): Decoded<Uint8Array> {
  const checked = readDeclared(schema, schema.write(value, 'cbor'), 'cbor');
  return checked.status === 'malformed' ? checked : { status: 'decoded', value: encodeStrict(schema, value) };
}

/** Reads strict bytes; any other encoding of the same value is refused (§2.1). */
export function decodeStrict<T>(schema: Schema<T>, encoded: Uint8Array, bytesMax: number): Decoded<T> {
  if (encoded.length > bytesMax) return tooLarge(encoded, bytesMax);
  const common = readCommon(encoded);
  if (common !== notCommon) return readDeclared(schema, common, 'cbor');
  let raw: unknown;
  let encodedAgain: Uint8Array;
  try {
    raw = parseCbor(encoded, strictOptions);
    encodedAgain = encodeCbor(raw, rfc8949EncodeOptions);
  } catch (error) {
    return { status: 'malformed', reason: 'not-cbor', detail: `not deterministic CBOR: ${messageOf(error)}` };
  }
  if (!sameBytes(encodedAgain, encoded)) {
    return {
      status: 'malformed',
      reason: 'not-deterministic',
      detail: 'the bytes are not the deterministic encoding (RFC 8949 §4.2) of their value',
    };
  }
  return readDeclared(schema, raw, 'cbor');
}

/** CBOR for what nobody signs (§2.3). */
export function encodeBulk<T>(schema: Schema<T>, value: T): Uint8Array {
  return Uint8Array.from(bulkEncoder.encode(schema.write(value, 'cbor')));
}

export function decodeBulk<T>(schema: Schema<T>, encoded: Uint8Array, bytesMax: number): Decoded<T> {
  if (encoded.length > bytesMax) return tooLarge(encoded, bytesMax);
  let raw: unknown;
  try {
    raw = parseCbor(encoded, bulkOptions);
  } catch (error) {
    return { status: 'malformed', reason: 'not-cbor', detail: `not CBOR: ${messageOf(error)}` };
  }
  return readDeclared(schema, raw, 'cbor');
}

/** JSON for clients that ask for it (§2.4): byte strings are base64, digests and keys hexadecimal. */
export function encodeJson<T>(schema: Schema<T>, value: T): string {
  return JSON.stringify(schema.write(value, 'json'));
}

export function decodeJson<T>(schema: Schema<T>, encoded: Uint8Array, bytesMax: number): Decoded<T> {
  if (encoded.length > bytesMax) return tooLarge(encoded, bytesMax);
  let raw: unknown;
  try {
    raw = JSON.parse(new TextDecoder('utf-8', { fatal: true }).decode(encoded));
  } catch (error) {
    return { status: 'malformed', reason: 'not-json', detail: `not JSON: ${messageOf(error)}` };
  }
  return readDeclared(schema, raw, 'json');
}

/** Reads a plain value that another library has parsed already, such as YAML (§7.1). */
export function readPlain<T>(schema: Schema<T>, raw: unknown): Decoded<T> {
  return readDeclared(schema, raw, 'json');
}

/** A loop, because `every` takes twenty times as long, and every signed message is compared as a whole. */
export function sameBytes(left: Uint8Array, right: Uint8Array): boolean {
  if (left.length !== right.length) return false;
  for (let index = 0; index < left.length; index += 1) {
    if (left[index] !== right[index]) return false;
  }
  return true;
}

const strictOptions = {
  strict: true,
  useMaps: true,
  rejectDuplicateMapKeys: true,
  allowIndefinite: false,
  allowUndefined: false,
  allowInfinity: false,
  allowNaN: false,
} as const;
const bulkOptions = { useMaps: true, rejectDuplicateMapKeys: true } as const;
const bulkEncoder = new Encoder({ variableMapSize: true, tagUint8Array: false, useRecords: false });

function parseCbor(encoded: Uint8Array, options: typeof strictOptions | typeof bulkOptions): unknown {
  const plain = new Uint8Array(encoded.buffer, encoded.byteOffset, encoded.length);
  return decodeCbor(plain, { ...options, tokenizer: new BoundedTokenizer(plain, options) });
}

/** Holds foreign bytes to the limits of depth and items before a value is made of them, and keeps their text as it is. */
class BoundedTokenizer extends Tokenizer {
  /** Of each list and map that is being read: the items still to come. */
  readonly #open: number[] = [];
  #items = 0;

  override next(): Token {
    const at = this.pos();
    const token = super.next();
    this.#items += 1;
    if (this.#items > LIMITS.cborItemsMax) throw new Error(`more than ${LIMITS.cborItemsMax} items`);
    if (Type.equals(token.type, Type.string)) token.value = this.#withByteOrderMark(at, token.value as string);
    this.#follow(token);
    return token;
  }

  #follow(token: Token): void {
    const items = Type.equals(token.type, Type.array)
      ? Number(token.value)
      : Type.equals(token.type, Type.map)
        ? 2 * Number(token.value)
        : 0;
    if (Type.equals(token.type, Type.break) && this.#open.pop() !== Infinity)
      throw new Error('a break where nothing is of indefinite length');
    if (items > 0) this.#open.push(items);
    else this.#itemRead();
    if (this.#open.length > LIMITS.cborDepthMax) throw new Error(`lists and maps more than ${LIMITS.cborDepthMax} deep`);
  }

  /** The last item of a list is the last of what the list stands in, too, and so on. */
  #itemRead(): void {
    for (let open = this.#open.pop(); open !== undefined; open = this.#open.pop()) {
      if (open > 1) {
        this.#open.push(open - 1);
        return;
      }
    }
  }

  /** The library's UTF-8 decoder drops U+FEFF from the front of a text, so that the value would be another one. */
  #withByteOrderMark(at: number, value: string): string {
    const length = (this.data[at] ?? 0) & 0x1f;
    const from = at + (length < 24 ? 1 : 1 + 2 ** (length - 24));
    const marked = this.data[from] === 0xef && this.data[from + 1] === 0xbb && this.data[from + 2] === 0xbf;
    return marked && this.pos() > from ? `\ufeff${value}` : value;
  }
}

function readDeclared<T>(schema: Schema<T>, raw: unknown, notation: Notation): Decoded<T> {
  try {
    return { status: 'decoded', value: schema.read(raw, 'message', notation) };
  } catch (error) {
    if (!(error instanceof MalformedValue)) throw error;
    return { status: 'malformed', reason: 'not-as-declared', detail: error.message };
  }
}

function tooLarge(encoded: Uint8Array, bytesMax: number): Decoded<never> {
  return { status: 'malformed', reason: 'too-large', detail: `the message has ${encoded.length} bytes; at most ${bytesMax} are accepted` };
}

/** Parsers quote what they read: nothing of it may reach a terminal or break the bounds of a sentence. */
function messageOf(error: unknown): string {
  return error instanceof Error ? harmless(error.message, 120) : 'unreadable';
}
