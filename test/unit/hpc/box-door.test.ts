/** What a device takes from one box, before anything is read. Specification §6.7. */
import assert from 'node:assert/strict';
import { afterEach, beforeEach, mock, test } from 'node:test';
import type { BoxUp } from '#protocol/topics.ts';
import { BoxDoor } from '../../../device/hpc/box-door.ts';
import { BOX_LIMITS } from '../../../device/hpc/limits.ts';
import type { Publisher } from '../../../device/ports.ts';

const { paces, droppedMax, pauseMs, rightsAgainMs } = BOX_LIMITS;

let nowMs: number;
let lines: string[];
let silenced: (readonly string[])[];
let isBrokerWell: boolean;
let door: BoxDoor;

beforeEach(() => {
  mock.timers.enable({ apis: ['setTimeout'] });
  [nowMs, lines, silenced, isBrokerWell] = [0, [], [], true];
  door = new BoxDoor({
    silence: (boxes) => {
      silenced.push(boxes);
      return isBrokerWell ? Promise.resolve() : Promise.reject(new Error('the disk is full'));
    },
    nowMs: () => nowMs,
    log: (event, fields) => void lines.push(`${event} ${JSON.stringify(fields)}`),
  });
});
afterEach(() => {
  door.close();
  mock.timers.reset();
});

function passes(ms: number): void {
  nowMs += ms;
  mock.timers.tick(ms);
}

/** @returns how many of so many messages are taken */
function says(kind: BoxUp, count: number, bytes = 100, box = 'liar'): number {
  let taken = 0;
  for (let said = 0; said < count; said += 1) if (door.admits(box, kind, bytes)) taken += 1;
  return taken;
}

test('so many messages and bytes are taken at once, and so many a second afterwards (§6.7)', () => {
  assert.equal(says('hello', 100), paces.hello.messageBurst);
  assert.equal(says('evidence', 100, 128 * 1_024), Math.floor(paces.words.byteBurst / (128 * 1_024)));
  passes(1_000);
  assert.equal(says('hello', 100), paces.hello.messagesPerSecond);
  assert.equal(says('hello', 1, 100, 'other'), 1, 'each box has its own');
});

test('an honest box is never left alone: a hello every 15 s, 64 reports at once, its input as fast as a line of 500 Mbit/s (§6.7)', () => {
  for (let second = 0; second < 600; second += 1) {
    if (second % 15 === 0) assert.equal(says('hello', 1, 8_192), 1);
    if (second % 300 === 0) assert.equal(says('report', 64, 80 * 1_024), 64);
    assert.equal(says('progress', 16), 16);
    assert.equal(says('need', 950), 950);
    passes(1_000);
  }
  assert.deepEqual([lines, silenced], [[], []]);
});

test('what the device asks for costs a box nothing; what it did not ask for counts (§6.7)', () => {
  const publisher = door.counting({ publish: () => undefined } as unknown as Publisher);
  for (let asked = 0; asked < 10_000; asked += 1) {
    publisher.publish({ to: 'box', device: 'alpha', box: 'liar', direction: 'down', kind: 'need' }, new Uint8Array());
    assert.equal(says('chunk', 1, 65_536), 1);
  }
  assert.ok(says('chunk', 1_000, 65_536) < 200);
});

test('who goes on is left alone, said once, for twice as long each time, and is heard again afterwards (§6.7)', () => {
  for (const times of [1, 2, 4]) {
    says('hello', 10_000);
    assert.deepEqual(silenced.pop(), ['liar']);
    assert.deepEqual([lines.length, says('evidence', 10)], [1, 0]);
    assert.ok(lines.pop()?.includes(`"kind":"hello","forMs":${pauseMs * times}`));
    passes(pauseMs * times - 1);
    assert.equal(says('evidence', 1), 0);
    passes(1);
    assert.deepEqual(silenced.pop(), []);
    assert.equal(says('evidence', 1), 1);
  }
});

test('a broker that did not take it is told again each second until it does (§6.7)', async () => {
  isBrokerWell = false;
  says('hello', paces.hello.messageBurst + droppedMax);
  for (let second = 0; second < 3; second += 1) {
    await Promise.resolve();
    await Promise.resolve();
    passes(rightsAgainMs);
  }
  isBrokerWell = true;
  assert.deepEqual(silenced, Array(4).fill(['liar']));
});
