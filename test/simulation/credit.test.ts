/** What the rules of credit must come to, by a model of judges over many slots. Specification §19. */
import assert from 'node:assert/strict';
import { describe, test } from 'node:test';

import { chancesOf } from './chance.ts';
import { judgeSlot, judging, weightShare, type Manner, type Setting } from './credit/judging.ts';
import { creditParts } from './credit/rows.ts';
import { svgOf } from './lottery/svg-plot.ts';

describe('of credit', () => {
  for (const part of creditParts({ chances: chancesOf(1), quick: true, say: () => undefined })) {
    for (const { metric, oursText, target } of part.rows)
      test(`${metric}: ${target?.text ?? ''} (§19)`, () => assert.equal(target?.isMet, true, oursText));
    test('plots are drawn', () => assert.ok(Object.values(part.plots).every((plot) => svgOf(plot).startsWith('<svg'))));
  }
});

/** Their share of the weight after so many slots. */
function shareAfter(slots: number, manner: Manner, more: Partial<Setting> = {}): number {
  const setting: Setting = { chance: chancesOf(2)('credit'), manners: { honest: 80, [manner]: 20 }, creditAtStart: 1_000, ...more };
  const state = judging(setting);
  for (let slot = 0; slot < slots; slot += 1) judgeSlot(state, setting);
  return weightShare(state, manner);
}

test('without ballots that are shown, judges that say yes would keep their weight (§18.7)', () => {
  assert.ok(shareAfter(40, 'yes', { without: new Set(['shown-ballots', 'appeals']) }) > 0.15);
  assert.ok(shareAfter(40, 'yes') < 0.03);
});

test('without appeals that show ballots, accusers would keep theirs, for each plant proves them right (§18.6)', () => {
  assert.ok(shareAfter(40, 'accuser', { without: new Set(['appeals']) }) > 0.1);
  assert.ok(shareAfter(40, 'accuser') < 0.03);
});
