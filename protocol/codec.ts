/**
 * The doors through which bytes become values and values bytes. Specification §2. Owner of cborg and cbor-x.
 *
 * - strict: core deterministic CBOR (RFC 8949 §4.2), for whatever is signed, hashed or stored as proof;
 * - bulk: any CBOR, for telemetry, logs, chunks and answers, which nobody signs;
 * - JSON: for people with `mosquitto_pub`.
 */
import { Decoder, Encoder } from 'cbor-x';
import { decode as decodeCbor, encode as encodeCbor, rfc8949EncodeOptions } from 'cborg';
import { MalformedValue, type Notation, type Schema } from './schema.ts';

export type Decoded<T> =
  | { readonly status: 'decoded'; readonly value: T }
  | { readonly status: 'malformed'; readonly reason: 'too-large' | 'not-cbor' | 'not-json' | 'not-deterministic' | 'not-as-declared'; readonly detail: string };

/** The one strict encoding of a value (§2.1). The value is ours: a wrong one is an error of the program and throws. */
export function encodeStrict<T>(schema: Schema<T>, value: T): Uint8Array {
  const raw = schema.write(value, 'cbor');
  schema.read(raw, 'value', 'cbor');
  return encodeCbor(raw, rfc8949EncodeOptions);
}

/** The same for a value that was put together from what somebody else said, and may be out of bounds by that. */
export function encodeForeign<T>(schema: Schema<T>, value: T): Decoded<Uint8Array> {
  const checked = readDeclared(schema, schema.write(value, 'cbor'), 'cbor');
  return checked.status === 'malformed' ? checked : { status: 'decoded', value: encodeStrict(schema, value) };
}

/** Reads strict bytes; any other encoding of the same value is refused (§2.1). */
export function decodeStrict<T>(schema: Schema<T>, encoded: Uint8Array, bytesMax: number): Decoded<T> {
  if (encoded.length > bytesMax) return tooLarge(encoded, bytesMax);
  let raw: unknown;
  try {
    raw = decodeCbor(encoded, strictOptions);
  } catch (error) {
    return { status: 'malformed', reason: 'not-cbor', detail: `not deterministic CBOR: ${messageOf(error)}` };
  }
  if (!sameBytes(encodeCbor(raw, rfc8949EncodeOptions), encoded)) {
    return { status: 'malformed', reason: 'not-deterministic', detail: 'the bytes are not the deterministic encoding (RFC 8949 §4.2) of their value' };
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
    raw = bulkDecoder.decode(encoded);
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

export function sameBytes(left: Uint8Array, right: Uint8Array): boolean {
  return left.length === right.length && left.every((byte, index) => byte === right[index]);
}

const strictOptions = { strict: true, useMaps: true, rejectDuplicateMapKeys: true, allowIndefinite: false, allowUndefined: false, allowInfinity: false, allowNaN: false } as const;
const bulkEncoder = new Encoder({ variableMapSize: true, tagUint8Array: false, useRecords: false });
const bulkDecoder = new Decoder({ mapsAsObjects: false, useRecords: false });

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

function messageOf(error: unknown): string {
  return error instanceof Error ? error.message.slice(0, 120) : 'unreadable';
}
