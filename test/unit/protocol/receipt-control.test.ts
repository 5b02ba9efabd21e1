/** What a device adds to a run from outside: the energy that it took, and what it holds against it. Specification §17.4-17.5. */
import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import type { Dispute } from '#protocol/receipt.ts';
import type { RunEnergy } from '#protocol/run-energy.ts';
import { judged, outcomeOf, receiptWith, startMs } from './workshop.ts';

const energy: RunEnergy = {
  ...{ source: 'simulated', sensor: 'feed', fromMs: startMs, toMs: startMs + 3_000, unobservedMs: 0 },
  ...{ millijoules: 180_000, errorMillijoules: 2_000, samples: 4, sharedWith: 0 },
};
const disputed: Dispute = { reason: 'readings-contradict', detail: 'it drew 60 W while it claimed 8 processors' };

function stepOf(rule: string, changes: object): string | undefined {
  const verdict = judged(receiptWith({ receipt: changes }));
  assert.equal(verdict.status, 'verified', JSON.stringify(verdict));
  return verdict.steps.find((step) => step.rule === rule)?.detail;
}

describe('energy in a receipt (§17.4)', () => {
  test('its step says joules, error, source and how much was observed', () => {
    assert.match(stepOf('energy', { energy }) ?? '', /^180 J ± 2.0 J by simulated \(feed\), \d+ % of the run observed$/);
  });

  test('a box that was shared says so', () => {
    assert.match(stepOf('energy', { energy: { ...energy, sharedWith: 2 } }) ?? '', /up to 2 other runs/);
  });

  test('what can’t be true is refused, though the device signed it', () => {
    const wrong: Partial<RunEnergy>[] = [{ toMs: startMs - 1 }, { samples: 0 }, { unobservedMs: 3_001 }, { millijoules: 300_000_001 }];
    for (const change of wrong) {
      const outcome = outcomeOf(receiptWith({ receipt: { energy: { ...energy, ...change } } }));
      assert.equal(outcome, 'energy-misstated', JSON.stringify(change));
    }
  });
});

describe('a disputed run (§17.5)', () => {
  test('it ends as disputed with the reason of the device, and the check shows its sentence', () => {
    const end = stepOf('end', { disputed, state: 'disputed', reason: 'readings-contradict' });
    assert.equal(end, 'disputed: readings-contradict (it drew 60 W while it claimed 8 processors)');
  });

  test('what is held against a run can’t stand beside another end', () => {
    assert.equal(outcomeOf(receiptWith({ receipt: { disputed } })), 'end-misstated');
    assert.equal(outcomeOf(receiptWith({ receipt: { disputed, state: 'disputed', reason: 'box-opened' } })), 'end-misstated');
    assert.equal(outcomeOf(receiptWith({ receipt: { state: 'disputed', reason: 'readings-contradict' } })), 'end-misstated');
  });
});
