/** The capsule manifest: as it is written, as it travels, and what contradicts itself. Specification §7.1. */
import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import fc from 'fast-check';
import { decodeStrict, encodeStrict, readPlain } from '#protocol/codec.ts';
import { LIMITS } from '#protocol/limits.ts';
import {
  capsuleDigest,
  CapsulePath,
  decodeManifest,
  encodeManifest,
  Manifest,
  MANIFEST_DEFAULTS,
  manifestFrom,
  readWrittenManifest,
  type WrittenManifest,
} from '#protocol/manifest.ts';
import type { Schema } from '#protocol/schema.ts';
import { judgePath } from '../../../hpc-agent/sandbox/paths.ts';
import { manifest, startMs, text } from './workshop.ts';

const [file] = manifest.files;
const fileAt = (path: string) => ({ ...file!, path });
/** Whoever sends need not declare. */
const anything: Schema<unknown> = { read: (raw) => raw, write: (value) => value };
const refusalOf = (changes: Partial<Manifest>): string => {
  const decoded = decodeManifest(encodeStrict(anything, { ...manifest, ...changes }));
  return decoded.status === 'malformed' ? decoded.detail : 'decoded';
};

const segment = fc.stringMatching(/^[A-Za-z0-9_ .é🧭-]{1,12}$/u).filter((part) => !/^\.{1,2}$/.test(part));
const path = fc.array(segment, { minLength: 1, maxLength: 5 }).map((parts) => parts.join('/'));
const word = fc.stringMatching(/^[A-Za-z_][A-Za-z0-9_]{0,20}$/);
const anyWritten: fc.Arbitrary<WrittenManifest> = fc.record(
  {
    capsule: fc.constant(1 as const),
    runtime: fc.constantFrom('node', 'python', 'wasm+wasi'),
    entry: path,
    name: fc.stringMatching(/^[ -~]{1,80}$/),
    arguments: fc.array(
      fc.string({ maxLength: 40 }).map((value) => value.toWellFormed()),
      { maxLength: 5 },
    ),
    environment: fc.dictionary(word, fc.stringMatching(/^[ -~\n]{0,40}$/), { maxKeys: 5, noNullPrototype: true }),
    limits: fc.record(
      {
        wallSeconds: fc.integer({ min: 1, max: LIMITS.wallMsMax / 1_000 }),
        cpuSeconds: fc.integer({ min: 1, max: LIMITS.wallMsMax }),
        memoryMegabytes: fc.integer({ min: 16, max: LIMITS.memoryBytesMax / 1_048_576 }),
        processes: fc.integer({ min: 1, max: LIMITS.processesMax }),
        outputMegabytes: fc.integer({ min: 0, max: LIMITS.outputBytesMax / 1_048_576 }),
        logKilobytes: fc.integer({ min: 0, max: LIMITS.logBytesMax / 1_024 }),
      },
      { requiredKeys: [], noNullPrototype: true },
    ),
    policy: fc.record(
      { replicas: fc.integer({ min: 1, max: 31 }), deadlineSeconds: fc.integer({ min: 1, max: LIMITS.deadlineMaxMs / 1_000 }) },
      { requiredKeys: [], noNullPrototype: true },
    ),
  },
  { requiredKeys: ['capsule', 'runtime', 'entry'], noNullPrototype: true },
);

describe('what people write means the same on the wire (§7.1)', () => {
  test('in all its fields, with defaults where nothing is written', () => {
    fc.assert(
      fc.property(anyWritten, (written) => {
        const read = readWrittenManifest(text(JSON.stringify(written)));
        assert.deepEqual(read, { status: 'decoded', value: written });
        const made = manifestFrom(written, [fileAt(written.entry)], startMs);
        assert.deepEqual(decodeManifest(encodeManifest(made)), { status: 'decoded', value: made });
        const { limits = {}, policy = {} } = written;
        const wallSeconds = limits.wallSeconds ?? MANIFEST_DEFAULTS.wallSeconds;
        assert.deepEqual(made.limits, {
          wallMs: wallSeconds * 1_000,
          cpuMs: (limits.cpuSeconds ?? wallSeconds) * 1_000,
          memoryBytes: (limits.memoryMegabytes ?? MANIFEST_DEFAULTS.memoryMegabytes) * 2 ** 20,
          processes: limits.processes ?? MANIFEST_DEFAULTS.processes,
          outputBytes: (limits.outputMegabytes ?? MANIFEST_DEFAULTS.outputMegabytes) * 2 ** 20,
          logBytes: (limits.logKilobytes ?? MANIFEST_DEFAULTS.logKilobytes) * 2 ** 10,
        });
        assert.equal(made.policy.deadlineMs, policy.deadlineSeconds === undefined ? undefined : startMs + policy.deadlineSeconds * 1_000);
        assert.equal(made.policy.agreement, policy.replicas ?? 1);
        assert.deepEqual(
          [made.entry, made.arguments, made.environment],
          [written.entry, written.arguments ?? [], written.environment ?? {}],
        );
      }),
      { numRuns: 300 },
    );
  });

  test('a capsule without a name has that of its entry, cut at 80 characters and never inside one', () => {
    const nameFor = (entry: string): string => manifestFrom({ capsule: 1, runtime: 'node', entry }, [], startMs).name;
    assert.equal(nameFor('main.js'), 'main.js');
    assert.equal(nameFor('a'.repeat(200)), 'a'.repeat(80));
    assert.equal(nameFor(`${'a'.repeat(79)}🧭🧭`), 'a'.repeat(79));
    assert.equal(nameFor(`${'a'.repeat(78)}🧭🧭`), `${'a'.repeat(78)}🧭`);
  });

  test('an argument that begins with a byte order mark keeps it', () => {
    const marked = { ...manifest, arguments: ['\ufeffa', '\ufeff'] };
    assert.deepEqual(decodeManifest(encodeManifest(marked)), { status: 'decoded', value: marked });
  });

  test('an environment variable called __proto__ is a variable', () => {
    const read = readWrittenManifest(text('{"capsule":1,"runtime":"node","entry":"a","environment":{"__proto__":"x"}}'));
    assert.ok(read.status === 'decoded');
    const decoded = decodeManifest(encodeManifest(manifestFrom(read.value, [fileAt('a')], startMs)));
    assert.ok(decoded.status === 'decoded');
    assert.deepEqual(Object.entries(decoded.value.environment), [['__proto__', 'x']]);
  });

  test('what is written wrongly is refused with its place', () => {
    const refused = readWrittenManifest({ capsule: 1, runtime: 'node', entry: 'a', limits: { wallMs: 1 } });
    assert.ok(refused.status === 'malformed' && refused.detail.startsWith('message.limits has an unknown field "wallMs"'));
  });
});

describe('a manifest that contradicts itself is refused (§7.1)', () => {
  const contradictions: readonly (readonly [rule: string, Partial<Manifest>, detail: string])[] = [
    ['a path twice', { files: [fileAt('main.js'), fileAt('main.js')] }, 'the manifest lists one path twice'],
    [
      'a file that is a folder of another',
      { files: [fileAt('main.js'), fileAt('a'), fileAt('a/b/c')] },
      'the manifest uses a part of "a/b/c" as a file and as a folder',
    ],
    [
      'a folder further up',
      { files: [fileAt('main.js'), fileAt('a/b'), fileAt('a/b/c')] },
      'the manifest uses a part of "a/b/c" as a file and as a folder',
    ],
    ['an entry that is not there', { entry: 'other.js' }, 'the entry "other.js" is not among the files'],
    ['an entry that is a folder', { entry: 'a', files: [fileAt('a/b')] }, 'the entry "a" is not among the files'],
    ['more that agree than run', { policy: { replicas: 2, agreement: 3, trust: 'self-reported' } }, "3 of 2 replicas can't agree"],
  ];
  for (const [rule, changes, detail] of contradictions) {
    test(rule, () => assert.equal(refusalOf(changes), detail));
  }

  test('paths that only begin alike are no contradiction', () =>
    assert.equal(refusalOf({ files: [fileAt('main.js'), fileAt('a'), fileAt('ab/c')] }), 'decoded'));

  test('as many deep paths as fit are compared within 50 ms', () => {
    const files = Array.from({ length: 220 }, (_, index) => fileAt(`${'abcdefg/'.repeat(29)}${index}`));
    const encoded = encodeManifest({ ...manifest, entry: files[0]!.path, files });
    const took = Array.from({ length: 5 }, () => {
      const startedAt = performance.now();
      assert.equal(decodeManifest(encoded).status, 'decoded');
      return performance.now() - startedAt;
    });
    assert.ok(encoded.length < LIMITS.manifestBytesMax && Math.min(...took) < 50, String(took));
  });
});

describe('a path is relative and stays inside (§7.1)', () => {
  const isPath = (value: string): boolean => readPlain(CapsulePath, value).status === 'decoded';
  for (const value of ['a', 'a/b', '.a', '..a', 'a..', 'a/...', 'a b', 'é/🧭', `${'a/'.repeat(31)}a`, 'é'.repeat(127)]) {
    test(`${JSON.stringify(value)} is one`.slice(0, 80), () => assert.ok(isPath(value)));
  }
  for (const value of [
    '',
    '/',
    '/a',
    'a/',
    'a//b',
    '.',
    '..',
    './a',
    '../a',
    'a/.',
    'a/..',
    'a/../b',
    'a/./b',
    'a\\b',
    '\\',
    'a\u0000b',
    'a\nb',
    'a'.repeat(256),
    `${'a/'.repeat(32)}a`,
    'é'.repeat(128),
    'a\u202eb',
    'a\u2066b',
    'a\u061cb',
    'a\u2028b',
    '\ud83e',
  ]) {
    test(`${JSON.stringify(value)} is none`.slice(0, 80), () => assert.ok(!isPath(value)));
  }
});

describe('what only the sandbox could refuse is refused before it costs a box an attempt (§7.1)', () => {
  const wrong: readonly (readonly [rule: string, changes: Partial<Manifest>, detail: RegExp])[] = [
    ["a variable of the sandbox's own", { environment: { CAPSTAN_OUT: '/' } }, /begins with CAPSTAN_; these names are the sandbox's own/],
    ['a zero byte in an argument', { arguments: ['a\0b'] }, /arguments\[0\] holds a zero byte/],
    ['a zero byte in a variable', { environment: { A: 'a\0b' } }, /environment\.A holds a zero byte/],
    ['a path too deep', { files: [fileAt('main.js'), fileAt(`${'a/'.repeat(32)}a`)] }, /is 33 levels deep; at most 32/],
    ['a part too long', { files: [fileAt('main.js'), fileAt('é'.repeat(128))] }, /has a part of more than 255 bytes/],
    ['a mark that reorders', { files: [fileAt('main.js'), fileAt('a\u202ecod.exe')] }, /holds a mark that reorders/],
  ];
  for (const [rule, changes, detail] of wrong) {
    test(`${rule}, as it travels`, () => assert.match(refusalOf(changes), detail));
  }

  test('in JSON and YAML with the same words', () => {
    for (const [written, detail] of [
      [{ environment: { CAPSTAN_X: '1' } }, /begins with CAPSTAN_/],
      [{ environment: { A: '\0' } }, /holds a zero byte/],
      [{ arguments: ['\0'] }, /holds a zero byte/],
      [{ content: { 'a\u2067b': '' } }, /holds a mark that reorders/],
      [{ entry: `${'a/'.repeat(32)}a` }, /levels deep/],
    ] as const) {
      const value = { capsule: 1, runtime: 'node', entry: 'a', ...written };
      for (const read of [readWrittenManifest(value), readWrittenManifest(text(JSON.stringify(value)))])
        assert.ok(read.status === 'malformed' && detail.test(read.detail), JSON.stringify(read));
    }
  });

  test('names that only resemble them, and text of several lines, are taken', () =>
    assert.equal(refusalOf({ environment: { CAPSTAN: '1', MY_CAPSTAN_X: 'a\nb' }, arguments: ['a\nb'] }), 'decoded'));

  test('every path that is taken here is taken by the sandbox', () => {
    const unit = fc.constantFrom(
      'a',
      'é',
      '🧭',
      '.',
      '/',
      '\\',
      ' ',
      '\u200e',
      '\u061c',
      '\u202a',
      '\u2069',
      '\u2029',
      '\u0085',
      '\u{10ffff}',
    );
    const anyPath = fc.oneof(fc.string({ unit, maxLength: 12 }), fc.string({ unit: fc.constantFrom('a/', 'b', '🧭'), maxLength: 120 }));
    fc.assert(
      fc.property(anyPath, (candidate) => {
        if (readPlain(CapsulePath, candidate).status === 'decoded') assert.deepEqual(judgePath(candidate), { status: 'accepted' });
      }),
      { numRuns: 2_000 },
    );
  });
});

test('the capsule digest covers every byte of the manifest (§7.1)', () => {
  const encoded = encodeManifest(manifest);
  const digests = [...encoded.keys()].map((at) => capsuleDigest(encoded.with(at, encoded[at]! ^ 1)).toHex());
  assert.equal(new Set([capsuleDigest(encoded).toHex(), ...digests]).size, encoded.length + 1);
});

test('a manifest larger than 80 KiB is refused (§10)', () => {
  const decoded = decodeManifest(new Uint8Array(LIMITS.manifestBytesMax + 1));
  assert.ok(decoded.status === 'malformed' && decoded.reason === 'too-large');
});

test('a manifest of 900 files with short paths is read within its limits (§10)', () => {
  const files = Array.from({ length: 900 }, (_, index) => fileAt(`f${index}`));
  const encoded = encodeManifest({ ...manifest, entry: 'f0', files });
  assert.equal(decodeStrict(Manifest, encoded, LIMITS.manifestBytesMax).status, 'decoded');
});
