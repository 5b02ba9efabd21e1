/** What a verifier makes of a device's clock over time. Specification §3.7. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';

import { judgeContinuity, type ClockState, type Continuity, type ContinuityVerdict } from '#protocol/continuity.ts';
import { LIMITS } from '#protocol/limits.ts';

const start = 1_800_000_000_000;
const key = (fill: number): Uint8Array => new Uint8Array(32).fill(fill);

function state(changes: Partial<ClockState> = {}): ClockState {
  const times = { timeMs: 60_000, clockMs: 900_000, safe: true, beaconIssuedAtMs: start, seenAtMs: start + 1_000 };
  return { resetCount: 7, restartCount: 1, attestationKeyDigest: key(1), operationalKey: key(2), ...times, ...changes };
}

function after(first: ClockState): Continuity {
  return { latest: first, bootSeenAtMs: first.seenAtMs };
}

function outcome(verdict: ContinuityVerdict): string {
  switch (verdict.status) {
    case 'continuous':
      return verdict.change;
    case 'superseded':
      return verdict.status;
    case 'quarantined':
      return verdict.reason;
  }
}

const later = { beaconIssuedAtMs: start + 120_000, seenAtMs: start + 121_000 };

for (const [rule, now, expected] of [
  ['Time that goes on in one boot is continuous', { timeMs: 180_000, ...later }, 'same-boot'],
  ['the same evidence again changes nothing', {}, 'same-boot'],
  ['Clock set forward is nothing', { timeMs: 180_000, clockMs: 9_000_000, ...later }, 'same-boot'],
  ['Time that goes back under one count is quarantined', { timeMs: 59_000, ...later }, 'time-went-back'],
  ['late evidence of one boot is no attack', { timeMs: 59_000, beaconIssuedAtMs: start - 120_000 }, 'superseded'],
  [
    'a second operational key under one count is quarantined, whenever it was made',
    { operationalKey: key(3), beaconIssuedAtMs: start - 120_000 },
    'second-operational-key',
  ],
  [
    'a higher reset count is an explained reset, though the restart count begins again',
    { resetCount: 8, restartCount: 0, timeMs: 5, operationalKey: key(3), ...later },
    'explained-reset',
  ],
  [
    'a higher reset count with the operational key of the boot before is quarantined, whatever else it says',
    { resetCount: 8, restartCount: 0, timeMs: 5, ...later },
    'operational-key-outlived-reset',
  ],
  [
    'TPM Restart clears the registers: a new key is explained',
    { restartCount: 2, timeMs: 5, operationalKey: key(3), ...later },
    'explained-restart',
  ],
  ['TPM Resume keeps the registers: the same key is explained', { restartCount: 2, timeMs: 5, ...later }, 'explained-restart'],
  ['a lower reset count with a newer beacon is quarantined', { resetCount: 6, restartCount: 9, ...later }, 'reset-count-went-back'],
  ['a lower restart count with a newer beacon is quarantined', { restartCount: 0, ...later }, 'restart-count-went-back'],
  ['late evidence of an earlier boot is no attack', { resetCount: 6, beaconIssuedAtMs: start - 1 }, 'superseded'],
  [
    'a new attestation key begins a new history',
    { attestationKeyDigest: key(9), resetCount: 0, timeMs: 1, ...later },
    'new-attestation-key',
  ],
] as const satisfies readonly (readonly [string, Partial<ClockState>, string])[]) {
  test(`${rule} (§3.7)`, () => assert.equal(outcome(judgeContinuity(after(state()), state(now))), expected));
}

test('the first evidence begins the history (§3.7)', () => {
  assert.deepEqual(judgeContinuity(undefined, state()), { status: 'continuous', change: 'first-seen', memory: after(state()) });
});

test('evidence of an earlier boot counts against a device only if its beacon is newer than our sight of the later boot, by more than clocks may differ (§3.7)', () => {
  const memory = after(state());
  const at = (beaconIssuedAtMs: number) =>
    outcome(judgeContinuity(memory, state({ resetCount: 6, beaconIssuedAtMs, seenAtMs: beaconIssuedAtMs })));
  const edge = state().seenAtMs + LIMITS.clockSkewMaxMs;
  assert.deepEqual([at(edge), at(edge + 1)], ['superseded', 'reset-count-went-back']);
});

test('a device in one place, whose evidence comes in any order, is never quarantined (§3.7)', () => {
  const history = Array.from({ length: 12 }, (_, index) => {
    const boot = Math.floor(index / 4);
    const beaconIssuedAtMs = start + index * 120_000;
    return state({ resetCount: 7 + boot, timeMs: (index % 4) * 120_000, operationalKey: key(boot), beaconIssuedAtMs });
  });
  fc.assert(
    fc.property(fc.shuffledSubarray([...history.keys()], { minLength: 1 }), (order) => {
      let memory: Continuity | undefined;
      let now = start + history.length * 120_000;
      for (const index of order) {
        const one = history[index];
        assert.ok(one);
        const verdict = judgeContinuity(memory, { ...one, seenAtMs: now });
        assert.notEqual(verdict.status, 'quarantined');
        if (verdict.status === 'continuous') memory = verdict.memory;
        now += 1_000;
      }
    }),
  );
});

test('of two copies that both go on attesting, one is caught at the latest with its next beacon (§3.7)', () => {
  let memory: Continuity | undefined;
  const seen: string[] = [];
  for (let round = 0; round < 3; round += 1) {
    const beaconIssuedAtMs = start + round * 120_000;
    for (const resetCount of [7, 8]) {
      const now = state({
        resetCount,
        operationalKey: key(resetCount),
        timeMs: 60_000 + round * 120_000,
        beaconIssuedAtMs,
        seenAtMs: beaconIssuedAtMs + 1_000,
      });
      const verdict = judgeContinuity(memory, now);
      seen.push(outcome(verdict));
      if (verdict.status === 'continuous') memory = verdict.memory;
    }
  }
  assert.deepEqual(seen.slice(0, 3), ['first-seen', 'explained-reset', 'reset-count-went-back']);
});
