/** What edges and unmoving values mean: fans, the power LED, stuck sensors, the bytes of a display. Specification §16.2, §16.3. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import type { Edge } from '../../../device/board/devices.ts';
import { displayStart, displayText } from '../../../device/board/display-bytes.ts';
import { afterLedEdge, firstSeen, powerOf } from '../../../device/board/led-state.ts';
import type { SensorDefinition } from '../../../device/board/ports.ts';
import { readingsOf } from '../../../device/board/readings.ts';
import { SensorReader } from '../../../device/board/sensor-reader.ts';
import { afterEdge, rpmOf, STILL } from '../../../device/board/tachometer.ts';
import { isOvertaken, nextDueMs } from '../../../device/control/sampler.ts';

const MS = 1_000_000n;
const SECOND_NS = 1_000n * MS;

/** Edges that alternate, `halfMs` apart, from `fromMs` on. */
function edges(count: number, halfMs: number, fromMs = 0, first: 0 | 1 = 1): Edge[] {
  return Array.from({ length: count }, (_, index) => ({
    level: index % 2 === 0 ? first : first === 1 ? 0 : 1,
    atNs: BigInt(Math.round((fromMs + index * halfMs) * 1_000)) * 1_000n,
    sequence: index + 1,
  }));
}

test('1,500 revolutions are 1,500, read late or early, and also where the kernel dropped edges (§16.3)', () => {
  fc.assert(
    fc.property(fc.array(fc.integer({ min: 4, max: 397 }), { maxLength: 40 }), (dropped) => {
      // Two pulses a revolution: 50 a second, an edge every 10 ms.
      const all = edges(401, 10).filter((_, index) => !dropped.includes(index));
      const state = all.reduce(afterEdge, STILL);
      assert.equal(rpmOf(state, 2, 4_001n * MS, SECOND_NS).rpm, 1_500);
      assert.equal(state.dropped, 401 - all.length);
    }),
  );
});

test('a fan without pulses for a second stands still, and begins anew (§16.3)', () => {
  const turning = edges(11, 10).reduce(afterEdge, STILL);
  const { rpm, state } = rpmOf(turning, 2, 1_200n * MS, SECOND_NS);
  assert.equal(rpm, 0);
  const again = edges(11, 10, 5_000).reduce(afterEdge, state);
  assert.equal(rpmOf(again, 2, 5_101n * MS, SECOND_NS).rpm, 1_500);
});

test('a power LED is lit, dark or blinking; blinks of 0.2 to 3 Hz are sleep, and end when the next stays away (§16.2)', () => {
  const after = (blinks: number, halfMs: number, first: 0 | 1 = 1): ReturnType<typeof firstSeen> =>
    edges(blinks, halfMs, 0, first).reduce(afterLedEdge, firstSeen(0, -1n));
  const at = (state: ReturnType<typeof firstSeen>, ms: number): string => powerOf(state, BigInt(ms) * MS).power;
  assert.equal(at(firstSeen(1, 0n), 0), 'on');
  assert.equal(at(firstSeen(0, 0n), 0), 'off');
  for (const halfMs of [170, 500, 1_000, 2_500]) {
    const state = after(6, halfMs);
    const lastMs = 5 * halfMs;
    assert.equal(at(state, lastMs), 'sleeping', `${halfMs} ms`);
    assert.equal(at(state, 4 * halfMs + 2 * halfMs * 2), 'off', 'the next blink stayed away');
  }
  assert.equal(at(after(5, 50), 210), 'on', 'flickers at 10 Hz');
  assert.equal(at(after(6, 3_000), 15_000), 'off', 'slower than any blink');
  const { reviewNs } = powerOf(after(6, 500), 2_500n * MS);
  assert.equal(reviewNs, 3_250n * MS);
});

test('a value that does not move while the box is on is stuck; while it is off it may stand still (§16.3)', () => {
  const definitions: SensorDefinition[] = [{ name: 'box-power', quantity: 'power', accuracy: { permille: 0, absolute: 0 }, periodMs: 100 }];
  const sensor = { definitions, stuckAfterMs: 5_000 };
  const run = (power: 'on' | 'off', values: readonly number[]): string[] => {
    let before: Parameters<typeof readingsOf>[2]['before'];
    return values.map((value, index) => {
      const { readings, stillness } = readingsOf(sensor, [{ value }], { atMs: index * 1_000, power, before });
      before = stillness;
      return readings[0]?.quality ?? '';
    });
  };
  assert.deepEqual(run('on', [7, 7, 7, 7, 7, 7, 7]), ['good', 'good', 'good', 'good', 'good', 'stuck', 'stuck']);
  assert.deepEqual(run('off', [7, 7, 7, 7, 7, 7, 7]), Array(7).fill('good'));
  assert.deepEqual(run('on', [7, 7, 7, 7, 8, 7, 7]), Array(7).fill('good'));
});

test('asked once a period, however late, a sensor is read each time; asked all the time, once a period (§16.3)', async () => {
  const reads = async (times: readonly number[]): Promise<number> => {
    let count = 0;
    const definitions: SensorDefinition[] = [
      { name: 'box-power', quantity: 'power', accuracy: { permille: 0, absolute: 0 }, periodMs: 100 },
    ];
    const reader = new SensorReader({ definitions, read: async () => [{ value: (count += 1) }] });
    for (const time of times) await reader.read(time, 'on');
    return count;
  };
  await fc.assert(
    fc.asyncProperty(fc.array(fc.nat({ max: 49 }), { minLength: 1, maxLength: 50 }), async (late) => {
      assert.equal(await reads(late.map((ms, index) => index * 100 + ms)), late.length);
    }),
  );
  assert.equal(await reads(Array.from({ length: 10_000 }, (_, ms) => ms)), 101); // half a period after the first, then one a period
  assert.equal(await reads([1_000, 1_010, 500, 510]), 2); // the clock was set back
});

test('ticks of sampling stay on their grid, whatever one of them is late (§17.3)', () => {
  fc.assert(
    fc.property(fc.integer({ min: 20, max: 5_000 }), fc.array(fc.integer({ min: -1, max: 20_000 })), (periodMs, late) => {
      let dueMs = 0;
      for (const ms of late) {
        const next = nextDueMs(dueMs, dueMs + ms, periodMs);
        assert.equal(next % periodMs, 0);
        assert.ok(next > dueMs + ms && next - dueMs <= Math.max(0, ms) + periodMs);
        dueMs = next;
      }
    }),
  );
});

test('a reading from before an edge does not take the edge back, and a clock that was set back hides nothing (§17.3)', () => {
  const door = (atMs: number) => ({ sensor: 'intrusion', quantity: 'intrusion', value: 0, atMs, quality: 'good' }) as const;
  const edgeMs = 100_000;
  assert.deepEqual(
    [edgeMs - 3_600_000, edgeMs - 1_000, edgeMs - 1, edgeMs, edgeMs + 1].filter((atMs) => isOvertaken(door(atMs), edgeMs)),
    [edgeMs - 1_000, edgeMs - 1],
  );
  assert.equal(isOvertaken(door(1), undefined), false);
});

test('a display is begun in eight lines and written in four, each row to its end (§16.2)', () => {
  const light = 8;
  const start = displayStart().flatMap(({ bytes }) => bytes);
  assert.deepEqual(
    start.slice(0, 8),
    [0x34, 0x30, 0x34, 0x30, 0x34, 0x30, 0x24, 0x20].map((byte) => byte | light),
  );
  const [first, second, ...others] = displayText({ chip: 'pcf8574', address: 0x27, columns: 16, rows: 2 }, [
    'A',
    '21 °C — far too long a line',
  ]);
  assert.equal(others.length, 0);
  const text = (bytes: readonly number[] = []): string => {
    // Each nibble is there twice, with E and without; a character has two.
    const nibbles = bytes.filter((_, index) => index % 2 === 1).map((byte) => byte >> 4);
    return String.fromCharCode(...nibbles.flatMap((high, index) => (index % 2 === 0 ? [high * 16 + (nibbles[index + 1] ?? 0)] : [])));
  };
  assert.equal(text(first?.bytes), `\x80A${' '.repeat(15)}`);
  assert.equal(text(second?.bytes), '\xc021 \xdfC ? far too ');
  assert.ok(first?.bytes.every((byte) => (byte & light) !== 0));
});
