/** Which box a person means. Specification §17.7. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { UsageError } from '../../../scripts/arguments.ts';
import { findBox } from '../../../scripts/box/devices.ts';

const alpha = { name: 'alpha', folder: '/state/devices/alpha', boxes: ['alpha-box', 'render1'] };
const bravo = { name: 'bravo', folder: '/state/devices/bravo', boxes: ['bravo-box'] };
const charlie = { name: 'charlie', folder: '/state/devices/charlie', boxes: ['render2', 'render3'] };
const all = [alpha, bravo, charlie];

test('the name of a device means its only box, or the one of several that is called after it', () => {
  assert.deepEqual(findBox(all, 'bravo'), { device: bravo, box: 'bravo-box' });
  assert.deepEqual(findBox(all, 'alpha'), { device: alpha, box: 'alpha-box' });
  assert.deepEqual(findBox(all, 'render1'), { device: alpha, box: 'render1' });
});

test('a name that could mean several boxes, or none, is refused with those that there are', () => {
  assert.throws(() => findBox(all, 'charlie'), new UsageError('device charlie has several boxes; name one: render2, render3'));
  assert.throws(
    () => findBox(all, 'nobox'),
    new UsageError('there is no box "nobox"; there are alpha-box, render1, bravo-box, render2, render3'),
  );
});

test('a box that is called like a device is meant before the box of that device', () => {
  const odd = { ...charlie, boxes: ['alpha'] };
  assert.deepEqual(findBox([alpha, odd], 'alpha'), { device: odd, box: 'alpha' });
});
