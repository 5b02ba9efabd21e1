/** The times of a report against what its device knows by its own clock. Specification §6.6. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { Report } from '#protocol/box-messages.ts';
import { LIMITS } from '#protocol/limits.ts';
import { spanFault, type OwnSpan } from '../../../device/hpc/box-voice.ts';
import { DEVICE_LIMITS } from '../../../device/limits.ts';

const GIVEN_MS = 10_000_000;
const skewMs = LIMITS.clockSkewMaxMs;

function fault(startedAtMs: number, endedAtMs: number, own: Partial<OwnSpan> = {}): string | undefined {
  const span = { assignedAtMs: GIVEN_MS, atMs: GIVEN_MS + 600_000, upSinceMs: 0, ...own };
  return spanFault({ startedAtMs: GIVEN_MS + startedAtMs, endedAtMs: GIVEN_MS + endedAtMs } as Report, span);
}

test('a run that began before the box had it, or ended after its report came, is none (§6.6)', () => {
  assert.match(fault(-skewMs - 1, 0) ?? '', /before the box had it/);
  assert.match(fault(0, 600_001 + skewMs) ?? '', /after the report came/);
  assert.deepEqual([fault(-skewMs, 0), fault(0, 600_000 + skewMs)], [undefined, undefined]);
});

test('a run begins when the box says so: who says nothing can have begun soon only (§6.6)', () => {
  const latestMs = skewMs + DEVICE_LIMITS.boxSilenceMaxMs;
  assert.deepEqual([fault(latestMs, latestMs), fault(300_000, 300_000, { runningSinceMs: GIVEN_MS + 300_000 })], [undefined, undefined]);
  assert.match(fault(latestMs + 1, latestMs + 1) ?? '', /later than the box can have begun it/);
  assert.match(fault(100_000, 200_000, { runningSinceMs: GIVEN_MS }) ?? '', /later than/);
});

test('what a device that was away may have missed speaks against no box (§6.6)', () => {
  assert.equal(fault(300_000, 400_000, { upSinceMs: GIVEN_MS + 1 }), undefined);
  assert.equal(fault(0, 1, { runningSinceMs: GIVEN_MS + 500_000, upSinceMs: GIVEN_MS + 499_000 }), undefined, 'it said so again');
});
