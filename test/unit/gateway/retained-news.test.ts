/** Retained news comes back after the broker was started anew (§5.4): paced, from the beginning, and never after the end. */
import assert from 'node:assert/strict';
import { mock, test } from 'node:test';
import { RetainedNews } from '../../../device/gateway/retained-news.ts';
import type { StoredCapsule } from '../../../device/store/store.ts';

function newsOf(ids: readonly string[], forgotten: readonly string[] = []) {
  const said: string[] = [];
  const news = new RetainedNews({
    remembered: () => ids,
    capsule: (id) => (forgotten.includes(id) ? undefined : ({ capsule: id } as StoredCapsule)),
    say: ({ capsule }) => said.push(capsule),
  });
  return { news, said };
}

const twenty = Array.from({ length: 20 }, (_, index) => String(index));

test('eight capsules are said every 200 ms until all are, and then nothing (§5.4)', () => {
  mock.timers.enable({ apis: ['setInterval'] });
  const { news, said } = newsOf(twenty, ['3']);
  news.begin();
  assert.equal(said.length, 7);
  mock.timers.tick(199);
  assert.equal(said.length, 7);
  mock.timers.tick(1_000);
  assert.deepEqual(
    said,
    twenty.filter((id) => id !== '3'),
  );
  mock.timers.reset();
});

test('another loss begins anew, and a connection that is lost or closed says nothing more (§5.4)', () => {
  mock.timers.enable({ apis: ['setInterval'] });
  const { news, said } = newsOf(twenty);
  news.begin();
  news.begin();
  assert.deepEqual(said, [...twenty.slice(0, 8), ...twenty.slice(0, 8)]);
  news.end();
  mock.timers.tick(10_000);
  assert.equal(said.length, 16);
  mock.timers.reset();
});
