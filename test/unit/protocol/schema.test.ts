/** Declarations: what they take, what they refuse and in which words. Specification §2.2. */
import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { readPlain } from '#protocol/codec.ts';
import {
  bytes,
  fixedBytes,
  flag,
  harmless,
  integer,
  list,
  MalformedValue,
  oneOf,
  optional,
  record,
  struct,
  text,
  variant,
  type Schema,
} from '#protocol/schema.ts';

const digit = integer({ min: 0, max: 9 });
const Point = struct({ x: digit, y: optional(digit) });
const Shape = variant('shape', { circle: struct({ radius: digit }), dot: struct({}) });
const word = text({ min: 1, max: 4, pattern: /^[a-z]+$/, like: 'a lower-case word' });

function refusal<T>(schema: Schema<T>, raw: unknown, notation: 'cbor' | 'json' = 'cbor'): string {
  try {
    schema.read(raw, 'it', notation);
  } catch (error) {
    assert.ok(error instanceof MalformedValue);
    return error.message;
  }
  return 'accepted';
}

const refusals: readonly (readonly [rule: string, Schema<unknown>, raw: unknown, message: string])[] = [
  ['a list where a map stands', Point, [1], 'it is a list; it must be a map'],
  ['nothing where a map stands', Point, null, 'it is null; it must be a map'],
  ['bytes where a map stands', Point, Uint8Array.of(1, 2), 'it is a byte string of 2 bytes; it must be a map'],
  ['a key that is not text', Point, new Map([[1, 2]]), "it has a key that isn't text"],
  ['a missing field', Point, { y: 1 }, 'it lacks the field "x"'],
  ['an unknown field', Point, { x: 1, z: 2 }, 'it has an unknown field "z"; known are x, y'],
  [
    'a field of Object.prototype',
    Point,
    new Map<string, unknown>([
      ['x', 1],
      ['__proto__', {}],
    ]),
    'it has an unknown field "__proto__"; known are x, y',
  ],
  ['a field that only the prototype has', struct({ constructor: digit }), {}, 'it lacks the field "constructor"'],
  ['an optional field that is null', Point, { x: 1, y: null }, 'it.y is null; it must be a whole number'],
  [
    'an optional field that is undefined',
    Point,
    new Map([
      ['x', 1],
      ['y', undefined],
    ]),
    'it.y is absent; it must be a whole number',
  ],
  ['a word that tells no variant', Shape, { shape: 'square' }, 'it.shape is "square"; it must be one of circle, dot'],
  ['a variant of Object.prototype', Shape, { shape: 'constructor' }, 'it.shape is "constructor"; it must be one of circle, dot'],
  ['a variant without its word', Shape, { radius: 1 }, 'it.shape is absent; it must be one of circle, dot'],
  ['a field of another variant', Shape, { shape: 'dot', radius: 1 }, 'it has an unknown field "radius"; known are '],
  ['a number where text stands', word, 7, 'it is 7; it must be text'],
  ['text too short', word, '', 'it is 0 characters; it must be at least 1'],
  ['text too long', word, 'abcde', 'it is 5 characters; it must be at most 4'],
  ['text of another pattern', word, 'aB', 'it is "aB"; it must be a lower-case word'],
  ['half a surrogate pair', text({ max: 9 }), 'a\ud83e', 'it holds half of a surrogate pair; it must be well-formed Unicode'],
  ['a control character', text({ max: 9 }), 'a\u009b', 'it holds control characters; it must be one line of plain text'],
  ['a line break', text({ max: 9 }), 'a\nb', 'it holds control characters; it must be one line of plain text'],
  ['text where bytes stand', bytes({ max: 2 }), 'aa', 'it is "aa"; it must be a byte string'],
  ['too many bytes', bytes({ max: 2 }), new Uint8Array(3), 'it is 3 bytes; it must be at most 2'],
  ['another length than the fixed one', fixedBytes(4), new Uint8Array(3), 'it is 3 bytes; it must be exactly 4'],
  ['a fraction', digit, 1.5, 'it is 1.5; it must be a whole number'],
  ['negative zero', digit, -0, 'it is 0; it must be a whole number'],
  ['not a number', digit, NaN, 'it is NaN; it must be a whole number'],
  ['infinity', digit, Infinity, 'it is Infinity; it must be a whole number'],
  ['a bigint', digit, 5n, 'it is 5; it must be a whole number'],
  ['a number beyond 2^53', integer({ min: 0, max: Number.MAX_SAFE_INTEGER }), 2 ** 53, 'it is 9007199254740992; it must be a whole number'],
  ['a number too small', digit, -1, 'it is -1; it must be at least 0'],
  ['a number too large', digit, 10, 'it is 10; it must be at most 9'],
  ['a number where a flag stands', flag, 1, 'it is 1; it must be true or false'],
  ['a word that is none of the known', oneOf('a', 'b'), 'c', 'it is "c"; it must be one of a, b'],
  ['another version', oneOf(1), '1', 'it is "1"; it must be 1'],
  ['a map where a list stands', list(digit, { max: 2 }), { length: 1, 0: 1 }, 'it is a map; it must be a list'],
  ['too many items', list(digit, { max: 2 }), [1, 2, 3], 'it is 3 items; it must be at most 2'],
  ['too few items', list(digit, { min: 1, max: 2 }), [], 'it is 0 items; it must be at least 1'],
  ['a bad item, with its place', list(Point, { max: 2 }), [{ x: 1 }, { x: 'a' }], 'it[1].x is "a"; it must be a whole number'],
  ['too many entries', record(word, digit, { max: 1 }), { a: 1, b: 2 }, 'it is 2 entries; it must be at most 1'],
  ['a bad name of an entry', record(word, digit, { max: 1 }), { A: 1 }, 'it key is "A"; it must be a lower-case word'],
  ['a bad entry, with its name', record(word, digit, { max: 1 }), { a: true }, 'it.a is true; it must be a whole number'],
];

describe('what does not fit its declaration is refused with the place and what would be right (§2.2)', () => {
  for (const [rule, schema, raw, message] of refusals) {
    test(rule, () => assert.equal(refusal(schema, raw), message));
  }
});

describe('what fits its declaration is read as it is (§2.2)', () => {
  const proper: readonly (readonly [rule: string, Schema<unknown>, raw: unknown, value: unknown])[] = [
    ['a map as an object', Point, { x: 1, y: 2 }, { x: 1, y: 2 }],
    ['a map as a Map', Point, new Map([['x', 1]]), { x: 1 }],
    ['a variant', Shape, { radius: 1, shape: 'circle' }, { shape: 'circle', radius: 1 }],
    ['text at its bound, in UTF-16 units', text({ max: 2 }), '🧭', '🧭'],
    ['several lines where they are declared', text({ max: 9, multiline: true }), 'a\n\tb', 'a\n\tb'],
    ['the largest whole number', integer({ min: 0, max: Number.MAX_SAFE_INTEGER }), Number.MAX_SAFE_INTEGER, Number.MAX_SAFE_INTEGER],
    ['an empty list', list(digit, { max: 2 }), [], []],
    ['a record', record(word, digit, { max: 2 }), { a: 1 }, { a: 1 }],
  ];
  for (const [rule, schema, raw, value] of proper) {
    test(rule, () => assert.deepEqual(schema.read(raw, 'it', 'cbor'), value));
  }

  test("an entry called __proto__ is an entry, and nobody's prototype", () => {
    const read = record(text({ max: 20 }), digit, { max: 2 }).read(JSON.parse('{"__proto__":1}'), 'it', 'cbor');
    assert.deepEqual(Object.entries(read), [['__proto__', 1]]);
    assert.equal(Object.getPrototypeOf(read), Object.prototype);
  });
});

describe('in JSON byte strings are base64, those of fixed length hexadecimal (§2.4)', () => {
  test('both are read and written', () => {
    assert.deepEqual(bytes({ max: 9 }).read('AQID', 'it', 'json'), Uint8Array.of(1, 2, 3));
    assert.equal(bytes({ max: 9 }).write(Uint8Array.of(1, 2, 3), 'json'), 'AQID');
    assert.deepEqual(fixedBytes(2).read('00ff', 'it', 'json'), Uint8Array.of(0, 255));
    assert.equal(fixedBytes(2).write(Uint8Array.of(0, 255), 'json'), '00ff');
  });

  test('what is neither is refused', () => {
    assert.equal(refusal(bytes({ max: 9 }), 'a?', 'json'), 'it is not base64');
    assert.equal(refusal(fixedBytes(2), 'zz', 'json'), 'it is not hexadecimal');
    assert.equal(refusal(fixedBytes(2), 7, 'json'), 'it is 7; it must be text in hexadecimal');
    assert.equal(refusal(fixedBytes(2), '00', 'json'), 'it is 1 bytes; it must be exactly 2');
  });
});

test('an absent optional field is not written (§2.2)', () => {
  const unset: { x: number; y?: number } = { x: 1 };
  assert.deepEqual(Point.write(unset, 'cbor'), { x: 1 });
});

describe('a refusal quotes others harmlessly', () => {
  for (const [what, name] of [
    ["a C1 control character, which moves a terminal's cursor", 'a\u009b2J'],
    ['a line break', 'a\nb'],
    ['a change of direction', 'a\u202eb'],
    ['a surrogate pair that the limit cuts', `${'a'.repeat(39)}🧭`],
    ['half a surrogate pair', '\ud83e'],
    ['very long text', 'a'.repeat(100_000)],
  ] as const) {
    test(what, () => {
      const refused = readPlain(Point, { x: 1, [name]: 2 });
      assert.ok(refused.status === 'malformed');
      assert.match(refused.detail, /^[^\p{Cc}\p{Bidi_Control}]{10,200}$/u);
      assert.ok(refused.detail.isWellFormed());
    });
  }

  test('cut to the bound and well-formed', () => assert.equal(harmless('ab🧭', 3), 'ab\ufffd'));
});
