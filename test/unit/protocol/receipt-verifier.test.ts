/**
 * The receipt's check, link by link: what a stranger, another member, a box or the device itself could misstate. The
 * device's evidence is that of a software TPM (test/vectors/receipt). Specification §9.2.
 */
import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { runIdOf, type Outcome, type SoftwareState } from '#protocol/box-messages.ts';
import { nobleCrypto } from '#protocol/crypto-noble.ts';
import { blobDigest } from '#protocol/digest.ts';
import { LIMITS } from '#protocol/limits.ts';
import { capsuleDigest, encodeManifest } from '#protocol/manifest.ts';
import type { Receipt } from '#protocol/receipt.ts';
import { judgeReceipt, type ReceiptRefusal } from '#protocol/receipt-verifier.ts';
import { softwareChanges } from '#protocol/software-state.ts';
import {
  alpha,
  bravo,
  crypto,
  gridNetworkFile,
  gridReceipt,
  judged,
  manifest,
  measurement,
  network,
  networkFrom,
  outcomeOf,
  receiptValue,
  receiptWith,
  reportWith,
  software,
  startMs,
  stranger,
  text,
  type Forgery,
} from './workshop.ts';

const honest = receiptWith();
const value = receiptValue();
const run = runIdOf(value.capsule, 1);
const capsule = capsuleDigest(value.manifest);
const skewMs = LIMITS.clockSkewMaxMs;
const grid = networkFrom(gridNetworkFile);
const otherManifest = encodeManifest({ ...manifest, arguments: ['1', '3'] });

describe('a receipt in which every link holds is verified, and says which (§9.2)', () => {
  const rules = [
    'strict form',
    'network',
    'member',
    'endorsement',
    'attestation-key',
    'credentials',
    'beacon',
    'quote',
    'measured-boot',
    'operational-key',
    'time',
  ];
  const ours = ['receipt signature', 'manifest', 'box evidence', 'report', 'limits', 'times', 'end'];

  test('made here', () => {
    const verdict = judged(honest);
    assert.ok(verdict.status === 'verified', JSON.stringify(verdict));
    assert.deepEqual(
      verdict.steps.map(({ rule }) => rule),
      [...rules, ...ours],
    );
    assert.deepEqual([verdict.receipt, verdict.manifest, verdict.software], [value, manifest, software]);
  });

  test('made by a device of npm start', () => {
    const verdict = judged(gridReceipt, grid);
    assert.ok(verdict.status === 'verified', JSON.stringify(verdict));
    assert.equal(verdict.manifest.name, 'path-tracer');
  });

  test('by plain TypeScript, as a browser runs it, with the same verdict', () => {
    assert.deepEqual(judgeReceipt(honest, { network, crypto: nobleCrypto }), judgeReceipt(honest, { network, crypto }));
  });
});

describe('what was changed on the way is refused (§9.2)', () => {
  for (const [which, receipt, against, stride] of [
    ['made here', honest, network, 1],
    ['of npm start', gridReceipt, grid, 4],
  ] as const) {
    test(`${stride === 1 ? 'every' : 'every fourth'} byte of the receipt ${which}, changed in one of three ways`, () => {
      for (let at = 0; at < receipt.length; at += stride) {
        const mask = [0x01, 0x80, 0xff][at % 3]!;
        assert.notEqual(outcomeOf(receipt.with(at, receipt[at]! ^ mask), against), 'verified', `byte ${at}`);
      }
    });

    test(`every truncation of the receipt ${which}, and a byte more`, () => {
      for (const at of receipt.keys()) assert.equal(outcomeOf(receipt.subarray(0, at), against), 'malformed', `cut at ${at}`);
      assert.equal(outcomeOf(new Uint8Array([...receipt, 0]), against), 'malformed');
    });
  }

  test('more bytes than a receipt may have', () => assert.equal(outcomeOf(new Uint8Array(LIMITS.receiptBytesMax + 1)), 'malformed'));
});

test('a receipt of another network is refused, whichever way round (§9.2)', () => {
  assert.equal(outcomeOf(gridReceipt), 'foreign-network');
  assert.equal(outcomeOf(honest, grid), 'foreign-network');
});

/** What the device itself could write wrongly, each with the link that then breaks. */
const misstated: readonly (readonly [what: string, changes: Partial<Receipt>, reason: ReceiptRefusal])[] = [
  ['network', { network: blobDigest(text('other')) }, 'foreign-network'],
  ['node', { node: bravo.node }, 'device-untrusted'],
  ['device', { device: 'bravo' }, 'device-untrusted'],
  ['kind of TPM', { tpm: 'hardware-tpm' }, 'tpm-kind-misstated'],
  ['gateway', { gateway: { node: alpha.node, device: 'alpha' } }, 'capsule-mismatch'],
  ['node of the gateway', { gateway: { node: alpha.node, device: 'bravo' } }, 'gateway-mismatch'],
  ['gateway, under the name of a member', { gateway: { node: blobDigest(text('else')), device: 'bravo' } }, 'gateway-mismatch'],
  ['client', { client: 'me' }, 'capsule-mismatch'],
  ['request', { request: new Uint8Array(16) }, 'capsule-mismatch'],
  ['capsule id', { capsule: 'f'.repeat(32) }, 'capsule-mismatch'],
  ['manifest', { manifest: otherManifest }, 'capsule-mismatch'],
  ['manifest in another form', { manifest: new Uint8Array([...value.manifest, 0]) }, 'manifest-malformed'],
  ['attempt', { attempt: 2 }, 'box-evidence-refused'],
  ['name of the box', { box: { ...value.box, name: 'bravo-box' } }, 'box-evidence-refused'],
  ['key of the box', { box: { ...value.box, key: stranger.publicKey } }, 'box-evidence-refused'],
  ['key of the box, of small order', { box: { ...value.box, key: new Uint8Array(32) } }, 'box-evidence-refused'],
  ['acceptance, after the measurement', { acceptedAtMs: startMs + 1_001 + skewMs }, 'times-out-of-order'],
  ['end, before the evidence of the device', { endedAtMs: startMs - 1_001 - skewMs }, 'device-untrusted'],
  ['end, when the evidence of the device was old', { endedAtMs: startMs + LIMITS.beaconAgeMaxMs + skewMs }, 'device-untrusted'],
  ['end, before the last measurement', { measuredAfter: measurement(run, 'after', value.endedAtMs + skewMs + 1) }, 'times-out-of-order'],
  ['state', { state: 'failed' }, 'end-misstated'],
  ['state that no run makes', { state: 'disputed' }, 'end-misstated'],
  ['reason', { reason: 'exit-status' }, 'end-misstated'],
  ['nonce before', { measuredBefore: { ...value.measuredBefore, nonce: new Uint8Array(32) } }, 'box-evidence-refused'],
  ['nonce after', { measuredAfter: { ...value.measuredAfter, nonce: new Uint8Array(32) } }, 'box-evidence-refused'],
  [
    'time of a challenge, long before its answer',
    { measuredBefore: { ...value.measuredBefore, issuedAtMs: startMs + 999 - LIMITS.beaconAgeMaxMs } },
    'box-evidence-refused',
  ],
  [
    'time of a challenge, after its answer',
    { measuredAfter: { ...value.measuredAfter, issuedAtMs: startMs + 5_001 + skewMs } },
    'box-evidence-refused',
  ],
  [
    'evidence before and after, swapped',
    {
      measuredBefore: { ...value.measuredBefore, evidence: value.measuredAfter.evidence },
      measuredAfter: { ...value.measuredAfter, evidence: value.measuredBefore.evidence },
    },
    'box-evidence-refused',
  ],
  ['one measurement for both', { measuredAfter: value.measuredBefore }, 'box-evidence-refused'],
  ['report in place of evidence', { measuredBefore: { ...value.measuredBefore, evidence: value.report } }, 'box-evidence-refused'],
  ['evidence in place of the report', { report: value.measuredBefore.evidence }, 'report-refused'],
  ['report of another run', { report: reportWith(runIdOf('0'.repeat(32), 1), capsule) }, 'report-refused'],
  ['report of another attempt', { report: reportWith(runIdOf(value.capsule, 2), capsule) }, 'report-refused'],
  ['report of another manifest', { report: reportWith(run, capsuleDigest(otherManifest)) }, 'capsule-mismatch'],
  ['evidence of another member', { deviceEvidence: bravo.evidence }, 'device-untrusted'],
  ['evidence that is none', { deviceEvidence: Uint8Array.of(0xa0) }, 'device-untrusted'],
];

describe('what the device itself misstates is refused, although its signature holds (§9.2)', () => {
  for (const [what, receipt, reason] of misstated) {
    test(`${what}: ${reason}`, () => assert.equal(outcomeOf(receiptWith({ receipt })), reason));
  }
});

describe('whoever lacks the operational key can change nothing (§9.2)', () => {
  for (const [signer, signDevice] of [
    ['a stranger', stranger.sign],
    ['another member', bravo.sign],
  ] as const) {
    test(`the same receipt, signed by ${signer}`, () => assert.equal(outcomeOf(receiptWith({ signDevice })), 'bad-signature'));

    test(`every misstatement above, signed by ${signer}`, () => {
      for (const [what, receipt] of misstated) {
        const verdict = outcomeOf(receiptWith({ receipt, signDevice }));
        assert.ok(verdict === 'bad-signature' || verdict === 'foreign-network' || verdict === 'device-untrusted', `${what}: ${verdict}`);
      }
    });
  }

  test('a member can not take over a run of another, with its own evidence and signature', () => {
    const taken = { device: 'bravo', node: bravo.node, deviceEvidence: bravo.evidence };
    assert.equal(outcomeOf(receiptWith({ receipt: taken, signDevice: bravo.sign })), 'box-evidence-refused');
  });

  test('a signature for another purpose is none', () => {
    const signDevice = (input: Uint8Array): Uint8Array =>
      alpha.sign(Uint8Array.of(...text('capstan/1/report\0'), ...input.subarray('capstan/1/receipt\0'.length)));
    assert.equal(outcomeOf(receiptWith({ signDevice })), 'bad-signature');
  });
});

/** What the box said, or somebody else in its place. */
test('a receipt that was closed after the time of the check, beyond the skew, is refused (§9.2)', () => {
  const latest = { network, crypto, nowMs: value.endedAtMs - skewMs };
  assert.equal(judgeReceipt(honest, latest).status, 'verified');
  const verdict = judgeReceipt(honest, { ...latest, nowMs: latest.nowMs - 1 });
  assert.equal(verdict.status === 'refused' && verdict.reason, 'times-out-of-order');
});

const spoken: readonly (readonly [what: string, forgery: Forgery, reason: ReceiptRefusal])[] = [
  ['evidence by a stranger', { signBox: stranger.sign }, 'box-evidence-refused'],
  ['a report by a stranger', { signReport: stranger.sign }, 'report-refused'],
  ['evidence of another network', { before: { network: blobDigest(text('other')) } }, 'box-evidence-refused'],
  ['evidence for another device', { before: { device: 'bravo' } }, 'box-evidence-refused'],
  ['evidence of another box', { after: { box: 'bravo-box' } }, 'box-evidence-refused'],
  ['evidence for another run', { after: { run: runIdOf('0'.repeat(32), 1) } }, 'box-evidence-refused'],
  ['evidence for another attempt', { after: { run: runIdOf(value.capsule, 2) } }, 'box-evidence-refused'],
  ['evidence that answers another challenge', { after: { beacon: blobDigest(text('other')) } }, 'box-evidence-refused'],
  ['a report to another network', { report: { network: blobDigest(text('other')) } }, 'report-refused'],
  ['a report to another device', { report: { device: 'bravo' } }, 'report-refused'],
  ['a report of another box', { report: { box: 'bravo-box' } }, 'report-refused'],
  ['a start before the measurement', { report: { startedAtMs: startMs + 999 - skewMs } }, 'times-out-of-order'],
  ['an end before the start, by one clock', { report: { endedAtMs: startMs + 1_999 } }, 'report-refused'],
  ['an end after the last measurement', { report: { endedAtMs: startMs + 5_001 + skewMs } }, 'times-out-of-order'],
];

describe('what the box misstates is refused (§9.2)', () => {
  for (const [what, forgery, reason] of spoken) {
    test(`${what}: ${reason}`, () => assert.equal(outcomeOf(receiptWith(forgery)), reason));
  }

  test('clocks may differ by the skew, and no more', () => {
    assert.equal(outcomeOf(receiptWith({ report: { startedAtMs: startMs + 1_000 - skewMs } })), 'verified');
    assert.equal(outcomeOf(receiptWith({ receipt: { acceptedAtMs: startMs + 1_000 + skewMs } })), 'verified');
  });
});

describe('a box whose software changed during the run has no receipt (§6.3)', () => {
  const other: SoftwareState = {
    agent: blobDigest(text('other')),
    kernel: '6.18.1',
    commandLine: blobDigest(text('other')),
    packages: blobDigest(text('other')),
    bootId: 'other',
    runtimes: [],
    isolation: ['bubblewrap'],
  };
  for (const field of Object.keys(software) as (keyof SoftwareState)[]) {
    test(`${field}: refused by name`, () => {
      const verdict = judged(receiptWith({ after: { software: { ...software, [field]: other[field] } } }));
      assert.ok(verdict.status === 'refused' && verdict.reason === 'software-changed');
      assert.ok(verdict.detail.endsWith(`: ${field}`), verdict.detail);
    });
  }

  test('a comma, a quotation mark or a bracket in a name does not hide a change', () => {
    const [node] = software.runtimes;
    const withRuntime = (words: string): SoftwareState => {
      const [name = '', version = ''] = words.split('|');
      return { ...software, runtimes: [{ ...node!, name, version }] };
    };
    for (const [left, right] of [
      ['a,b|c', 'a|b,c'],
      ['a"|b', 'a|"b'],
      ['a","b|c', 'a|b","c'],
    ] as const) {
      assert.deepEqual(softwareChanges(withRuntime(left), withRuntime(right)), ['runtimes']);
    }
    assert.deepEqual(softwareChanges({ ...software, isolation: ['a', 'b'] }, { ...software, isolation: ['a,b'] }), ['isolation']);
    assert.deepEqual(softwareChanges(software, structuredClone(software)), []);
  });
});

describe('the end follows from the report, with its reason (§7.2)', () => {
  const ends: readonly (readonly [outcome: Outcome, state: Receipt['state'], reason: Receipt['reason']])[] = [
    [{ outcome: 'exited', status: 3 }, 'failed', 'exit-status'],
    [{ outcome: 'killed', reason: 'memory', signal: 'SIGKILL' }, 'failed', 'memory'],
    [{ outcome: 'killed', reason: 'cancelled-by-client' }, 'cancelled', 'cancelled-by-client'],
    [{ outcome: 'failed', reason: 'blob-missing', detail: 'no main.js' }, 'failed', 'blob-missing'],
  ];
  for (const [outcome, state, reason] of ends) {
    test(`${outcome.outcome}, ${reason ?? ''}: ${state}, and nothing else`, () => {
      const report = { outcome, outputs: [] };
      assert.equal(outcomeOf(receiptWith({ report, receipt: { state, ...(reason ? { reason } : {}) } })), 'verified');
      assert.equal(outcomeOf(receiptWith({ report })), 'end-misstated');
      assert.equal(outcomeOf(receiptWith({ report, receipt: { state } })), 'end-misstated');
      assert.equal(outcomeOf(receiptWith({ report, receipt: { state, reason: 'signal' } })), 'end-misstated');
    });
  }
});

test('a report that contradicts its manifest, or the runtimes of its box, is refused (§9.3)', () => {
  const late = encodeManifest({ ...manifest, policy: { ...manifest.policy, deadlineMs: startMs - skewMs } });
  const replicated = encodeManifest({ ...manifest, policy: { ...manifest.policy, replicas: 31, agreement: 31 } });
  const listing = (runtimes: SoftwareState['runtimes']): Forgery => ({
    before: { software: { ...software, runtimes } },
    after: { software: { ...software, runtimes } },
  });
  for (const forgery of [
    { manifest: late },
    { manifest: replicated },
    { report: { usage: { wallMs: 2_000, cpuMs: 10 ** 12, memoryBytesMax: 1 } } },
    listing([]),
    listing([...software.runtimes, ...software.runtimes]),
  ] satisfies Forgery[]) {
    assert.equal(outcomeOf(receiptWith(forgery)), 'report-refused');
  }
});

test('a refusal names the links that held before the one that broke (§9.2)', () => {
  const verdict = judged(receiptWith({ signReport: stranger.sign }));
  assert.ok(verdict.status === 'refused');
  assert.equal(verdict.steps.at(-1)?.rule, 'box evidence');
  assert.equal(verdict.detail, 'the signature on this report is not by the key it should be');
});
