/** What a device makes of evidence and reports that a box signed, or somebody else. Specification §6.3, §6.4. */
import assert from 'node:assert/strict';
import { generateKeyPairSync, sign } from 'node:crypto';
import { test } from 'node:test';
import { BoxEvidenceMessage, ReportMessage, type BoxEvidence, type Report } from '#protocol/box-messages.ts';
import { nobleCrypto } from '#protocol/crypto-noble.ts';
import { domainDigest } from '#protocol/digest.ts';
import { capsuleDigest, encodeManifest, manifestFrom } from '#protocol/manifest.ts';
import { signMessage } from '#protocol/signed.ts';
import { judgeBoxEvidence, judgeReport } from '../../../device/hpc/box-voice.ts';

const NETWORK = new Uint8Array(32).fill(1);
const OTHER = new Uint8Array(32).fill(2);
const manifest = encodeManifest(
  manifestFrom({ capsule: 1, runtime: 'node', entry: 'main.js' }, [{ path: 'main.js', digest: NETWORK, bytes: 1 }], 0),
);
const CAPSULE = capsuleDigest(manifest);
const RUN = `${'a'.repeat(32)}.1`;
const ASKED_MS = 1_700_000_000_000;
const measuring = { nonce: new Uint8Array(32).fill(3), issuedAtMs: ASKED_MS };
const asked = { run: RUN, measuring, atMs: ASKED_MS + 100 };
const listener = { network: NETWORK, device: 'alpha', crypto: nobleCrypto };
const box = signer();
const other = signer();
const paired = { name: 'box', signingKey: box.publicKey };

const software = { agent: NETWORK, kernel: 'test', commandLine: NETWORK, packages: NETWORK, bootId: 'boot', runtimes: [], isolation: [] };
const evidence: BoxEvidence = {
  network: NETWORK,
  device: 'alpha',
  box: 'box',
  run: RUN,
  beacon: domainDigest('beacon-value', NETWORK, measuring.nonce),
  software,
  madeAtMs: ASKED_MS + 50,
};
const nothing = { digest: NETWORK, bytes: 0 };
const report: Report = {
  ...{ network: NETWORK, device: 'alpha', box: 'box', run: RUN, capsule: CAPSULE, outcome: { outcome: 'exited', status: 0 } },
  ...{
    startedAtMs: ASKED_MS,
    endedAtMs: ASKED_MS,
    usage: { wallMs: 1, cpuMs: 1, memoryBytesMax: 1 },
    outputs: [],
    stdout: nothing,
    stderr: nothing,
  },
};

test("the box's own answer to the challenge of this run is accepted (§6.3)", () => {
  assert.equal(judged(evidence).status, 'accepted');
  assert.equal(judged(evidence, { earlier: signed(evidence) }).status, 'accepted');
});

for (const [rule, change] of [
  ['of another network', { network: OTHER }],
  ['for another device', { device: 'bravo' }],
  ['of another box', { box: 'box-2' }],
  ['of another run', { run: `${'a'.repeat(32)}.2` }],
  ['to another challenge', { beacon: OTHER }],
] as const) {
  test(`evidence ${rule} changes nothing (§6.3)`, () => assert.equal(judged({ ...evidence, ...change }).status, 'ignored'));
}

test('evidence signed by another key, late, or not evidence at all changes nothing (§6.3)', () => {
  assert.equal(judgeBoxEvidence(signMessage(BoxEvidenceMessage, evidence, other.sign), asked, paired, listener).status, 'ignored');
  assert.equal(judged(evidence, { atMs: ASKED_MS + 6 * 60_000 }).status, 'ignored');
  assert.equal(judgeBoxEvidence(signMessage(ReportMessage, report, box.sign), asked, paired, listener).status, 'ignored');
  assert.equal(judgeBoxEvidence(new Uint8Array(3), asked, paired, listener).status, 'ignored');
});

test('other software after the run than before it is refused, and what differs is named (§6.3)', () => {
  const verdict = judged({ ...evidence, software: { ...software, packages: OTHER } }, { earlier: signed(evidence) });
  assert.ok(verdict.status === 'refused');
  assert.match(verdict.detail, /other software after the run than before it: packages/);
});

test('a box whose clock is off is refused, because nobody could verify its receipts (§9.2)', () => {
  for (const madeAtMs of [ASKED_MS - 31_000, asked.atMs + 31_000]) {
    const verdict = judged({ ...evidence, madeAtMs });
    assert.ok(verdict.status === 'refused');
    assert.match(verdict.detail, /clock of the box differs by 31 s/);
  }
  assert.equal(judged({ ...evidence, madeAtMs: ASKED_MS - 29_000 }).status, 'accepted');
});

test('a report counts for its own run, box, device, network and manifest only (§6.4)', () => {
  const judge = (change: Partial<Report>, key = box): string =>
    judgeReport(signMessage(ReportMessage, { ...report, ...change }, key.sign), { run: RUN, manifest }, paired, listener).status;
  assert.equal(judge({}), 'accepted');
  const changes: Partial<Report>[] = [
    { network: OTHER },
    { device: 'bravo' },
    { box: 'box-2' },
    { run: `${'b'.repeat(32)}.1` },
    { capsule: NETWORK },
  ];
  assert.deepEqual(
    changes.map((change) => judge(change)),
    changes.map(() => 'refused'),
  );
  assert.equal(judge({}, other), 'refused');
});

test("the box's own report that contradicts its manifest, or its runtimes, is told apart from one that is not its own (§9.3)", () => {
  const judge = (change: Partial<Report>, before?: BoxEvidence) =>
    judgeReport(
      signMessage(ReportMessage, { ...report, ...change }, box.sign),
      { run: RUN, manifest, evidence: before && signed(before) },
      paired,
      listener,
    );
  const early = judge({ endedAtMs: ASKED_MS - 1 });
  assert.deepEqual(early, { status: 'contradictory', detail: 'the report has its end 1 ms before its start' });
  const without = judge({}, evidence);
  assert.ok(without.status === 'contradictory' && without.detail.includes('runtime "node"'));
  const node = { name: 'node', version: 'v26', digest: NETWORK };
  assert.equal(judge({}, { ...evidence, software: { ...software, runtimes: [node] } }).status, 'accepted');
});

function judged(value: BoxEvidence, change: { earlier?: Uint8Array; atMs?: number } = {}) {
  return judgeBoxEvidence(signed(value), { ...asked, ...change }, paired, listener);
}

function signed(value: BoxEvidence): Uint8Array {
  return signMessage(BoxEvidenceMessage, value, box.sign);
}

function signer(): { publicKey: Uint8Array; sign: (input: Uint8Array) => Uint8Array } {
  const { publicKey, privateKey } = generateKeyPairSync('ed25519');
  return {
    publicKey: new Uint8Array(publicKey.export({ format: 'der', type: 'spki' }).subarray(-32)),
    sign: (input) => new Uint8Array(sign(null, input, privateKey)),
  };
}
