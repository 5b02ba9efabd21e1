/** The doors: strict form, bulk form and JSON. Specification §2.1, §2.3, §2.4. */
import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import fc from 'fast-check';
import { decodeBulk, decodeJson, decodeStrict, encodeBulk, encodeForeign, encodeJson, encodeStrict, sameBytes } from '#protocol/codec.ts';
import { LIMITS } from '#protocol/limits.ts';
import {
  bytes,
  fixedBytes,
  flag,
  integer,
  list,
  MalformedValue,
  oneOf,
  optional,
  record,
  struct,
  text,
  variant,
  type Infer,
} from '#protocol/schema.ts';
import { samples } from '../../fuzz/protocol-samples.ts';

const One = struct({ a: integer({ min: -100, max: 100 }) });
const encoder = new TextEncoder();
const max = LIMITS.receiptBytesMax;

/** One of everything that a message can hold. */
const Everything = struct({
  number: integer({ min: -Number.MAX_SAFE_INTEGER, max: Number.MAX_SAFE_INTEGER }),
  line: text({ max: 200 }),
  lines: text({ max: 200, multiline: true }),
  bytes: bytes({ max: 200 }),
  fixed: fixedBytes(4),
  flag,
  word: oneOf('one', 'two'),
  list: list(integer({ min: 0, max: 9 }), { max: 40 }),
  record: record(text({ min: 1, max: 30 }), text({ max: 90, multiline: true }), { max: 30 }),
  either: variant('kind', { left: struct({ x: flag }), right: struct({}) }),
  maybe: optional(flag),
});
type Everything = Infer<typeof Everything>;

const words = (charactersMax: number): fc.Arbitrary<string> =>
  fc.string({ unit: 'grapheme', maxLength: charactersMax }).map((value) =>
    value
      .slice(0, charactersMax)
      .replace(/\p{Cc}/gu, '')
      .toWellFormed(),
  );
const octets = (bytesMax: number): fc.Arbitrary<Uint8Array> => fc.uint8Array({ maxLength: bytesMax });
const anything: fc.Arbitrary<Everything> = fc.record(
  {
    number: fc.maxSafeInteger().map((value) => value + 0),
    line: fc.tuple(fc.constantFrom('', '\ufeff'), words(100)).map(([front, rest]) => front + rest),
    lines: fc.tuple(fc.constantFrom('', '\ufeff', '\n'), words(100)).map(([front, rest]) => front + rest),
    bytes: octets(200),
    fixed: fc.uint8Array({ minLength: 4, maxLength: 4 }),
    flag: fc.boolean(),
    word: fc.constantFrom('one', 'two'),
    list: fc.array(fc.nat({ max: 9 }), { maxLength: 40 }),
    record: fc.dictionary(
      words(30).filter((key) => key.length > 0),
      words(90),
      { maxKeys: 30, noNullPrototype: true },
    ),
    either: fc.oneof(
      fc.boolean().map((x) => ({ kind: 'left' as const, x })),
      fc.constant({ kind: 'right' as const }),
    ),
    maybe: fc.boolean(),
  },
  { requiredKeys: ['number', 'line', 'lines', 'bytes', 'fixed', 'flag', 'word', 'list', 'record', 'either'], noNullPrototype: true },
);

const hex = (value: string): Uint8Array => Uint8Array.fromHex(value);

function refusalOf(encoded: Uint8Array | string, bytesMax = max): string {
  const decoded = decodeStrict(One, typeof encoded === 'string' ? hex(encoded) : encoded, bytesMax);
  return decoded.status === 'malformed' ? decoded.reason : 'decoded';
}

describe('a value has one strict form (§2.1)', () => {
  test('every value comes out of strict form, bulk form and JSON as it went in', () => {
    fc.assert(
      fc.property(anything, (value) => {
        const strict = encodeStrict(Everything, value);
        assert.deepEqual(decodeStrict(Everything, strict, max), { status: 'decoded', value });
        assert.deepEqual(decodeBulk(Everything, strict, max), { status: 'decoded', value });
        assert.deepEqual(decodeBulk(Everything, encodeBulk(Everything, value), max), { status: 'decoded', value });
        assert.deepEqual(decodeJson(Everything, encoder.encode(encodeJson(Everything, value)), max), { status: 'decoded', value });
      }),
      { numRuns: 300 },
    );
  });

  test('the order in which a value was put together does not matter', () => {
    assert.equal(encodeStrict(struct({ bb: flag, a: flag, c: flag }), { c: true, a: false, bb: true }).toHex(), 'a36161f46163f5626262f5');
  });

  test('every sample of every message is read back, from strict form and from bulk form', () => {
    for (const { name, schema, bytesMax, values } of samples) {
      for (const value of values) {
        assert.deepEqual(decodeStrict(schema, encodeStrict(schema, value), bytesMax), { status: 'decoded', value }, name);
        assert.deepEqual(decodeBulk(schema, encodeBulk(schema, value), bytesMax), { status: 'decoded', value }, name);
      }
    }
  });

  for (const [what, encoded] of [
    ['bytes after the value', 'a1616101' + '00'],
    ['no bytes', ''],
    ['a value cut off', 'a16161'],
    ['a number in more bytes than it needs', 'a161611801'],
    ['a length in more bytes than it needs', 'a178016101'],
    ['a map of indefinite length', 'bf616101ff'],
    ['text of indefinite length', 'a17f6161ff01'],
    ['a break alone', 'ff'],
    ['a break where a value stands', 'a16161ff'],
    ['one key twice', 'a2616101616102'],
    ['a tag', 'c1a1616101'],
    ['a bignum', 'a16161c24101'],
    ['undefined', 'a16161f7'],
    ['not a number', 'a16161f97e00'],
    ['infinity', 'a16161f97c00'],
    ['a reserved simple value', 'a16161f801'],
    ['a reserved additional information', 'a161611c'],
    ['a list that claims 2^32 items', 'a161619affffffff'],
    ['bytes that claim 2^64', 'a161615bffffffffffffffff'],
    ['a map that claims 2^63 entries', 'bb7fffffffffffffff'],
  ] as const) {
    test(`${what} is refused`, () => assert.equal(refusalOf(encoded), 'not-cbor'));
  }

  for (const [what, encoded] of [
    ['a whole number as a float', 'a16161f93c00'],
    ['negative zero', 'a16161f98000'],
    ['keys out of order', 'a2616200616101'],
    ['UTF-8 that is none', 'a161ff01'],
    ['half a surrogate pair in UTF-8', 'a163eda08001'],
    ['an overlong form of UTF-8', 'a162c1a101'],
  ] as const) {
    test(`${what} is refused`, () => assert.match(refusalOf(encoded), /^not-(deterministic|cbor|as-declared)$/));
  }

  test('a single precision float of a fraction is deterministic, and still not what is declared', () =>
    assert.equal(refusalOf('a16161f93e00'), 'not-as-declared'));
  test('null is refused', () => assert.equal(refusalOf('a16161f6'), 'not-as-declared'));
  test('a number beyond 2^53 is refused', () => assert.notEqual(refusalOf('a161611b0020000000000000'), 'decoded'));
  test('keys that are not text are refused', () => assert.equal(refusalOf('a10101'), 'not-as-declared'));

  test('more bytes than are accepted are not looked at', () => {
    assert.deepEqual(decodeStrict(One, new Uint8Array(9), 8), {
      status: 'malformed',
      reason: 'too-large',
      detail: 'the message has 9 bytes; at most 8 are accepted',
    });
  });

  test('text that begins with U+FEFF keeps it, in short and long text, and as a key', () => {
    const Texts = record(text({ max: 90 }), text({ max: 90 }), { max: 9 });
    const value = { '\ufeff': '\ufeffa', a: '\ufeff', b: `\ufeff${'b'.repeat(60)}`, c: '\ufeff\ufeffc' };
    for (const encoded of [encodeStrict(Texts, value), encodeBulk(Texts, value)])
      assert.deepEqual(decodeBulk(Texts, encoded, max), { status: 'decoded', value });
    assert.deepEqual(decodeStrict(Texts, encodeStrict(Texts, value), max), { status: 'decoded', value });
  });

  test('the bytes of another kind of Uint8Array, such as a Buffer, are read as plain ones', () => {
    const decoded = decodeStrict(struct({ a: bytes({ max: 2 }) }), Buffer.from('a161614107', 'hex'), max);
    assert.deepEqual(decoded, { status: 'decoded', value: { a: Uint8Array.of(7) } });
  });
});

describe('lists and maps are at most 16 deep, and a message has at most 32,768 items (§2.3)', () => {
  const doors = { strict: decodeStrict, bulk: decodeBulk };
  for (const [door, decode] of Object.entries(doors)) {
    for (const [what, opener] of Object.entries({ lists: '81', maps: 'a16161', 'maps as keys': 'a1', tags: 'c1' })) {
      test(`${door}: ${what}, however deep, are refused soon`, () => {
        for (const depth of [16, 17, 1_000, 4_000, 4_500, 5_000, 10_000, 70_000]) {
          const encoded = new Uint8Array([...Array.from({ length: depth }, () => [...hex(opener)]).flat(), 0, 0]);
          const startedAt = performance.now();
          assert.equal(decode(One, encoded, max).status, 'malformed');
          assert.ok(performance.now() - startedAt < 200);
        }
      });
    }

    test(`${door}: 16 deep is read, 17 is not`, () => {
      const reasonAt = (depth: number): string => {
        const decoded = decode(One, new Uint8Array([...new Array<number>(depth).fill(0x81), 0x80]), max);
        return decoded.status === 'malformed' ? decoded.reason : 'decoded';
      };
      assert.equal(reasonAt(16), 'not-as-declared');
      assert.equal(reasonAt(17), 'not-cbor');
    });

    test(`${door}: 32,768 items are read, one more is not`, () => {
      const reasonOf = (items: number): string => {
        const encoded = new Uint8Array(5 + items - 1);
        encoded.set([0x9a, 0, 0, (items - 1) >> 8, (items - 1) & 0xff]);
        const decoded = decode(One, door === 'strict' ? encoded.slice(2).with(0, 0x99) : encoded, max);
        return decoded.status === 'malformed' ? decoded.reason : 'decoded';
      };
      assert.equal(reasonOf(32_768), 'not-as-declared');
      assert.equal(reasonOf(32_769), 'not-cbor');
    });
  }

  test('no message of ours comes near the limits', () => {
    const deepest = (value: unknown): number =>
      typeof value === 'object' && value !== null && !(value instanceof Uint8Array)
        ? 1 + Math.max(0, ...Object.values(value).map(deepest))
        : 0;
    for (const { name, values } of samples)
      assert.ok(
        values.every((value) => deepest(value) <= 5),
        name,
      );
  });
});

describe('bulk form is any CBOR without tags that fits (§2.3)', () => {
  test('indefinite lengths, longer heads and another order of keys are read', () => {
    for (const encoded of ['bf616101ff', 'a161611801', 'b800', 'b90001616101', 'a178016101']) {
      assert.equal(decodeBulk(optionalOne, hex(encoded), max).status, 'decoded', encoded);
    }
  });

  for (const [what, encoded] of Object.entries({
    'a date': 'c1fb7ff0000000000000',
    'a set': 'd90102820101',
    'a record definition': 'd8698440816161',
    'a shared value': 'd81c81d81d00',
    'packed values': 'd8338480808000',
    'a typed array': 'd84041aa',
    'an error object': 'd81b8263666f6f63626172',
    'one key twice': 'a2616101616102',
    'a break alone': 'ff',
    'a break inside a definite list': '81ff',
    'bytes after the value': 'a000',
  })) {
    test(`${what} is refused`, () => assert.equal(decodeBulk(optionalOne, hex(encoded), max).status, 'malformed'));
  }

  test('a bignum as long as a message is refused at once: it took 32 s to read', () => {
    const encoded = new Uint8Array(max).fill(0xff);
    encoded.set(hex('a16161c25a'));
    new DataView(encoded.buffer).setUint32(5, max - 9);
    const startedAt = performance.now();
    const decoded = decodeBulk(One, encoded, max);
    assert.ok(performance.now() - startedAt < 200);
    assert.ok(decoded.status === 'malformed' && decoded.detail.length < 200);
  });

  test('one message leaves nothing behind for the next', () => {
    const proper = encodeBulk(One, { a: 1 });
    for (const encoded of ['d9dfff84', 'd8698440816161', 'd81c80', 'bf6161', 'd90103a1616101', '9f']) {
      decodeBulk(One, hex(encoded), max);
      assert.deepEqual(decodeBulk(One, proper, max), { status: 'decoded', value: { a: 1 } });
    }
  });

  test('what is decoded does not change when the next message is encoded', () => {
    const Chunk = struct({ content: bytes({ max: 9 }) });
    const encoded = encodeBulk(Chunk, { content: Uint8Array.of(1, 2, 3) });
    const decoded = decodeBulk(Chunk, encoded, max);
    encodeBulk(Chunk, { content: Uint8Array.of(9, 9, 9) });
    assert.deepEqual(decoded, { status: 'decoded', value: { content: Uint8Array.of(1, 2, 3) } });
  });
});

const optionalOne = struct({ a: optional(integer({ min: 0, max: 9 })) });

describe('JSON is RFC 8259 in UTF-8 (§2.4)', () => {
  const reasonOf = (json: string | Uint8Array): string => {
    const decoded = decodeJson(One, typeof json === 'string' ? encoder.encode(json) : json, max);
    return decoded.status === 'malformed' ? decoded.reason : 'decoded';
  };
  for (const json of ['', '{', '{"a":1,}', "{'a':1}", '{"a":01}', '{"a":1}x', 'NaN', '{"a":1}\u0000']) {
    test(`${JSON.stringify(json)} is refused`, () => assert.equal(reasonOf(json), 'not-json'));
  }
  test('bytes that are no UTF-8 are refused', () => assert.equal(reasonOf(Uint8Array.of(0x7b, 0xff, 0x7d)), 'not-json'));
  for (const json of [
    'null',
    '[]',
    '"a"',
    '{"a":1e999}',
    '{"a":-0}',
    '{"a":1.5}',
    '{"a":9007199254740993}',
    '{"__proto__":{"a":1}}',
    '{"a":1,"constructor":1}',
  ]) {
    test(`${json} is not as declared`, () => assert.equal(reasonOf(json), 'not-as-declared'));
  }
  test('what the parser quotes of it is harmless', () => {
    const decoded = decodeJson(One, encoder.encode('{"a\u009b\u202e": \u001b[2J'), max);
    assert.ok(decoded.status === 'malformed');
    assert.doesNotMatch(decoded.detail, /[\p{Cc}\p{Bidi_Control}]/u);
  });
  test('lists 100,000 deep are refused', () => assert.notEqual(reasonOf('['.repeat(100_000) + ']'.repeat(100_000)), 'decoded'));
});

describe('a value of ours that is out of bounds is an error of the program, one of others a verdict (§2.2)', () => {
  test('encodeStrict throws', () => assert.throws(() => encodeStrict(One, { a: 101 }), MalformedValue));
  test('encodeForeign refuses', () => {
    assert.deepEqual(encodeForeign(One, { a: 101 }), {
      status: 'malformed',
      reason: 'not-as-declared',
      detail: 'message.a is 101; it must be at most 100',
    });
    assert.deepEqual(encodeForeign(One, { a: 1 }), { status: 'decoded', value: hex('a1616101') });
  });
});

test('bytes are the same when all of them are', () => {
  assert.ok(sameBytes(Uint8Array.of(1, 2), Uint8Array.of(1, 2)));
  assert.ok(!sameBytes(Uint8Array.of(1, 2), Uint8Array.of(1)));
  assert.ok(!sameBytes(Uint8Array.of(1, 2), Uint8Array.of(1, 3)));
});
