/** What whoever has a receipt finds in its measurements: each way in which they contradict one another, or claim too much. Specification §6.6, §9.2. */
import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { runIdOf, type BoxEvidence } from '#protocol/box-messages.ts';
import { domainDigest } from '#protocol/digest.ts';
import { LIMITS } from '#protocol/limits.ts';
import { encodeManifest, type Manifest } from '#protocol/manifest.ts';
import { judgeRunMeasurements } from '#protocol/measured-box/run-measurements.ts';
import type { BoxTpmEvidence } from '#protocol/measured-box/box-tpm.ts';
import type { Genesis } from '#protocol/network.ts';
import type { Receipt } from '#protocol/receipt.ts';
import {
  judged,
  manifest,
  networkIdentity,
  outcomeOf,
  receiptValue,
  receiptWith,
  software,
  startMs,
  stranger,
} from '../protocol/workshop.ts';
import { crypto } from '../tpm/captured.ts';
import { checkOf, hardwareAuthority, keys, nonceOf, quoted, softwareAuthority, type Quoting } from './quoted-box.ts';

const value = receiptValue();
const run = runIdOf(value.capsule, 1);
const otherRun = runIdOf(value.capsule, 2);
const atMs = startMs + 3_000;
const zeros = new Uint8Array(32);

describe('§6.6 checks in a receipt', () => {
  test('are verified with it, and named', () => {
    const verdict = judged(receiptWith({ receipt: { measuredDuring: [checkOf(run, 'one', atMs), checkOf(run, 'two', atMs + 500)] } }));
    assert.ok(verdict.status === 'verified', verdict.status === 'refused' ? verdict.detail : '');
    assert.match(verdict.steps.find(({ rule }) => rule === 'box checks')?.detail ?? '', /^2 at moments/);
  });

  const wrong: readonly [string, NonNullable<Receipt['measuredDuring']>, string][] = [
    ['by another key', [checkOf(run, 'one', atMs, { signer: stranger.sign })], 'box-evidence-refused'],
    ['of another run', [checkOf(run, 'one', atMs, { changes: { run: otherRun } })], 'box-evidence-refused'],
    ['of another network', [checkOf(run, 'one', atMs, { changes: { network: zeros } })], 'box-evidence-refused'],
    ['of another box', [checkOf(run, 'one', atMs, { changes: { box: 'bravo-box' } })], 'box-evidence-refused'],
    ['to another challenge', [checkOf(run, 'one', atMs, { changes: { beacon: zeros } })], 'box-evidence-refused'],
    ['with other software', [checkOf(run, 'one', atMs, { changes: { software: zeros } })], 'software-changed'],
    ['made after the run was measured again', [checkOf(run, 'one', startMs + 5_001 + LIMITS.clockSkewMaxMs)], 'box-evidence-refused'],
    ['shown twice', [checkOf(run, 'one', atMs), checkOf(run, 'one', atMs)], 'box-evidence-refused'],
    ['with the challenge of the measurement before the run', [checkOf(run, 'before', atMs)], 'box-evidence-refused'],
  ];
  for (const [what, measuredDuring, reason] of wrong) {
    test(`are refused where one is ${what}: ${reason}`, () => {
      const verdict = judged(receiptWith({ receipt: { measuredDuring } }));
      assert.ok(verdict.status === 'refused');
      assert.equal(verdict.reason, reason);
    });
  }

  test('are missed in a run of 90 s or more', () => {
    assert.equal(reasonOf(shown({}, { checks: 0 }), LIMITS.uncheckedRunMsMax), 'box-evidence-refused');
    assert.equal(reasonOf(shown({}, { checks: 0 }), LIMITS.uncheckedRunMsMax - 1), 'accepted');
  });
});

describe('§6.5 quotes in a receipt', () => {
  test('make a box software-tpm or tpm-measured by who certifies its endorsement key', () => {
    assert.equal(reasonOf(shown({ trust: 'software-tpm' })), 'accepted');
    assert.equal(reasonOf(shown({ trust: 'tpm-measured' }), 0, [hardwareAuthority]), 'accepted');
    assert.equal(reasonOf(shown({ trust: 'self-reported' })), 'accepted');
  });

  const overstated: readonly [string, Parameters<typeof shown>[0], Genesis['endorsementAuthorities']][] = [
    ['tpm-measured by a software TPM', { trust: 'tpm-measured' }, [softwareAuthority]],
    ['software-tpm by a key that nobody certifies', { trust: 'software-tpm' }, []],
    ['a level without reference values', { trust: 'software-tpm', references: undefined }, [softwareAuthority]],
    ['a level without a TPM', { trust: 'software-tpm', noKeys: true }, [softwareAuthority]],
  ];
  for (const [what, box, authorities] of overstated)
    test(`never claim more than they show: ${what}`, () => assert.equal(reasonOf(shown(box), 0, authorities), 'trust-overstated'));

  const lies: readonly [string, readonly (Quoting | 'none')[]][] = [
    ['one of an earlier boot', [{}, { clock: { resetCount: 2 } }, {}]],
    ['a restart in between', [{}, {}, { clock: { restartCount: 1 } }]],
    ["the TPM's clock gone back", [{ clock: { clock: 5_000n } }, { clock: { clock: 4_999n } }, {}]],
    ['a register that changed', [{}, { registers: new Map([[4, zeros.with(0, 1)]]) }, {}]],
    ['files taken back', [{}, {}, { registers: new Map([[10, zeros]]) }]],
    ['one for another challenge', [{}, { nonce: nonceOf('elsewhere') }, {}]],
    ['one for another run', [{}, {}, { run: otherRun }]],
    ['one that lacks its quote', [{}, 'none', {}]],
    ['a firmware register that was never extended', [{ registers: new Map([[0, zeros]]) }, {}, {}]],
  ];
  for (const [what, quotes] of lies) {
    test(`are refused with ${what}`, () => {
      assert.equal(reasonOf(shown({ trust: 'software-tpm' }, { quotes })), 'box-quote-refused');
      assert.equal(reasonOf(shown({ trust: 'self-reported' }, { quotes })), 'box-quote-refused');
    });
  }
});

test('a receipt whose box has shown less than the capsule asks for is refused (§9.2)', () => {
  const asking = (trust: Manifest['policy']['trust']): Uint8Array => encodeManifest({ ...manifest, policy: { ...manifest.policy, trust } });
  assert.equal(outcomeOf(receiptWith({ manifest: asking('self-reported') })), 'verified');
  for (const trust of ['software-tpm', 'tpm-measured'] as const)
    assert.equal(outcomeOf(receiptWith({ manifest: asking(trust) })), 'trust-insufficient');
});

interface Shown {
  readonly receipt: Receipt;
  readonly before: BoxEvidence;
  readonly after: BoxEvidence;
}

/** A run measured before, once during and after it, each time with a quote. */
function shown(
  box: { trust?: Receipt['box']['trust']; references?: Uint8Array | undefined; noKeys?: true },
  { checks = 1, quotes = [{}, {}, {}] }: { checks?: number; quotes?: readonly (Quoting | 'none')[] } = {},
): Shown {
  const references = 'references' in box ? box.references : zeros;
  const tpm = { keys, ...(references ? { references } : {}) };
  const [before, during, after] = ['before', 'one', 'after'].map((words, index) => tpmOf(words, quotes[index] ?? {}));
  const hasTpm = box.trust !== undefined && !box.noKeys;
  return {
    receipt: {
      ...value,
      box: { ...value.box, trust: box.trust ?? 'self-reported', ...(hasTpm ? { tpm } : {}) },
      measuredDuring: checks === 0 ? [] : [checkOf(run, 'one', atMs, during ? { tpm: during } : {})],
    },
    before: evidence('before', startMs + 1_000, before),
    after: evidence('after', startMs + 5_000, after),
  };
}

function tpmOf(words: string, how: Quoting | 'none'): BoxTpmEvidence | undefined {
  return how === 'none' ? undefined : quoted(run, nonceOf(words), how);
}

function evidence(words: string, madeAtMs: number, tpm: BoxTpmEvidence | undefined): BoxEvidence {
  const beacon = domainDigest('beacon-value', networkIdentity, nonceOf(words));
  return { network: networkIdentity, device: 'alpha', box: 'alpha-box', run, beacon, software, madeAtMs, ...(tpm ? { tpm } : {}) };
}

function reasonOf(measured: Shown, wallMs = 0, authorities: Genesis['endorsementAuthorities'] = [softwareAuthority]): string {
  const verdict = judgeRunMeasurements({ ...measured, wallMs }, authorities, crypto);
  return verdict.status === 'refused' ? verdict.reason : verdict.status;
}
