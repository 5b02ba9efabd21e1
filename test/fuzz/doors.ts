/** What every door holds to, whichever bytes come: the rules that fuzz targets are made of. Specification §2. */
import assert from 'node:assert/strict';

import {
  decodeBulk,
  decodeJson,
  decodeStrict,
  encodeBulk,
  encodeForeign,
  encodeJson,
  encodeStrict,
  type Decoded,
} from '#protocol/codec.ts';
import type { Schema } from '#protocol/schema.ts';
import { openSigned, type SignedKind } from '#protocol/signed.ts';
import { crypto, softwareSigner, text as words } from '../unit/protocol/workshop.ts';
import type { FuzzTarget } from './tpm-parsers.ts';

/** One proper value or more of a declared message. */
export interface Sample<T = unknown> {
  readonly name: string;
  readonly schema: Schema<T>;
  readonly bytesMax: number;
  readonly values: readonly T[];
}

export function sample<T>(name: string, schema: Schema<T>, bytesMax: number, ...values: readonly T[]): Sample {
  return { name, schema, bytesMax, values };
}

/** What every reader meets, whatever it expects: RFC 8949 at its edges, and JSON at its own. */
export const hostileCbor = [
  'a0',
  '80',
  'f6',
  'f97e00',
  'a1616101',
  'bf616101ff',
  'a2616101616102',
  'a1695f5f70726f746f5f5fa0',
  'd9d9f7a0',
  'c249010000000000000000',
  '9f9f9fffffff',
  '1bffffffffffffffff',
  '9bffffffffffffffff',
  '63eda080',
  'a163efbbbf00',
].map((hex) => Uint8Array.fromHex(hex));
export const hostileJson = [
  '{}',
  '[]',
  'null',
  '{"__proto__":{"capsule":1}}',
  '{"constructor":1,"constructor":2}',
  '1e999',
  '-0',
  '"\\ud800"',
  '\ufeff{}',
  '[[[[[[]]]]]]',
  '{"capsule":9007199254740993}',
].map(words);

/** Strict and bulk: the same bytes through both doors. */
export function inCbor({ name, schema, bytesMax, values }: Sample): FuzzTarget {
  const seeds = [...values.flatMap((value) => [encodeStrict(schema, value), encodeBulk(schema, value)]), ...hostileCbor];
  const run = (bytes: Uint8Array) => {
    const strict = accepted(decodeStrict(schema, bytes, bytesMax));
    if (strict) assert.equal(encodeStrict(schema, strict.value).toHex(), bytes.toHex(), `${name} has two strict forms`);
    const bulk = accepted(decodeBulk(schema, bytes, bytesMax));
    if (strict) assert.deepEqual(bulk, strict, `${name} is read differently in bulk form`);
    if (bulk) travels(schema, bulk.value, name);
  };
  return { name, seeds, run };
}

export function inJson({ name, schema, bytesMax, values }: Sample): FuzzTarget {
  const seeds = [...values.map((value) => words(encodeJson(schema, value))), ...hostileJson];
  const run = (bytes: Uint8Array) => {
    const read = accepted(decodeJson(schema, bytes, bytesMax));
    if (read) travels(schema, read.value, name);
  };
  return { name: `${name} in JSON`, seeds, run };
}

/** What was read is within bounds, for it can be written in every notation and comes out again as it was. */
function travels<T>(schema: Schema<T>, value: T, name: string): void {
  const strict = encodeForeign(schema, value);
  assert.ok(strict.status === 'decoded', `${name} was read, and is out of bounds`);
  assert.deepEqual(decodeStrict(schema, strict.value, strict.value.length), { status: 'decoded', value }, `${name} changes in strict form`);
  const bulk = encodeBulk(schema, value);
  assert.deepEqual(decodeBulk(schema, bulk, bulk.length), { status: 'decoded', value }, `${name} changes in bulk form`);
  const json = words(encodeJson(schema, value));
  assert.deepEqual(decodeJson(schema, json, json.length), { status: 'decoded', value }, `${name} changes in JSON`);
}

export function oneForm<T>(decode: (bytes: Uint8Array) => Decoded<T>, encode: (value: T) => Uint8Array): FuzzTarget['run'] {
  return (bytes) => {
    const decoded = accepted(decode(bytes));
    if (decoded) assert.equal(encode(decoded.value).toHex(), bytes.toHex());
  };
}

/** A key that signed none of it: opening must get as far as the signature, and no further. */
export function signed<T>(name: string, kind: SignedKind<T>, ...seeds: readonly Uint8Array[]): FuzzTarget {
  const nobody = { algorithm: 'ed25519', publicKey: softwareSigner(new Uint8Array(32)).publicKey } as const;
  const run = (bytes: Uint8Array) => {
    const opened = openSigned(kind, bytes, nobody, crypto);
    assert.ok(opened.status === 'refused', `${name} by nobody is accepted`);
    requireSentence(opened.detail);
  };
  return { name, seeds: [...seeds], run };
}

/** Only the seeds may be accepted. (The second signature that ECDSA allows for one is nothing that chance finds.) */
export function refusing(
  name: string,
  seeds: readonly Uint8Array[],
  judge: (bytes: Uint8Array) => { status: string; detail?: string },
  good = name.startsWith('judgeReceipt') ? 'verified' : 'accepted',
): FuzzTarget {
  const known = new Set(seeds.map((seed) => seed.toHex()));
  const run = (bytes: Uint8Array) => {
    const verdict = judge(bytes);
    if (verdict.detail !== undefined) requireSentence(verdict.detail);
    if (verdict.status === good) assert.ok(known.has(bytes.toHex()), `${name} accepts what nobody made`);
  };
  return { name, seeds: [...seeds], run };
}

export function accepted<T>(decoded: Decoded<T>): { readonly status: 'decoded'; readonly value: T } | undefined {
  if (decoded.status === 'decoded') return decoded;
  requireSentence(decoded.detail);
  return undefined;
}

/** A detail is shown to people, logged, and sent on as a note: one line, of a length to be read. */
export function requireSentence(detail: string): void {
  assert.ok(detail.length > 0 && detail.length <= 1_000, `a detail of ${detail.length} characters`);
  assert.ok(
    detail.isWellFormed() && !/[\p{Cc}\p{Bidi_Control}]/u.test(detail),
    `a detail with control characters: ${JSON.stringify(detail)}`,
  );
}
