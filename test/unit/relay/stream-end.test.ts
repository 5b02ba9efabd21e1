/** Both ends of a stream and a broker between them that does what it likes: what is handed on is what was written, as far as it goes. Specification §5.7. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { LIMITS } from '#protocol/limits.ts';
import { decodeRelayFrame, RELAY_REASONS, RelayFrame } from '#protocol/relay/frames.ts';
import { encodeBulk } from '#protocol/codec.ts';
import { StreamEnd } from '#protocol/relay/stream-end.ts';

const window = LIMITS.relayFramesInFlightMax;

/** Through the bytes of the wire. */
function travelled(frame: RelayFrame): RelayFrame {
  const decoded = decodeRelayFrame(encodeBulk(RelayFrame, frame));
  assert.ok(decoded.status === 'decoded', JSON.stringify(decoded));
  return decoded.value;
}

/** One end with what it wrote and what it handed on, and what lies in the broker on the way to it. */
class Side {
  readonly end = new StreamEnd(0);
  readonly written: number[] = [];
  readonly handedOn: number[] = [];
  readonly held: Uint8Array[] = [];
  readonly coming: RelayFrame[] = [];

  write(bytes: Uint8Array): void {
    if (!this.end.over) this.written.push(...bytes);
    this.end.write(bytes);
  }

  hear(frame: RelayFrame, atMs: number): void {
    this.held.push(...this.end.hear(travelled(frame), atMs));
  }

  handOn(frames: number): void {
    const given = this.held.splice(0, frames);
    for (const bytes of given) this.handedOn.push(...bytes);
    this.end.handedOn(given.length);
  }
}

function speak(from: Side, to: Side, atMs: number): void {
  to.coming.push(...from.end.frames(atMs));
}

function begun(): [Side, Side] {
  const [box, device] = [new Side(), new Side()];
  box.end.admit();
  device.end.admit();
  speak(box, device, 0);
  speak(device, box, 0);
  return [box, device];
}

const anyBytes = fc.uint8Array({ minLength: 1, maxLength: 40 });
const anyStep = fc.oneof(
  {
    weight: 4,
    arbitrary: fc.record({ step: fc.constant('write' as const), side: fc.nat(1), bytes: anyBytes, times: fc.integer({ min: 1, max: 50 }) }),
  },
  { weight: 8, arbitrary: fc.record({ step: fc.constant('deliver' as const), side: fc.nat(1), at: fc.nat(8) }) },
  { weight: 4, arbitrary: fc.record({ step: fc.constant('handOn' as const), side: fc.nat(1), frames: fc.integer({ min: 1, max: 40 }) }) },
  { weight: 1, arbitrary: fc.record({ step: fc.constant('repeat' as const), side: fc.nat(1), at: fc.nat(8) }) },
);
const anyMischief = fc.oneof(
  anyStep,
  fc.record({ step: fc.constant('drop' as const), side: fc.nat(1), at: fc.nat(8) }),
  fc.record({ step: fc.constant('wait' as const), ms: fc.constantFrom(100, LIMITS.relayGapMs, LIMITS.relaySilenceMs) }),
  fc.record({
    step: fc.constant('inject' as const),
    side: fc.nat(1),
    frame: fc.oneof(
      fc.record({ frame: fc.constant('data' as const), number: fc.oneof(fc.nat(80), fc.maxSafeNat()), bytes: anyBytes }),
      fc.record({ frame: fc.constant('credit' as const), below: fc.oneof(fc.nat(80), fc.maxSafeNat()) }),
      fc.record({
        frame: fc.constant('close' as const),
        after: fc.oneof(fc.nat(80), fc.maxSafeNat()),
        reason: fc.constantFrom(...RELAY_REASONS),
      }),
    ),
  }),
);
type Step = Parameters<Parameters<typeof anyMischief.map>[0]>[0];

function take(sides: readonly [Side, Side], step: Step, clock: { atMs: number }): void {
  const side = 'side' in step ? sides[step.side === 0 ? 0 : 1] : sides[0];
  const other = side === sides[0] ? sides[1] : sides[0];
  switch (step.step) {
    case 'write':
      for (let time = 0; time < step.times; time += 1) {
        side.write(step.bytes);
        speak(side, other, clock.atMs);
      }
      break;
    case 'deliver':
    case 'repeat': {
      const frame = side.coming[step.at % Math.max(1, side.coming.length)];
      if (step.step === 'deliver') side.coming.splice(step.at % Math.max(1, side.coming.length), 1);
      if (frame) side.hear(frame, clock.atMs);
      break;
    }
    case 'drop':
      side.coming.splice(step.at % Math.max(1, side.coming.length), 1);
      break;
    case 'inject':
      side.hear(step.frame, clock.atMs);
      break;
    case 'handOn':
      side.handOn(step.frames);
      break;
    case 'wait':
      clock.atMs += step.ms;
      for (const one of sides) one.end.timePassed(clock.atMs);
      break;
  }
  for (const [from, to] of [sides, [sides[1], sides[0]] as const]) speak(from, to, clock.atMs);
}

function requireBounds(sides: readonly [Side, Side], isHonest: boolean): void {
  for (const side of sides) {
    assert.ok(side.held.length <= window, `${side.held.length} frames wait to be handed on`);
    if (isHonest) assert.ok(side.coming.filter(({ frame }) => frame === 'data').length <= window, 'more is in flight than credit allows');
  }
}

/** Everything delivered and handed on, in order. */
function settle(sides: readonly [Side, Side], atMs: number): void {
  while (sides.some(({ coming, held }) => coming.length + held.length > 0)) {
    for (const side of sides) {
      const other = side === sides[0] ? sides[1] : sides[0];
      for (const frame of side.coming.splice(0)) side.hear(frame, atMs);
      side.handOn(window);
      speak(side, other, atMs);
    }
  }
}

const isPrefix = (part: readonly number[], whole: readonly number[]): boolean => part.every((byte, at) => whole[at] === byte);

test('whatever a broker repeats and reorders, each end is handed what the other wrote, in bounds (§5.7)', () => {
  fc.assert(
    fc.property(fc.array(anyStep, { maxLength: 200, size: 'max' }), (steps) => {
      const sides = begun();
      const clock = { atMs: 0 };
      for (const step of steps) {
        take(sides, step, clock);
        requireBounds(
          sides,
          steps.every(({ step: word }) => word !== 'repeat'),
        );
      }
      settle(sides, clock.atMs);
      const [box, device] = sides;
      assert.deepEqual([box.end.over, device.end.over], [undefined, undefined]);
      assert.deepEqual(device.handedOn, box.written);
      assert.deepEqual(box.handedOn, device.written);
      assert.deepEqual([box.end.waitingBytes, device.end.waitingBytes], [0, 0]);
    }),
    { numRuns: 300 },
  );
});

test('a broker that drops and delays never has anything handed on but a beginning of what was written (§5.7)', () => {
  fc.assert(
    fc.property(
      fc.array(
        anyMischief.filter(({ step }) => step !== 'inject'),
        { maxLength: 200, size: 'max' },
      ),
      (steps) => {
        const sides = begun();
        const clock = { atMs: 0 };
        for (const step of steps) take(sides, step, clock);
        settle(sides, clock.atMs);
        assert.ok(isPrefix(sides[1].handedOn, sides[0].written) && isPrefix(sides[0].handedOn, sides[1].written));
      },
    ),
    { numRuns: 300 },
  );
});

test('whatever is injected, an end stays in its bounds, says nothing after its close, and never throws (§5.7)', () => {
  fc.assert(
    fc.property(fc.array(anyMischief, { maxLength: 200, size: 'max' }), (steps) => {
      const sides = begun();
      const clock = { atMs: 0 };
      for (const step of steps) {
        take(sides, step, clock);
        requireBounds(sides, false);
      }
      for (const { end } of sides) {
        if (!end.over) continue;
        end.write(Uint8Array.of(1));
        end.admit();
        end.close('done');
        assert.deepEqual(end.frames(clock.atMs), []);
      }
    }),
    { numRuns: 500 },
  );
});

test('an end that closes when it has finished is over at the other end after all that it wrote (§5.7)', () => {
  const [box, device] = begun();
  settle([box, device], 0);
  const whole = Uint8Array.from({ length: 3 * window * LIMITS.relayDataBytesMax }, (_, at) => at % 251);
  device.end.write(whole);
  device.end.finish();
  speak(device, box, 0);
  assert.equal(device.end.over, undefined, 'bytes wait for credit');
  const [first, ...rest] = box.coming.splice(0);
  assert.equal(rest.length, window - 1);
  box.coming.push(...rest, first!);
  settle([box, device], 0);
  assert.deepEqual(
    [box.end.over, device.end.over],
    [
      { by: 'there', reason: 'done' },
      { by: 'here', reason: 'done' },
    ],
  );
  assert.deepEqual(Uint8Array.from(box.handedOn), whole);
});

test('a close that comes before the frames that it follows waits for them (§5.7)', () => {
  const end = new StreamEnd(0);
  end.admit();
  end.hear({ frame: 'close', after: 2, reason: 'done' }, 0);
  assert.deepEqual(end.hear({ frame: 'data', number: 1, bytes: Uint8Array.of(2) }, 1), []);
  assert.equal(end.over, undefined);
  assert.deepEqual(end.hear({ frame: 'data', number: 0, bytes: Uint8Array.of(1) }, 2), [Uint8Array.of(1), Uint8Array.of(2)]);
  assert.deepEqual(end.over, { by: 'there', reason: 'done' });
});

/** What an end says in the end, after an introduction of credit in both directions. */
function endedBy(work: (end: StreamEnd) => void): string | undefined {
  const end = new StreamEnd(0);
  end.admit();
  end.hear({ frame: 'credit', below: 1 }, 0);
  end.frames(0);
  work(end);
  const said = end.frames(LIMITS.relaySilenceMs).find((frame) => frame.frame === 'close');
  if (said) assert.deepEqual(end.over, { by: 'here', reason: said.reason });
  return said?.reason;
}

const data = (number: number): RelayFrame => ({ frame: 'data', number, bytes: Uint8Array.of(1) });

test('each end of a session has its reason (§5.7)', () => {
  const twice = (end: StreamEnd, frame: RelayFrame, times: number): void => {
    for (let time = 0; time < times; time += 1) end.hear(frame, 0);
  };
  assert.deepEqual(
    {
      beyond: endedBy((end) => end.hear(data(window), 0)),
      lastAllowed: endedBy((end) => end.hear(data(window - 1), 0)),
      lost: endedBy((end) => [end.hear(data(1), 0), end.timePassed(LIMITS.relayGapMs)]),
      notYetLost: endedBy((end) => [end.hear(data(1), 0), end.timePassed(LIMITS.relayGapMs - 1)]),
      found: endedBy((end) => [end.hear(data(1), 0), end.hear(data(0), 9_999), end.timePassed(LIMITS.relayGapMs)]),
      stalled: endedBy((end) => {
        end.write(new Uint8Array(2 * LIMITS.relayDataBytesMax));
        end.frames(0);
        end.timePassed(LIMITS.relayStallMs);
      }),
      silent: endedBy((end) => end.timePassed(LIMITS.relaySilenceMs)),
      muchCredit: endedBy((end) => end.hear({ frame: 'credit', below: window + 1 }, 0)),
      lateClose: endedBy((end) => end.hear({ frame: 'close', after: window + 1, reason: 'done' }, 0)),
      earlyClose: endedBy((end) => [end.hear(data(1), 0), end.hear({ frame: 'close', after: 1, reason: 'done' }, 0)]),
      duplicates: endedBy((end) => twice(end, data(0), LIMITS.relayUselessFramesMax + 1)),
      fewer: endedBy((end) => twice(end, data(0), LIMITS.relayUselessFramesMax)),
      oldCredit: endedBy((end) => twice(end, { frame: 'credit', below: 1 }, LIMITS.relayUselessFramesMax)),
    },
    {
      beyond: 'beyond-credit',
      lastAllowed: undefined,
      lost: 'lost',
      notYetLost: undefined,
      found: undefined,
      stalled: 'stalled',
      silent: 'silent',
      muchCredit: 'malformed',
      lateClose: 'malformed',
      earlyClose: 'malformed',
      duplicates: 'too-many',
      fewer: undefined,
      oldCredit: 'too-many',
    },
  );
});

test('an end that is not read gives no more credit, and one that is read gives it by halves (§5.7)', () => {
  const end = new StreamEnd(0);
  end.admit();
  assert.deepEqual(end.frames(0), [{ frame: 'credit', below: window }]);
  for (let number = 0; number < window; number += 1) end.hear(data(number), 0);
  assert.deepEqual(end.frames(0), []);
  end.handedOn(window / 2 - 1);
  assert.deepEqual(end.frames(0), []);
  end.handedOn(1);
  assert.deepEqual(end.frames(0), [{ frame: 'credit', below: window + window / 2 }]);
});
