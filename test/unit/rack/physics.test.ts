/** The physics of a simulated box, under any events in any order. Specification §16.4. */
import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import fc from 'fast-check';
import type { Order } from '../../../scripts/rack/mainboard.ts';
import {
  BENCH_BOX,
  exhaustMilliC,
  feedMw,
  mainsMw,
  newBox,
  processorMilliC,
  processorMw,
  step,
  tachometer,
  type BoxEvent,
  type BoxState,
} from '../../../scripts/rack/physics.ts';

interface Happening {
  readonly ms: number;
  readonly event: BoxEvent;
}

const event: fc.Arbitrary<BoxEvent> = fc.oneof(
  fc.record({ kind: fc.constantFrom('power-button', 'reset-button'), isPressed: fc.boolean() }),
  fc.record({ kind: fc.constant('mains'), isThere: fc.boolean() }),
  fc.constantFrom({ kind: 'system-ended' } as const, { kind: 'sleep' } as const),
  fc.record({ kind: fc.constant('load'), permille: fc.integer({ min: -50, max: 4_000 }), isDiskActive: fc.boolean() }),
  fc.record({ kind: fc.constant('door'), isOpen: fc.boolean() }),
);
const happening = fc.record({ ms: fc.oneof(fc.integer({ min: 0, max: 700 }), fc.integer({ min: 0, max: 20_000 })), event });
const story = fc.array(happening, { maxLength: 40 });
const options = fc.record({ bootMs: fc.integer({ min: 1, max: 5_000 }), afterMains: fc.constantFrom('off', 'on', 'last') });

const box = (): BoxState => newBox({ bootMs: 500, afterMains: 'off' });

function played(begin: BoxState, happenings: readonly Happening[]): { state: BoxState; orders: Order[] } {
  const orders: Order[] = [];
  let state = begin;
  for (const { ms, event: what } of happenings) {
    const after = step(BENCH_BOX, state, ms, what);
    state = after.state;
    orders.push(...after.orders);
  }
  return { state, orders };
}

/** Presses a button for `ms`. */
function pressed(begin: BoxState, button: 'power-button' | 'reset-button', ms: number): { state: BoxState; orders: readonly Order[] } {
  const down = step(BENCH_BOX, begin, 0, { kind: button, isPressed: true });
  const up = step(BENCH_BOX, down.state, ms, { kind: button, isPressed: false });
  return { state: up.state, orders: [...down.orders, ...up.orders] };
}

function running(): BoxState {
  return step(BENCH_BOX, pressed(box(), 'power-button', 200).state, 1_000).state;
}

describe('energy and heat (§16.4)', () => {
  test('what comes from the mains is in the air or in the heat, to the microjoule', () => {
    fc.assert(
      fc.property(options, story, (made, happenings) => {
        const { state } = played(newBox(made), happenings);
        assert.equal(state.fromMainsUj, state.intoAirUj + state.heatUj);
        assert.ok(state.heatUj >= 0 && Number.isSafeInteger(state.fromMainsUj));
      }),
    );
  });

  test('energy is the integral of the watts', () => {
    fc.assert(
      fc.property(fc.integer({ min: 0, max: 1_000 }), fc.integer({ min: 0, max: 100_000 }), (permille, ms) => {
        const loaded = step(BENCH_BOX, running(), 0, { kind: 'load', permille, isDiskActive: false }).state;
        const after = step(BENCH_BOX, loaded, ms).state;
        assert.equal(after.fromMainsUj - loaded.fromMainsUj, mainsMw(BENCH_BOX, loaded) * ms);
      }),
    );
  });

  test('temperatures stay between the room and what full load can hold, however long it lasts', () => {
    fc.assert(
      fc.property(options, story, (made, happenings) => {
        const { state } = played(newBox(made), happenings);
        for (const milliC of [processorMilliC(BENCH_BOX, state), exhaustMilliC(BENCH_BOX, state)])
          assert.ok(milliC >= BENCH_BOX.ambientMilliC && milliC < 80_000, `${milliC} m°C`);
      }),
    );
    const full = step(BENCH_BOX, running(), 0, { kind: 'load', permille: 1_000, isDiskActive: true }).state;
    const settled = processorMilliC(BENCH_BOX, step(BENCH_BOX, full, 3_600_000).state);
    assert.ok(settled > 60_000 && settled < 75_000, `after an hour of full load ${settled} m°C`);
  });

  test('watts rise with load, and only a box that runs has any', () => {
    const watts = [0, 250, 500, 1_000].map((permille) =>
      feedMw(BENCH_BOX, step(BENCH_BOX, running(), 0, { kind: 'load', permille, isDiskActive: false }).state),
    );
    assert.deepEqual(watts, [38_000, 69_750, 101_500, 165_000]);
    const off = step(BENCH_BOX, box(), 0, { kind: 'load', permille: 1_000, isDiskActive: true }).state;
    assert.deepEqual([feedMw(BENCH_BOX, off), processorMw(BENCH_BOX, off), off.isDiskActive], [1_200, 0, false]);
  });

  test('a fan follows the heat, and its tachometer loses no part of a turn', () => {
    const hot = step(BENCH_BOX, running(), 0, { kind: 'load', permille: 1_000, isDiskActive: false }).state;
    assert.ok(step(BENCH_BOX, hot, 600_000).state.fanRpm > running().fanRpm + 1_000);
    fc.assert(
      fc.property(fc.integer({ min: 0, max: 5_000 }), fc.array(fc.integer({ min: 0, max: 500 }), { maxLength: 50 }), (rpm, spans) => {
        let [pulses, rest] = [0, 0];
        for (const ms of spans) {
          const turned = tachometer(rest, rpm, ms);
          pulses += turned.pulses;
          rest = turned.rest;
        }
        const all = spans.reduce((sum, ms) => sum + ms, 0);
        assert.equal(pulses, Math.floor((rpm * 2 * all) / 60_000));
      }),
    );
  });
});

describe('power (§16.4)', () => {
  test('however time is cut, the same comes out', () => {
    fc.assert(
      fc.property(story, fc.integer({ min: 1, max: 300 }), (happenings, cut) => {
        const whole = played(box(), happenings);
        let state = box();
        const orders: Order[] = [];
        for (const { ms, event: what } of happenings) {
          for (let left = ms; left > 0; left -= cut) {
            const passed = step(BENCH_BOX, state, Math.min(left, cut));
            state = passed.state;
            orders.push(...passed.orders);
          }
          const after = step(BENCH_BOX, state, 0, what);
          state = after.state;
          orders.push(...after.orders);
        }
        assert.deepEqual(orders, whole.orders);
        assert.deepEqual(state.mainboard, whole.state.mainboard);
      }),
      {
        numRuns: 1_000,
        examples: [
          [
            [
              { ms: 0, event: { kind: 'mains', isThere: false } },
              { ms: 0, event: { kind: 'power-button', isPressed: true } },
              { ms: 50, event: { kind: 'mains', isThere: true } },
              { ms: 2, event: { kind: 'system-ended' } },
            ],
            1,
          ],
        ],
      },
    );
  });

  test('every state has a way out: whatever happened, four seconds and then a press switch a box on again', () => {
    fc.assert(
      fc.property(options, story, (made, happenings) => {
        let { state } = played(newBox(made), happenings);
        for (const kind of ['power-button', 'reset-button'] as const) state = step(BENCH_BOX, state, 0, { kind, isPressed: false }).state;
        state = step(BENCH_BOX, state, 0, { kind: 'mains', isThere: true }).state;
        if (state.mainboard.phase !== 'standby') state = pressed(state, 'power-button', 4_000).state;
        assert.equal(state.mainboard.phase, 'standby');
        state = step(BENCH_BOX, pressed(state, 'power-button', 100).state, 10_000).state;
        assert.equal(state.mainboard.phase, 'running');
      }),
    );
  });

  test('a system is started once for each time that it is killed or has ended', () => {
    fc.assert(
      fc.property(options, story, (made, happenings) => {
        let isUp = false;
        for (const order of played(newBox(made), happenings).orders) {
          if (order === 'start') {
            assert.equal(isUp, false, 'started while it runs');
            isUp = true;
          } else if (order === 'kill') isUp = false;
          else {
            assert.ok(isUp, `${order} without a system`);
            if (order === 'ask-to-end') isUp = false;
          }
        }
      }),
    );
  });

  test('a short press of a box that runs asks its system to end; the box is off when it has', () => {
    const asked = pressed(running(), 'power-button', 500);
    assert.deepEqual([asked.state.mainboard.phase, asked.orders], ['stopping', ['ask-to-end']]);
    const later = step(BENCH_BOX, asked.state, 3_600_000).state;
    assert.equal(later.mainboard.phase, 'stopping', 'it does not go off by itself');
    assert.equal(step(BENCH_BOX, later, 0, { kind: 'system-ended' }).state.mainboard.phase, 'standby');
  });

  test('what is shorter than 50 ms is no press; four seconds switch off, and holding on does not switch on again', () => {
    assert.equal(pressed(box(), 'power-button', 49).state.mainboard.phase, 'standby');
    assert.equal(pressed(box(), 'power-button', 50).state.mainboard.phase, 'booting');
    assert.deepEqual(pressed(running(), 'power-button', 3_999).orders, ['ask-to-end']);
    const held = pressed(running(), 'power-button', 30_000);
    assert.deepEqual([held.state.mainboard.phase, held.orders], ['standby', ['kill']]);
  });

  test('reset kills, waits while it is held, and boots; a cut kills at once and comes back as the mainboard is set', () => {
    const down = step(BENCH_BOX, running(), 0, { kind: 'reset-button', isPressed: true });
    assert.deepEqual(down.orders, ['kill']);
    const held = step(BENCH_BOX, down.state, 60_000, { kind: 'reset-button', isPressed: false });
    assert.deepEqual([held.state.mainboard.phase, held.orders], ['booting', []]);
    assert.deepEqual(step(BENCH_BOX, held.state, 500).orders, ['start']);
    for (const [afterMains, phase] of [
      ['off', 'standby'],
      ['on', 'booting'],
      ['last', 'booting'],
    ] as const) {
      const begun = { ...running(), mainboard: { ...running().mainboard, afterMains } };
      const cut = step(BENCH_BOX, begun, 0, { kind: 'mains', isThere: false });
      assert.deepEqual([cut.orders, mainsMw(BENCH_BOX, cut.state)], [['kill'], 0]);
      assert.equal(step(BENCH_BOX, cut.state, 1_000, { kind: 'mains', isThere: true }).state.mainboard.phase, phase, afterMains);
    }
  });
});
