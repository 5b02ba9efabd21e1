/** What is made of the pace of members' clocks. Specification §12.5. */
import assert from 'node:assert/strict';
import { test } from 'node:test';

import {
  judgeRate,
  noteSighting,
  nothingSighted,
  withoutOtherClocks,
  type ClockSighting,
  type RateAudit,
  type RateReport,
} from '../../../device/chain/rate-audit.ts';
import { drawFrom, type Draw } from '../../../scripts/fuzz/random.ts';

const unixStartMs = 1_800_000_000_000;

interface Course {
  readonly rate: number;
  readonly blocks: number;
  /** Of the member's own blocks. */
  readonly intervalMs?: number;
  readonly latenessMs?: (draw: Draw) => number;
  readonly seed?: number;
}

function sighting(at: number, attestedMs: number, changes: Partial<ClockSighting> = {}): ClockSighting {
  return { resetCount: 1, restartCount: 0, attestedMs: Math.round(attestedMs), monotonicMs: at, unixMs: unixStartMs + at, ...changes };
}

/** Blocks of one member, at exponential distances, each late by up to 150 ms. */
function courseOf({ rate, blocks, intervalMs = 4_000, latenessMs = (draw) => draw(150), seed = 1 }: Course): ClockSighting[] {
  const draw = drawFrom(seed);
  let madeMs = 10_000;
  return Array.from({ length: blocks }, () => {
    madeMs += 200 + draw(2 * intervalMs);
    return sighting(madeMs + latenessMs(draw), 5_000 + madeMs * rate);
  });
}

function audited(sightings: readonly ClockSighting[], before: RateAudit = nothingSighted): RateReport {
  const audit = sightings.reduce((known, one) => noteSighting(known, 'member', one), before);
  return judgeRate(audit.get('member') ?? []);
}

test('a clock that runs 20 % fast is seen within 12 blocks of its member (§12.5)', () => {
  for (let seed = 0; seed < 100; seed += 1)
    assert.equal(audited(courseOf({ rate: 1.2, blocks: 12, seed })).verdict, 'fast', `seed ${seed}`);
});

test('a clock that runs 20 % slow is seen within 12 blocks of its member (§12.5)', () => {
  for (let seed = 0; seed < 100; seed += 1)
    assert.equal(audited(courseOf({ rate: 0.8, blocks: 12, seed })).verdict, 'slow', `seed ${seed}`);
});

test('what the oscillator of a chip is allowed is never fast or slow (§12.5)', () => {
  for (const rate of [0.851, 0.9, 1, 1.1, 1.149]) {
    for (let seed = 0; seed < 100; seed += 1) {
      const { verdict } = audited(courseOf({ rate, blocks: 40, seed }));
      assert.ok(verdict === 'within-tolerance' || verdict === 'too-little-data', `rate ${rate}, seed ${seed}: ${verdict}`);
    }
  }
});

test('the true rate lies within the stated uncertainty in 98 % of cases (§12.5)', () => {
  let outside = 0;
  for (let seed = 0; seed < 400; seed += 1) {
    const { rate = 0, uncertainty = 0 } = audited(courseOf({ rate: 1.07, blocks: 16, seed }));
    if (Math.abs(rate - 1.07) > uncertainty) outside += 1;
  }
  assert.ok(outside <= 8, `${outside} of 400 estimates were outside`);
});

test('blocks that come far too late, one of five, do not move the rate (§12.5)', () => {
  const latenessMs = (draw: Draw): number => (draw(5) === 0 ? draw(10_000) : draw(100));
  for (let seed = 0; seed < 100; seed += 1) {
    const { rate = 0 } = audited(courseOf({ rate: 1.2, blocks: 40, latenessMs, seed }));
    assert.ok(Math.abs(rate - 1.2) < 0.06, `seed ${seed}: ${rate}`);
  }
});

test('fewer than eight blocks say nothing (§12.5)', () => {
  assert.deepEqual(audited(courseOf({ rate: 1.2, blocks: 7 })), { verdict: 'too-little-data', sightings: 7 });
});

test('blocks that lie too near to one another say nothing (§12.5)', () => {
  assert.equal(audited(courseOf({ rate: 1.2, blocks: 12, intervalMs: 20 })).verdict, 'too-little-data');
});

for (const [what, changes] of [
  ['a reset of the chip', { resetCount: 2 }],
  ['a restart of the chip', { restartCount: 1 }],
  ['a Time that goes back', { attestedMs: 10 }],
  ['a jump of the own Unix time', { unixMs: unixStartMs }],
  ['a monotonic clock of its own that begins again', { monotonicMs: 5 }],
] as const) {
  test(`${what} begins the audit anew (§12.5)`, () => {
    const course = courseOf({ rate: 1.2, blocks: 20 });
    const last = course.at(-1);
    assert.ok(last);
    const next = sighting(last.monotonicMs + 1_000, last.attestedMs + 1_200, changes);
    assert.deepEqual(audited([...course, next]), { verdict: 'too-little-data', sightings: 1 });
  });
}

test('a block that came after a later one of its member is left out (§12.5)', () => {
  const course = courseOf({ rate: 1, blocks: 20 });
  const last = course.at(-1);
  assert.ok(last);
  const overtaken = sighting(last.monotonicMs - 300, last.attestedMs + 1_000);
  assert.deepEqual(audited([...course, overtaken]), audited(course));
});

test('a clock that is set fast later is seen, because old blocks are forgotten (§12.5)', () => {
  const early = courseOf({ rate: 1, blocks: 500 });
  const last = early.at(-1);
  assert.ok(last);
  const late = courseOf({ rate: 1.2, blocks: 60, seed: 2 }).map((one) =>
    sighting(last.monotonicMs + one.monotonicMs, last.attestedMs + one.attestedMs),
  );
  assert.equal(audited([...early, ...late]).verdict, 'fast');
  assert.equal(audited([...early, ...late]).sightings, 48);
});

test('who lost its seat is forgotten (§12.5)', () => {
  const audit = noteSighting(noteSighting(nothingSighted, 'stays', sighting(1, 1)), 'goes', sighting(1, 1));
  assert.deepEqual([...withoutOtherClocks(audit, new Set(['stays'])).keys()], ['stays']);
});
