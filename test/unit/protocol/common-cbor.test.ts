/** The short way through strict CBOR knows less than the long one and never anything else. Specification §2.1. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { decode, encode, rfc8949EncodeOptions } from 'cborg';
import fc from 'fast-check';
import { encodeStrict, sameBytes } from '#protocol/codec.ts';
import { notCommon, readCommon, writeCommon } from '#protocol/common-cbor.ts';
import { LIMITS } from '#protocol/limits.ts';
import { samples } from '../../fuzz/protocol-samples.ts';

const strict = { strict: true, useMaps: true, rejectDuplicateMapKeys: true, allowIndefinite: false, allowUndefined: false } as const;

/** What the library makes of bytes, if they are the one encoding of it. */
function theLongWay(encoded: Uint8Array): unknown {
  try {
    const value: unknown = decode(encoded, strict);
    return sameBytes(encode(value, rfc8949EncodeOptions), encoded) ? value : notCommon;
  } catch {
    return notCommon;
  }
}

const { tree } = fc.letrec((tie) => ({
  tree: fc.oneof(
    { maxDepth: 4 },
    fc.maxSafeInteger(),
    fc.constantFrom(0, 23, 24, 255, 256, 65_535, 65_536, 2 ** 32 - 1, 2 ** 32, -24, -25, -256, -257),
    fc.boolean(),
    fc.string({ maxLength: 300 }),
    fc.string({ unit: 'binary', maxLength: 20 }),
    fc.uint8Array({ maxLength: 300 }).map((value) => new Uint8Array(value)),
    fc.array(tie('tree'), { maxLength: 30 }),
    fc.dictionary(fc.string({ maxLength: 30 }), tie('tree'), { maxKeys: 30, noNullPrototype: true }),
  ),
}));

test('values are written as the library writes them, and read again as it reads them (§2.1)', () => {
  let written = 0;
  fc.assert(
    fc.property(tree, (value) => {
      const encoded = writeCommon(value);
      if (encoded === notCommon) return;
      written += 1;
      assert.ok(sameBytes(encoded, encode(value, rfc8949EncodeOptions)));
      const read = readCommon(encoded);
      if (read !== notCommon) assert.deepEqual(read, theLongWay(encoded));
    }),
    { numRuns: 400 },
  );
  assert.ok(written > 100, `${written} of 400 were common`);
});

test('bytes that the long way refuses are never read (§2.1)', () => {
  let taken = 0;
  const whole = samples.flatMap(({ schema, values }) => values.map((value) => encodeStrict(schema, value)));
  const changed = fc.tuple(fc.constantFrom(...whole), fc.nat(), fc.nat(255), fc.nat(3)).map(([sample, place, byte, cut]) => {
    const copy = sample.slice(0, sample.length - cut);
    copy[place % copy.length] = byte;
    return copy;
  });
  fc.assert(
    fc.property(
      fc.oneof(
        changed,
        fc.uint8Array({ maxLength: 40 }).map((value) => new Uint8Array(value)),
      ),
      (encoded) => {
        const read = readCommon(encoded);
        if (read === notCommon) return;
        taken += 1;
        assert.deepEqual(read, theLongWay(encoded));
      },
    ),
    { numRuns: 2_000 },
  );
  assert.ok(taken > 100, `${taken} of 2000 were read`);
});

test('longer forms, other orders, repeated names, floats, tags and what is too deep are left to the long way (§2.1)', () => {
  const others = {
    longerCount: '1817',
    longerLength: '190017',
    indefinite: '9f01ff',
    otherOrder: 'a2616201616100',
    repeatedName: 'a2616100616101',
    nameOfBytes: 'a1416100',
    float: 'f93c00',
    null: 'f6',
    tag: 'c100',
    beyondSafe: '1b0020000000000000',
    trailing: '0000',
    short: '4201',
    beyondAscii: '62c3a4',
  };
  for (const [name, encoded] of Object.entries(others)) assert.equal(readCommon(Uint8Array.fromHex(encoded)), notCommon, name);
  const deep = (depth: number, inner: string): unknown => readCommon(Uint8Array.fromHex('81'.repeat(depth) + inner));
  assert.notEqual(deep(LIMITS.cborDepthMax, 'f5'), notCommon);
  for (const inner of ['f5', '00', '80']) assert.equal(deep(LIMITS.cborDepthMax + 1, inner), notCommon);
});

test('byte strings are copies, of a Node Buffer as well (§2.1)', () => {
  const encoded = Buffer.from('420102', 'hex');
  const read = readCommon(encoded);
  encoded[1] = 9;
  assert.deepEqual(read, Uint8Array.of(1, 2));
});
