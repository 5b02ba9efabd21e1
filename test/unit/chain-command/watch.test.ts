/** What `npm run chain -- watch` tells, from fixed views of a device. Specification §12.7, §13.5, §14.5. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { HeadView } from '#protocol/chain/chain-view.ts';
import {
  isTold,
  missingBelow,
  newStory,
  tellHead,
  tellPeers,
  tellTime,
  type WatchNews,
  type WatchStory,
} from '../../../scripts/chain/watch-story.ts';
import { liveText, newsJson, newsText } from '../../../scripts/chain/watch-text.ts';
import { blockAt, checkpointAt, headAt, peer, plain } from './views.ts';

const second = 1_000;

function begun(view: HeadView = headAt(10), nowMs = 0): WatchStory {
  const story = newStory();
  assert.deepEqual(tellHead(story, view, [], nowMs)[0], { news: 'began', view });
  return story;
}

function kinds(news: readonly WatchNews[]): string[] {
  return news.map((one) => one.news);
}

test('a block is told once, and its checkpoint when it is certified (§14.5)', () => {
  const story = begun();
  const next = headAt(11, { checkpoint: checkpointAt(9) });
  assert.equal(missingBelow(story, [next.head]), undefined);
  assert.deepEqual(tellHead(story, next, [next.head], second), [{ news: 'block', block: next.head }]);
  assert.ok(isTold(story, next.head));
  const certified = headAt(11, { checkpoint: checkpointAt(11) });
  assert.deepEqual(tellHead(story, certified, [], second + 60), [{ news: 'final', checkpoint: certified.checkpoint }]);
  assert.deepEqual(tellHead(story, certified, [], second + 90), []);
});

test('blocks that came between two words of the device are fetched and told in their order', () => {
  const story = begun();
  const head = headAt(12, { checkpoint: checkpointAt(9) });
  assert.deepEqual(missingBelow(story, [head.head]), blockAt(11).id);
  const path = [blockAt(11), head.head];
  assert.equal(missingBelow(story, path), undefined);
  assert.deepEqual(
    tellHead(story, head, path, second),
    path.map((block) => ({ news: 'block', block })),
  );
});

test('heights that came too fast are counted, not told one by one', () => {
  const story = begun();
  const path = Array.from({ length: 16 }, (_, index) => blockAt(85 + index));
  assert.equal(missingBelow(story, path), undefined);
  const [first] = tellHead(story, headAt(100, { checkpoint: checkpointAt(9) }), path, second);
  assert.deepEqual(first, { news: 'skipped', from: 11, to: 84 });
});

test('another branch is told with how many blocks gave way (§12.7)', () => {
  const story = begun();
  for (const height of [11, 12]) {
    const view = headAt(height, { checkpoint: checkpointAt(9) });
    tellHead(story, view, [view.head], second);
  }
  const tip = blockAt(13, 100);
  assert.deepEqual(missingBelow(story, [tip]), blockAt(12, 100).id);
  assert.deepEqual(missingBelow(story, [blockAt(12, 100), tip]), blockAt(11, 100).id);
  const path = [blockAt(11, 100, 0), blockAt(12, 100), tip];
  assert.equal(missingBelow(story, path), undefined);
  const news = tellHead(story, headAt(13, { head: tip, checkpoint: checkpointAt(9) }), path, second);
  assert.deepEqual(news[0], { news: 'reorganised', from: 11, blocks: 2 });
  assert.deepEqual(kinds(news), ['reorganised', 'block', 'block', 'block']);
});

test('a head that goes back to a block that was told is a reorganisation as well (§12.7)', () => {
  const story = begun();
  const on = headAt(11, { checkpoint: checkpointAt(9) });
  tellHead(story, on, [on.head], second);
  assert.deepEqual(tellHead(story, headAt(10), [], second), [{ news: 'reorganised', from: 11, blocks: 1 }]);
});

test('that nothing becomes final is told when it begins, every half minute, and when it ends (§13.5)', () => {
  const story = begun(headAt(18));
  const silent = headAt(18, { condition: 'not-finalising', voting: 2, checkpoint: checkpointAt(9, 12 * second) });
  assert.deepEqual(tellHead(story, silent, [], 0), [{ news: 'not-final', forMs: 12 * second, voting: 2, voters: 4 }]);
  for (let nowMs = second; nowMs < 30 * second; nowMs += second) {
    tellHead(story, { ...silent, checkpoint: checkpointAt(9, 12 * second + nowMs) }, [], nowMs);
    assert.deepEqual(tellTime(story, nowMs), []);
  }
  assert.match(liveText(story, 29 * second), /not final for 41\.0 s: 2 of 4 seats vote, 3 needed/);
  assert.deepEqual(tellTime(story, 30 * second), [{ news: 'not-final', forMs: 42 * second, voting: 2, voters: 4 }]);
  const back = tellHead(story, headAt(18, { checkpoint: checkpointAt(18, 0) }), [], 31 * second);
  assert.deepEqual(back[0], { news: 'final-again', afterMs: 43 * second });
  assert.deepEqual(kinds(back), ['final-again', 'final']);
  assert.deepEqual(tellTime(story, 32 * second), []);
});

test('whoever begins to watch a network that does not finalise is told at once (§13.5)', () => {
  const story = newStory();
  const view = headAt(30, { condition: 'not-finalising', voting: 2, checkpoint: checkpointAt(9, 60 * second) });
  assert.deepEqual(kinds(tellHead(story, view, [], 0)), ['began', 'not-final']);
});

test('a device that says nothing for ten seconds is called silent once, and so is its return', () => {
  const story = begun();
  assert.deepEqual(tellTime(story, 9 * second), []);
  assert.deepEqual(tellTime(story, 11 * second), [{ news: 'silent', device: 'alpha', forMs: 11 * second }]);
  assert.deepEqual(tellTime(story, 12 * second), []);
  assert.deepEqual(tellHead(story, headAt(10), [], 15 * second), [{ news: 'heard-again', device: 'alpha', afterMs: 15 * second }]);
});

test('members that come and go are told by name (§11.5)', () => {
  const story = begun();
  assert.deepEqual(tellPeers(story, [peer('alpha'), peer('bravo', { reach: 'lost' })]), [
    { news: 'member', name: 'bravo', change: 'lost' },
  ]);
  const later = [peer('alpha'), peer('bravo'), peer('charlie', { standing: 'applicant', seat: 'none' })];
  assert.deepEqual(tellPeers(story, later), [
    { news: 'member', name: 'bravo', change: 'reached' },
    { news: 'member', name: 'charlie', change: 'applicant' },
  ]);
  assert.deepEqual(tellPeers(story, [peer('alpha'), peer('bravo', { standing: 'expelled', seat: 'none' }), peer('charlie')]), [
    { news: 'member', name: 'bravo', change: 'expelled' },
    { news: 'member', name: 'bravo', change: 'unseated' },
    { news: 'member', name: 'charlie', change: 'member' },
    { news: 'member', name: 'charlie', change: 'seated' },
  ]);
});

test('a member that falls silent is named, and so is its return (§14.5)', () => {
  const story = begun();
  const silent = peer('bravo', { voice: 'silent' });
  assert.deepEqual(tellPeers(story, [peer('alpha'), silent]), [{ news: 'member', name: 'bravo', change: 'fell-silent' }]);
  assert.deepEqual(tellPeers(story, [peer('alpha'), silent]), []);
  assert.deepEqual(tellPeers(story, [peer('alpha'), peer('bravo')]), [{ news: 'member', name: 'bravo', change: 'votes-again' }]);
});

test('lines are readable at a glance, and one for each event', () => {
  const atMs = Date.UTC(2026, 0, 2, 13, 4, 17);
  const texts: [WatchNews, string][] = [
    [{ news: 'block', block: blockAt(11) }, '13:04:17    height 11     0b0b0b0b0b0b  bravo        waited 812 ms  1 transaction'],
    [{ news: 'final', checkpoint: checkpointAt(11) }, '13:04:17  ✔ final  11     checkpoint 10 after 56 ms, by 3 of 4 votes'],
    [{ news: 'not-final', forMs: 12_000, voting: 2, voters: 4 }, '13:04:17  ! not final for 12.0 s: 2 of 4 seats vote, 3 needed'],
    [{ news: 'not-final', forMs: 12_000, voting: 3, voters: 4 }, '13:04:17  ! not final for 12.0 s: although 3 of 4 seats vote'],
    [{ news: 'reorganised', from: 11, blocks: 1 }, '13:04:17  ! reorganised from height 11: 1 block gave way to another branch'],
    [{ news: 'member', name: 'delta', change: 'fell-silent' }, '13:04:17  − delta is silent: its vote is missing'],
    [{ news: 'member', name: 'delta', change: 'lost' }, '13:04:17  − delta is not reached'],
  ];
  for (const [news, text] of texts) assert.equal(newsText(news, atMs, plain), text);
});

test('programs get a line of JSON for each event, with byte strings as on the wire (§2.4)', () => {
  const block = JSON.parse(newsJson({ news: 'block', block: blockAt(11) })) as Record<string, unknown>;
  assert.equal(block['event'], 'block');
  assert.equal(block['height'], 11);
  assert.equal(typeof block['id'], 'string');
  assert.deepEqual(JSON.parse(newsJson({ news: 'final-again', afterMs: 5 })), { event: 'final-again', afterMs: 5 });
});
