/** What a device answers to a box that speaks of a run which no job waits for (§6.4). */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { RunState } from '#protocol/box-messages.ts';
import { encodeBulk } from '#protocol/codec.ts';
import { BoxEar, type EarParts } from '../../../device/hpc/box-ear.ts';

const run = `${'ab'.repeat(16)}.1`;

/** What is said to the box of a run in this state. */
function answersTo(state: RunState['state']): string[] {
  const said: string[] = [];
  const parts = {
    boxes: { find: () => ({ name: 'box' }), heard: () => undefined },
    link: { cancel: () => said.push('cancel'), acknowledge: () => said.push('acknowledge') },
    control: { fitnessOf: () => 'ready', heard: () => undefined },
    jobOf: () => undefined,
    log: (event: string) => said.push(event),
  };
  new BoxEar(parts as unknown as EarParts).boxSaid('box', 'state', encodeBulk(RunState, { run, state }));
  return said;
}

test('a run that no job waits for is cancelled and acknowledged (§6.4)', () => {
  assert.deepEqual(answersTo('running'), ['cancel', 'acknowledge']);
});

test('a box that has nothing of such a run is told nothing more: both would go on for ever (§6.4)', () => {
  assert.deepEqual(answersTo('unknown'), []);
});
