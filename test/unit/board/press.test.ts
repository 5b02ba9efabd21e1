/** The machine of presses under anything that may happen to it. Specification §16.2. */
import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { execPath } from 'node:process';
import { test } from 'node:test';
import { fileURLToPath } from 'node:url';
import fc from 'fast-check';
import { PRESS_DEFAULTS } from '../../../device/board/definition.ts';
import { nextPressMs, refusedWhileHeld, RELEASED, stepPress } from '../../../device/board/press.ts';
import type { Button, PressEffect, PressVerb } from '../../../device/board/press.ts';
import type { PowerState } from '../../../device/board/ports.ts';

const { shortMs, longMs, restMs } = PRESS_DEFAULTS;
const ask = (verb: PressVerb, power: PowerState, atMs = 0): readonly PressEffect[] =>
  stepPress(RELEASED, { kind: 'asked', verb, power, atMs }, PRESS_DEFAULTS).effects;
const reasonOf = ([effect]: readonly PressEffect[]): string => (effect?.kind === 'refuse' ? effect.reason : (effect?.kind ?? 'nothing'));

test('what the power LED says decides which press is made (§16.2)', () => {
  const decided = (['on', 'off', 'sleeping', 'unknown'] as const).map((power) =>
    (['on', 'soft-off', 'hard-off', 'reset'] as const).map((verb) => reasonOf(ask(verb, power))),
  );
  assert.deepEqual(decided, [
    ['already-on', 'press', 'press', 'press'],
    ['press', 'already-off', 'already-off', 'already-off'],
    ['press', 'unknown-state', 'press', 'press'],
    ['unknown-state', 'unknown-state', 'unknown-state', 'unknown-state'],
  ]);
});

const events = fc.array(
  fc.record({
    afterMs: fc.integer({ min: 0, max: 3_000 }),
    what: fc.oneof(
      fc.record({
        verb: fc.constantFrom<PressVerb[]>('on', 'soft-off', 'hard-off', 'reset'),
        power: fc.constantFrom<PowerState[]>('on', 'off', 'sleeping', 'unknown'),
      }),
      fc.constant('tick' as const),
      fc.constantFrom<Button[]>('power', 'reset'),
    ),
  }),
  { maxLength: 60 },
);

test('while one button is held the other, and the mains, are refused as busy, and why is said (§16.2)', () => {
  for (const [held, verb, other] of [
    ['power', 'hard-off', 'reset'],
    ['reset', 'reset', 'soft-off'],
  ] as const) {
    const { state } = stepPress(RELEASED, { kind: 'asked', verb, power: 'on', atMs: 0 }, PRESS_DEFAULTS);
    const busy = { reason: 'busy', detail: `the ${held} button is being pressed; ask again after its rest` };
    const asked = stepPress(state, { kind: 'asked', verb: other, power: 'on', atMs: shortMs - 1 }, PRESS_DEFAULTS);
    assert.deepEqual(asked.effects, [{ kind: 'refuse', ...busy }]);
    assert.deepEqual(refusedWhileHeld(state), busy);
    const later = stepPress(state, { kind: 'tick', atMs: longMs }, PRESS_DEFAULTS).state;
    assert.equal(refusedWhileHeld(later), undefined);
    assert.equal(reasonOf(stepPress(later, { kind: 'asked', verb: other, power: 'on', atMs: longMs }, PRESS_DEFAULTS).effects), 'press');
  }
});

test('whatever is asked and whenever: one button held at a time, for its exact length, with its rest after it (§16.2)', () => {
  fc.assert(
    fc.property(events, (given) => {
      let state = RELEASED;
      let now = 0;
      const pressed = new Map<Button, { readonly atMs: number; readonly releaseAtMs: number }>();
      const released = new Map<Button, number>();
      const perform = (effects: readonly PressEffect[], atMs: number, isCut: boolean): void => {
        for (const effect of effects) {
          if (effect.kind === 'press') {
            assert.equal(pressed.size, 0);
            assert.ok(atMs - (released.get(effect.button) ?? -Infinity) >= restMs);
            assert.ok([shortMs, longMs].includes(effect.releaseAtMs - atMs));
            pressed.set(effect.button, { atMs, releaseAtMs: effect.releaseAtMs });
          }
          if (effect.kind === 'release') {
            const one = pressed.get(effect.button);
            assert.ok(one !== undefined && (isCut || atMs >= one.releaseAtMs));
            pressed.delete(effect.button);
            released.set(effect.button, atMs);
          }
        }
      };
      for (const { afterMs, what } of given) {
        // A host that comes when it is wanted: every time the machine names is kept before the next event.
        const until = now + afterMs;
        for (let next = nextPressMs(state); next !== undefined && next <= until; next = nextPressMs(state)) {
          const stepped = stepPress(state, { kind: 'tick', atMs: next }, PRESS_DEFAULTS);
          state = stepped.state;
          perform(stepped.effects, next, false);
        }
        now = until;
        const event =
          what === 'tick'
            ? ({ kind: 'tick', atMs: now } as const)
            : typeof what === 'string'
              ? ({ kind: 'let-go', button: what, atMs: now } as const)
              : ({ kind: 'asked', ...what, atMs: now } as const);
        const stepped = stepPress(state, event, PRESS_DEFAULTS);
        state = stepped.state;
        perform(stepped.effects, now, event.kind === 'let-go');
        for (const { releaseAtMs } of pressed.values()) assert.ok((nextPressMs(state) ?? Infinity) <= releaseAtMs);
      }
      for (let next = nextPressMs(state); next !== undefined; next = nextPressMs(state)) {
        const stepped = stepPress(state, { kind: 'tick', atMs: next }, PRESS_DEFAULTS);
        state = stepped.state;
        perform(stepped.effects, next, false);
      }
      assert.equal(pressed.size, 0);
    }),
  );
});

const guard = fileURLToPath(new URL('../../../device/board/release-guard.ts', import.meta.url));

for (const [what, code, ended] of [
  ['ends normally', '', 0],
  ['throws', 'throw new Error("unexpected")', 1],
  ['exits', 'process.exit(3)', 3],
  ['is asked to end', 'process.kill(process.pid, "SIGTERM"); setTimeout(() => undefined, 5_000)', 'SIGTERM'],
  ['is interrupted', 'process.kill(process.pid, "SIGINT"); setTimeout(() => undefined, 5_000)', 'SIGINT'],
] as const) {
  test(`a program that ${what} during a press lets go first (§16.2)`, async () => {
    const program = `import { guardRelease } from ${JSON.stringify(guard)}; guardRelease(() => process.stdout.write('released ')); ${code}`;
    const child = spawn(execPath, ['--input-type=module', '--eval', program], { stdio: ['ignore', 'pipe', 'ignore'] });
    let said = '';
    child.stdout.on('data', (piece: Buffer) => (said += piece.toString()));
    await once(child, 'close');
    assert.match(said, /^released /);
    assert.equal(child.exitCode ?? child.signalCode, ended);
  });
}
