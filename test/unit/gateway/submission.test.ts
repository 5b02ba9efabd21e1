/** What a device says to a submission that it can't take. Specification §7.1, §7.3. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { Submission } from '#protocol/client-messages.ts';
import { encodeBulk, encodeStrict } from '#protocol/codec.ts';
import { blobDigest } from '#protocol/digest.ts';
import { LIMITS } from '#protocol/limits.ts';
import { encodeManifest, type Manifest } from '#protocol/manifest.ts';
import { judgeManifest, readSubmission, type GatewayView } from '../../../device/gateway/submission.ts';
import { DEVICE_LIMITS } from '../../../device/limits.ts';

const NETWORK = new Uint8Array(32).fill(7);
/** A declaration that takes everything, to write what no honest client writes. */
const anything = { read: (raw: unknown) => raw as Record<string, unknown>, write: (value: Record<string, unknown>) => value };

const PLACE = { network: NETWORK, device: 'alpha', atMs: 1_700_000_000_000 };
const VIEW: GatewayView = {
  runtimesByBox: new Map([['box-1', ['shell', 'python']]]),
  openCapsules: 0,
  openCapsulesOfClient: 0,
  freeBytes: 100 * 1_073_741_824,
  atMs: PLACE.atMs,
};
const MANIFEST: Manifest = {
  version: 1,
  name: 'hello',
  runtime: 'shell',
  entry: 'hello.sh',
  arguments: [],
  environment: {},
  files: [{ path: 'hello.sh', digest: blobDigest(new Uint8Array(3)), bytes: 3 }],
  limits: { wallMs: 1_000, cpuMs: 1_000, memoryBytes: 64 * 1_048_576, processes: 8, outputBytes: 1_048_576, logBytes: 1_024 },
  policy: { replicas: 1, agreement: 1, trust: 'self-reported' },
};

test('a well-formed submission is read, and the same request is the same capsule (§7.3)', () => {
  const first = read(wire(MANIFEST));
  const second = read(wire(MANIFEST));
  assert.equal(first.status, 'read');
  assert.deepEqual(first, second);
  assert.equal(judgeManifest(MANIFEST, VIEW), undefined);
});

test('another request, client, device or manifest is another capsule (§7.2)', () => {
  const ids = [
    read(wire(MANIFEST)),
    read(wire(MANIFEST, { request: new Uint8Array(16).fill(2) })),
    read(wire({ ...MANIFEST, name: 'other' })),
    read(wire(MANIFEST), { client: 'bob' }),
    readSubmission(
      { client: 'ada', notation: 'cbor', payload: wire(MANIFEST), freshRequest: new Uint8Array(16) },
      { ...PLACE, device: 'bravo' },
    ),
  ].map((verdict) => (verdict.status === 'read' ? verdict.capsule : verdict.detail));
  assert.equal(new Set(ids).size, ids.length, ids.join(' '));
});

test('a submission for another network is refused with both names (§7.3)', () => {
  const verdict = read(wire(MANIFEST, { network: new Uint8Array(32) }));
  assert.deepEqual(verdict, {
    status: 'refused',
    reason: 'foreign-network',
    detail: 'this device belongs to network 0707070707070707, the submission is for 0000000000000000',
  });
});

for (const [rule, payload, words] of [
  ['bytes that are no CBOR', new Uint8Array([0xff, 0x00]), /CBOR/],
  ['an empty payload', new Uint8Array(0), /CBOR/],
  ['a payload larger than a packet', new Uint8Array(LIMITS.packetBytesMax + 1), /262145 bytes; at most 262144/],
  [
    'an unknown field',
    encodeBulk(anything, { network: NETWORK, request: new Uint8Array(16), manifest: new Uint8Array(1), price: 3 }),
    /unknown field "price"/,
  ],
  ['a missing field', encodeBulk(anything, { network: NETWORK, request: new Uint8Array(16) }), /lacks the field "manifest"/],
  ['a manifest that is not deterministic CBOR', wireBytes(encodeBulk(anything, { b: 1, a: 2 })), /deterministic/],
] as const) {
  test(`${rule} is refused as malformed, with what was wrong (§2.2)`, () => {
    const verdict = read(payload);
    assert.equal(verdict.status === 'refused' && verdict.reason, 'malformed');
    assert.match(verdict.status === 'refused' ? verdict.detail : '', words);
  });
}

for (const [rule, manifest, words] of [
  ['an entry that is not among the files', { entry: 'other.sh' }, /entry "other.sh" is not among the files/],
  ['a path that climbs', { entry: '../x', files: [{ path: '../x', digest: new Uint8Array(32), bytes: 1 }] }, /relative path/],
  ['an absolute path', { entry: '/etc/passwd', files: [{ path: '/etc/passwd', digest: new Uint8Array(32), bytes: 1 }] }, /relative path/],
  ['one path twice', { files: [...MANIFEST.files, ...MANIFEST.files] }, /one path twice/],
  [
    'a file that is also a folder',
    { files: [...MANIFEST.files, { path: 'hello.sh/x', digest: new Uint8Array(32), bytes: 1 }] },
    /as a file and as a folder/,
  ],
  ['more agreement than replicas', { policy: { ...MANIFEST.policy, agreement: 2 } }, /2 of 1 replicas/],
] as const) {
  test(`${rule} is refused (§7.1)`, () => {
    const verdict = readRaw({ ...MANIFEST, ...manifest });
    assert.match(verdict.status === 'refused' ? verdict.detail : 'it was taken', words);
  });
}

for (const [reason, manifest, view, words] of [
  ['unknown-runtime', { runtime: 'cobol' }, {}, /no box of the network has the runtime "cobol"; there are python, shell/],
  ['no-box', {}, { runtimesByBox: new Map() }, /the chain has no box for this device/],
  ['deadline-passed', { policy: { ...MANIFEST.policy, deadlineMs: PLACE.atMs - 1 } }, {}, /past/],
  ['unsupported-policy', { policy: { ...MANIFEST.policy, replicas: 3, agreement: 2 } }, {}, /ask for 1/],
  ['queue-full', {}, { openCapsulesOfClient: DEVICE_LIMITS.openCapsulesPerClientMax }, /at most 200/],
  ['queue-full', {}, { openCapsules: DEVICE_LIMITS.openCapsulesMax }, /try again later/],
  ['disk-full', {}, { freeBytes: DEVICE_LIMITS.freeBytesMin }, /free/],
] as const) {
  test(`a capsule that can't run here is refused: ${reason}, ${words.source} (§7.3)`, () => {
    const refusal = judgeManifest({ ...MANIFEST, ...manifest }, { ...VIEW, ...view }) ?? assert.fail('it was taken');
    assert.equal(refusal.reason, reason);
    assert.match(refusal.detail, words);
  });
}

test('JSON with the text of its files is the capsule that its manifest makes (§7.1)', () => {
  const written = {
    capsule: 1,
    runtime: 'shell',
    entry: 'a.sh',
    content: { 'a.sh': 'echo hello > $CAPSTAN_OUT/x' },
    limits: { wallSeconds: 5 },
  };
  const verdict = readJson(written);
  assert.ok(verdict.status === 'read');
  assert.deepEqual(verdict.manifest.limits.wallMs, 5_000);
  assert.deepEqual(
    [...verdict.content.values()].map((bytes) => new TextDecoder().decode(bytes)),
    ['echo hello > $CAPSTAN_OUT/x'],
  );
});

for (const [rule, written, words] of [
  [
    '"files", which need a folder',
    { capsule: 1, runtime: 'shell', entry: 'a.sh', files: ['a.sh'] },
    /put the text of each file into "content"/,
  ],
  ['no file at all', { capsule: 1, runtime: 'shell', entry: 'a.sh' }, /the capsule has no files/],
  [
    'an unknown field',
    { capsule: 1, runtime: 'shell', entry: 'a.sh', content: { 'a.sh': '' }, colour: 'red' },
    /unknown field "colour"; known are capsule, name/,
  ],
  [
    'a limit out of bounds',
    { capsule: 1, runtime: 'shell', entry: 'a.sh', content: { 'a.sh': '' }, limits: { wallSeconds: 0 } },
    /wallSeconds is 0; it must be at least 1/,
  ],
] as const) {
  test(`JSON with ${rule} is refused (§7.1)`, () => {
    const verdict = readJson(written);
    assert.match(verdict.status === 'refused' ? verdict.detail : 'it was taken', words);
  });
}

test('no payload whatever makes the reading throw (§2)', () => {
  const valid = wire(MANIFEST);
  const mutated = fc.tuple(fc.nat(valid.length - 1), fc.nat(255)).map(([at, byte]) => valid.with(at, byte));
  fc.assert(
    fc.property(
      fc.oneof(fc.uint8Array({ maxLength: 400 }), mutated),
      fc.constantFrom('cbor' as const, 'json' as const),
      (payload, notation) => {
        const verdict = readSubmission(
          { client: 'ada', notation, payload: Uint8Array.from(payload), freshRequest: new Uint8Array(16) },
          PLACE,
        );
        assert.ok(verdict.status === 'read' || verdict.detail.length > 0);
      },
    ),
    { numRuns: 5_000 },
  );
});

function wire(manifest: Manifest, change: { network?: Uint8Array; request?: Uint8Array } = {}): Uint8Array {
  return encodeBulk(Submission, { network: NETWORK, request: new Uint8Array(16).fill(1), manifest: encodeManifest(manifest), ...change });
}

function wireBytes(manifest: Uint8Array): Uint8Array {
  return encodeBulk(Submission, { network: NETWORK, request: new Uint8Array(16).fill(1), manifest });
}

function read(payload: Uint8Array, change: { client?: string } = {}) {
  return readSubmission({ client: 'ada', notation: 'cbor', payload, freshRequest: new Uint8Array(16), ...change }, PLACE);
}

/** A manifest that our own encoder would refuse to write. */
function readRaw(manifest: object) {
  return read(wireBytes(encodeStrict(anything, manifest as Record<string, unknown>)));
}

function readJson(written: object) {
  const payload = new TextEncoder().encode(JSON.stringify(written));
  return readSubmission({ client: 'ada', notation: 'json', payload, freshRequest: new Uint8Array(16) }, PLACE);
}
