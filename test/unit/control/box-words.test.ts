/** What operators are told of a box that does not do as it was ordered. Specification §17.1, §17.7. */
import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import type { DeskBox } from '../../../device/control/desk-files.ts';
import { nextWords, unmovedText } from '../../../scripts/box/words.ts';

const off: DeskBox = {
  box: 'alpha-box',
  standing: { state: 'off', cause: 'ordered-on', detail: 'it was ordered on', sinceMs: 1, power: 'off', source: 'simulated' },
  ...{ runs: 0, released: false, against: [], verbs: ['on', 'restore-mains'] },
  readings: [],
};

function fedWith(milliVolts: number, quality: 'good' | 'failed' = 'good'): DeskBox {
  const about = { source: 'simulated', atMs: 1 } as const;
  return {
    ...off,
    readings: [
      { sensor: 'box-power', news: { ...about, quantity: 'power', unit: 'mW', value: 0, quality: 'good' } },
      { sensor: 'processor-voltage', news: { ...about, quantity: 'voltage', unit: 'mV', value: 0, quality: 'good' } },
      { sensor: 'box-voltage', news: { ...about, quantity: 'voltage', unit: 'mV', value: milliVolts, quality } },
    ],
  };
}

describe('a box that does not come on', () => {
  it('is said to have no mains where the voltage of its feed is gone, and how they come back', () => {
    assert.match(unmovedText('on', fedWith(3)), /box-voltage is 0\.003 V: no mains reach it; .*npm run box -- restore-mains alpha-box$/);
  });

  it('is not said to have none where its feed has its voltage, or is not measured', () => {
    for (const box of [fedWith(12_000), fedWith(0, 'failed'), off])
      assert.equal(
        unmovedText('on', box),
        'on of alpha-box was done, and the box does not follow: its power is off, it was ordered on. npm run box -- show alpha-box',
      );
  });
});

describe('what leads on from where a box stands', () => {
  it('is an order for a box that was ordered off, and nobody for one that went off by itself', () => {
    assert.equal(
      nextWords({ ...off, standing: { ...off.standing, cause: 'ordered-off' } }),
      'It comes back by: npm run box -- on alpha-box',
    );
    assert.equal(nextWords({ ...off, standing: { ...off.standing, cause: 'power-off' } }), undefined);
  });
});
