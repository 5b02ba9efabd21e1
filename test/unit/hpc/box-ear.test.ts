/** What a device answers to a box that speaks of runs which no job waits for, and how little to one that invents them (§6.4, §6.7). */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { Hello, RunState } from '#protocol/box-messages.ts';
import { encodeBulk } from '#protocol/codec.ts';
import { BOX_LIMITS } from '../../../device/hpc/limits.ts';
import { software } from '../control/world.ts';
import { BoxEar, type EarParts } from '../../../device/hpc/box-ear.ts';

const run = `${'ab'.repeat(16)}.1`;

class Heard {
  nowMs = 1_000_000;
  /** What was said to the box, and lines of the log. */
  readonly said: string[] = [];
  readonly #ear: BoxEar;

  /** @param given runs that the device remembers to have given to it */
  constructor(given: readonly string[] = []) {
    const parts = {
      boxes: { find: () => ({ name: 'box' }), heard: () => undefined, introduced: () => undefined },
      link: { cancel: () => this.said.push('cancel'), acknowledge: () => this.said.push('acknowledge') },
      control: { fitnessOf: () => 'ready', heard: () => undefined, introduced: () => undefined },
      measuring: { introduced: () => undefined },
      introduced: () => undefined,
      jobOf: () => undefined,
      wasGiven: (_box: string, named: string) => given.includes(named),
      now: () => this.nowMs,
      log: (event: string) => this.said.push(event),
    };
    this.#ear = new BoxEar(parts as unknown as EarParts);
  }

  hello(...runs: readonly string[]): void {
    this.#ear.boxSaid('box', 'hello', encodeBulk(Hello, { software, processors: 1, memoryBytes: 1, runs: [...runs] }));
  }

  hears(kind: 'state' | 'evidence', payload: Uint8Array): void {
    this.#ear.boxSaid('box', kind, payload);
  }
}

/** What is said to the box of a run in this state. */
function answersTo(state: RunState['state']): string[] {
  const heard = new Heard();
  heard.hears('state', encodeBulk(RunState, { run, state }));
  return heard.said;
}

test('a run that no job waits for is cancelled and acknowledged (§6.4)', () => {
  assert.deepEqual(answersTo('running'), ['cancel', 'acknowledge']);
});

test('a box that has nothing of such a run is told nothing more: both would go on for ever (§6.4)', () => {
  assert.deepEqual(answersTo('unknown'), []);
});

test('of runs that a box invents it is told to forget one at a time, of its own all at once (§6.7)', () => {
  const invented = Array.from({ length: 64 }, (_, count) => `${count.toString(16).padStart(32, '0')}.1`);
  const liar = new Heard();
  liar.hello(...invented);
  liar.hello(...invented);
  assert.deepEqual(liar.said, ['cancel', 'acknowledge']);
  liar.nowMs += BOX_LIMITS.foreignRunEveryMs;
  liar.hello(...invented);
  assert.equal(liar.said.length, 4);
  const honest = new Heard(invented);
  honest.hello(...invented);
  assert.equal(honest.said.length, 2 * 64);
});

test('what a box says in vain is so many lines of the log in a minute, and no more (§6.7)', () => {
  const heard = new Heard();
  for (let count = 0; count < 1_000; count += 1) heard.hears('evidence', Uint8Array.of(count % 256));
  assert.deepEqual(heard.said, Array(BOX_LIMITS.ignoredLinesPerMinute).fill('boxMessageIgnored'));
  heard.nowMs += 60_000;
  heard.hears('evidence', Uint8Array.of(0));
  assert.equal(heard.said.length, BOX_LIMITS.ignoredLinesPerMinute + 1);
});
