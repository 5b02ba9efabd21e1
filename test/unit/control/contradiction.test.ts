/** Attacks that only the physical side shows (threats: "power or thermal readings that contradict the claimed work"). Specification §17.5. */
import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import type { RunEnergy } from '#protocol/run-energy.ts';
import type { Reading } from '../../../device/board/ports.ts';
import {
  answersWhileOff,
  idleAtWork,
  keptBoot,
  learnLevels,
  NOTHING_LEARNED,
  upTooLong,
  type ClaimedWork,
} from '../../../device/control/contradiction.ts';

const energy: RunEnergy = {
  ...{ source: 'wires', sensor: 'feed', fromMs: 0, toMs: 20_000, unobservedMs: 0 },
  ...{ millijoules: 20 * 62_000, errorMillijoules: 20_000, samples: 20, sharedWith: 0 },
};
const claimed: ClaimedWork = { energy, wallMs: 20_000, cpuMs: 160_000, processors: 8, levels: { idle: 60_000, full: 300_000 } };

describe('contradictions (§17.5)', () => {
  it('a run that claims all processors at idle watts is called out', () => {
    assert.match(idleAtWork(claimed) ?? '', /claims 100 % of 8 processors/);
  });

  it('a run that drew what its processors draw is left alone', () => {
    assert.equal(idleAtWork({ ...claimed, energy: { ...energy, millijoules: 20 * 240_000 } }), undefined);
  });

  it('a run that claims little is not judged, nor a short, shared, or unobserved one, nor one whose levels are not known', () => {
    const not: Partial<ClaimedWork>[] = [
      { cpuMs: 30_000 },
      { energy: { ...energy, toMs: 9_000 } },
      { energy: { ...energy, sharedWith: 1 } },
      { energy: { ...energy, unobservedMs: 5_000 } },
      { levels: {} },
      { levels: { idle: 60_000, full: 80_000 } },
    ];
    for (const change of not) assert.equal(idleAtWork({ ...claimed, ...change }), undefined, JSON.stringify(change));
  });

  it('no time that a report claims hides it: neither a longer one, nor a shorter one, nor a report that comes late', () => {
    for (const wallMs of [25_300, 60_000, 3_600_000]) {
      const cpuMs = 8 * 20_000;
      const words = idleAtWork({ ...claimed, wallMs, cpuMs }) ?? '';
      assert.match(words, /claims 100 % of 8 processors for 20000 ms/);
    }
    assert.match(idleAtWork({ ...claimed, wallMs: 9_999, cpuMs: 80_000 }) ?? '', /for 9999 ms/);
    const late = { ...energy, toMs: 60_000, millijoules: 60 * 60_000, errorMillijoules: 60_000 };
    assert.match(idleAtWork({ ...claimed, energy: late }) ?? '', /claims 100 %/);
    // 20 s at 240 W, and 40 s of rest before the report came.
    const honest = { ...late, millijoules: 20 * 240_000 + 40 * 60_000 };
    assert.equal(idleAtWork({ ...claimed, energy: honest }), undefined);
  });

  it('an error of the sensor that explains it clears the box', () => {
    assert.equal(idleAtWork({ ...claimed, energy: { ...energy, errorMillijoules: 20 * 80_000 } }), undefined);
  });

  it('a box that answers while it is powered off is called out, but not for its last words', () => {
    assert.equal(answersWhileOff({ power: 'off', sinceMs: 1_000 }, 6_000), undefined);
    assert.match(answersWhileOff({ power: 'off', sinceMs: 1_000 }, 9_000) ?? '', /8 s after its power/);
    assert.equal(answersWhileOff({ power: 'unknown', sinceMs: 1_000 }, 90_000), undefined);
  });

  it('a reset that the device has seen and the box has not is called out', () => {
    const seen = { source: 'wires', poweredOnAtMs: 5_000, bootBefore: 'a' } as const;
    assert.match(keptBoot(seen, 'a') ?? '', /boot a of before/);
    assert.equal(keptBoot(seen, 'b'), undefined);
    assert.equal(keptBoot({ source: 'wires' }, 'a'), undefined);
    assert.equal(keptBoot({ ...seen, source: 'simulated' }, 'a'), undefined);
  });

  it('an uptime from before the power came is called out', () => {
    const seen = { source: 'ipmi', poweredOnAtMs: 100_000 } as const;
    assert.match(upTooLong(seen, 200, 200_000) ?? '', /up for 200 s, its power is on since 100 s/);
    assert.equal(upTooLong(seen, 150, 200_000), undefined);
    assert.equal(upTooLong(seen, undefined, 200_000), undefined);
  });

  it('levels are learned from means of 30 s, and not across a switch', () => {
    const read = (atMs: number, value: number): Reading => ({ sensor: 'feed', quantity: 'power', value, atMs, quality: 'good' });
    let levels = NOTHING_LEARNED;
    for (let second = 0; second <= 31; second += 1) levels = learnLevels(levels, read(second * 1_000, 60_000), true);
    for (let second = 32; second <= 95; second += 1) levels = learnLevels(levels, read(second * 1_000, 300_000), true);
    assert.deepEqual([levels.idle, levels.full], [60_000, 300_000]);
    for (let second = 96; second <= 200; second += 1) levels = learnLevels(levels, read(second * 1_000, 2_000), false);
    assert.equal(levels.idle, 60_000);
  });
});
