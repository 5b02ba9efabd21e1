/** What people are told of a capsule that waits, and of the joules that one took. Specification §15.2, §17.4. */
import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { setTimeout as sleep } from 'node:timers/promises';
import { manifestFrom, type Manifest } from '#protocol/manifest.ts';
import type { RunEnergy } from '#protocol/run-energy.ts';
import { energyText } from '../../scripts/capsule/verification-lines.ts';
import { waitingHint, type WaitingHint } from '../../scripts/capsule/waiting-hint.ts';

const HINT_MS = 20;
const capsule = '0123456789ab'.padEnd(32, '0');
const ordered = { news: 'state', capsule, state: 'ordered', atMs: 1 } as const;

function manifest(policy: Partial<Manifest['policy']>): Manifest {
  const written = manifestFrom({ capsule: 1, runtime: 'node', entry: 'main.js' }, [], 0);
  return { ...written, policy: { ...written.policy, ...policy } };
}

async function said(policy: Partial<Manifest['policy']>, meanwhile: (hint: WaitingHint) => void): Promise<string[]> {
  const lines: string[] = [];
  const hint = waitingHint(capsule, manifest(policy), { explain: (line) => void lines.push(line) }, HINT_MS);
  meanwhile(hint);
  await sleep(5 * HINT_MS);
  hint.stop();
  return lines;
}

describe('a capsule for which no box is drawn', () => {
  it('is said once to wait, for what, and how that ends', async () => {
    const lines = await said({ trust: 'tpm-measured' }, (hint) => hint.heard(ordered));
    assert.equal(lines.length, 1);
    assert.match(
      lines[0] ?? '',
      /waits for a box of level tpm-measured or a higher one, without an end; .*\n {2}npm run capsule -- cancel 0123456789ab\npolicy\.deadlineSeconds/,
    );
  });

  it('is said to end by its deadline where it has one', async () => {
    const [line = ''] = await said({ deadlineMs: Date.UTC(2026, 0, 1) }, () => undefined);
    assert.match(line, /waits for a box, at most until 2026-01-01 00:00:00 UTC;/);
    assert.doesNotMatch(line, /deadlineSeconds/);
  });

  it('is told nothing when a box was drawn in time', async () => {
    assert.deepEqual(await said({}, (hint) => hint.heard({ ...ordered, state: 'assigned', box: 'alpha-box' })), []);
  });
});

describe('the joules of a run', () => {
  const run = { startedAtMs: 0, endedAtMs: 100_000 };
  const energy: RunEnergy = {
    ...{ source: 'wires', sensor: 'feed', fromMs: 0, toMs: 100_000, unobservedMs: 0 },
    ...{ millijoules: 530_000, errorMillijoules: 11_000, samples: 100, sharedWith: 0 },
  };

  it('are said as they are where all of it was observed', () => {
    assert.equal(energyText(energy, run), '530 J ± 11.0 J (measured by wires)');
  });

  it('are a lower bound where a part was not, in a gap or outside of the span', () => {
    for (const part of [{ unobservedMs: 84_000 }, { toMs: 16_000 }])
      assert.equal(energyText({ ...energy, ...part }, run), 'at least 530 J ± 11.0 J, 16 % observed (measured by wires)');
  });
});
