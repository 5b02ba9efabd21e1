/** GPIO lines of the kernel's own gpio-sim, whose other side is in sysfs. Specification §16.2. */
import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { join } from 'node:path';
import { execPath } from 'node:process';
import { after, test } from 'node:test';
import type { Edge } from '../../device/board/devices.ts';
import { openChip } from '../../device/board/gpio.ts';
import { holdUp, pull, seenOutside, until } from './outside.ts';

const chip = openChip('pinctrl-bcm2711');
after(() => chip.close());

test('a chip is found by its label, whatever its number (§16.2)', () => {
  assert.equal(chip.lines, 58);
  assert.throws(() => openChip('elsewhere'), /no GPIO chip labelled "elsewhere"; this machine has "other-chip", "pinctrl-bcm2711"/);
  assert.throws(() => chip.request({ offset: 58, direction: 'input' }), /line 58 is not on this chip, which has lines 0 to 57/);
});

test('an output has its level from the first moment on, and an active-low one the other (§16.2)', () => {
  const high = chip.request({ offset: 5, direction: 'output', level: 1 });
  const low = chip.request({ offset: 6, direction: 'output', level: 0, activeLow: true });
  assert.deepEqual([seenOutside(5), seenOutside(6)], ['1', '1']);
  high.write(0);
  low.write(1);
  assert.deepEqual([seenOutside(5), seenOutside(6)], ['0', '0']);
  high.close();
  low.close();
});

test('what senses is never driven: a HIGH on an input is a pull-up (§16.2)', () => {
  const line = chip.request({ offset: 7, direction: 'input', bias: 'pull-down' });
  assert.equal(line.read(), 0);
  assert.throws(() => line.write(1), /line 7 is an input; it is not driven/);
  line.setBias('pull-up');
  assert.equal(line.read(), 1);
  pull(7, 'pull-down');
  assert.equal(line.read(), 0);
  line.close();
});

test('a line that is held is an error that names the holder, and free once that ended (§16.2)', async () => {
  const line = chip.request({ offset: 8, direction: 'output' });
  assert.throws(() => chip.request({ offset: 8, direction: 'input' }), /line 8 is held by "capstan"/);
  line.close();
  line.close();
  chip.request({ offset: 8, direction: 'input' }).close();
});

test('each of a hundred edges is said in order, with the time of the kernel, however late it is read (§16.2)', async () => {
  const line = chip.request({ offset: 9, direction: 'input', bias: 'pull-down' });
  const edges: Edge[] = [];
  line.onEdge((edge) => edges.push(edge), assert.fail);
  for (let index = 0; index < 50; index += 1) {
    for (const way of ['pull-up', 'pull-down'] as const) {
      pull(9, way);
      holdUp(20);
    }
  }
  assert.equal(edges.length, 0); // nobody has read yet
  await until('a hundred edges have been said', () => edges.length >= 100);
  line.close();
  assert.deepEqual(
    edges.map(({ level }) => level),
    Array.from({ length: 100 }, (_, index) => (index % 2 === 0 ? 1 : 0)),
  );
  assert.deepEqual(
    edges.map(({ sequence }) => sequence),
    Array.from({ length: 100 }, (_, index) => index + 1),
  );
  assert.ok(edges.every(({ atNs }, index) => index === 0 || atNs > (edges[index - 1]?.atNs ?? 0n)));
});

test('a program that watches a line can end, and one that is killed lets go of it (§16.2)', async () => {
  const child = spawn(execPath, [join(import.meta.dirname, 'holder.mjs')], { stdio: ['ignore', 'pipe', 'inherit'] });
  await once(child.stdout, 'data');
  assert.throws(() => chip.request({ offset: 10, direction: 'input' }), /line 10 is held by "capstan"/);
  child.kill('SIGKILL');
  await once(child, 'close');
  chip.request({ offset: 10, direction: 'input' }).close();
});
