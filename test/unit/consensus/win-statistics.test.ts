/** What is made of who wins. Specification §12.5. */
import assert from 'node:assert/strict';
import { test } from 'node:test';

import {
  evidenceAgainstAll,
  judgeWins,
  noteWin,
  noWins,
  withoutOthers,
  type WinStatistics,
  type WinTally,
} from '../../../device/chain/win-statistics.ts';
import { drawFrom, type Draw } from '../../../scripts/fuzz/random.ts';

const falseAlarm = 0.01;
const seatsOf = (count: number): string[] => Array.from({ length: count }, (_, index) => `member-${index}`);

/** Whoever wins: the first seat with `multiple` times its fair share, the others equally. */
function winnerOf(draw: Draw, seats: readonly string[], multiple: number): string {
  const isFirst = draw(1_000_000) < (1_000_000 * multiple) / seats.length;
  return (isFirst ? seats[0] : seats[1 + draw(seats.length - 1)]) ?? '';
}

function tallyOf(statistics: WinStatistics, member: string): WinTally {
  const tally = statistics.members.get(member);
  assert.ok(tally, `${member} has no tally`);
  return tally;
}

/** Heights until the first seat is reported, or undefined. */
function heightsToAlarm(seed: number, count: number, multiple: number, honestHeights: number, heights: number): number | undefined {
  const [draw, seats] = [drawFrom(seed), seatsOf(count)];
  // The first member alone: what is noted of others does not touch its tally.
  const watched = new Map([['first', new Set(seats.slice(0, 1))]]);
  let statistics = noWins;
  for (let height = 0; height < honestHeights + heights; height += 1) {
    const winner = winnerOf(draw, seats, height < honestHeights ? 1 : multiple);
    statistics = { ...noteWin(statistics, { winner, seats }, watched), members: new Map() };
    const tally = statistics.groups.get('first');
    if (height >= honestHeights && tally && judgeWins(tally, falseAlarm).verdict === 'too-many') return height - honestHeights;
  }
  return undefined;
}

test('honest members are reported with at most the stated probability over any horizon (§12.5)', () => {
  const seats = seatsOf(10);
  let reported = 0;
  const networks = 60;
  for (let network = 0; network < networks; network += 1) {
    const draw = drawFrom(network);
    let statistics = noWins;
    const alarmed = new Set<string>();
    for (let height = 0; height < 2_000; height += 1) {
      statistics = noteWin(statistics, { winner: winnerOf(draw, seats, 1), seats });
      for (const [member, tally] of statistics.members) if (judgeWins(tally, 0.05).verdict === 'too-many') alarmed.add(member);
    }
    reported += alarmed.size;
  }
  // 600 members: 5 % of them are 30; a fair coin of that bias gives more than 48 once in a thousand runs.
  assert.ok(reported <= 48, `${reported} of ${networks * seats.length} honest members were reported`);
});

test('a member that wins twice its share is reported within 20 heights for each seat in the median (§12.5)', () => {
  const delays = Array.from({ length: 41 }, (_, seed) => heightsToAlarm(seed, 20, 2, 0, 2_000) ?? Infinity).sort((a, b) => a - b);
  // Wealth grows by 0.019 a height; ln(100 · 12) = 7.1 of it is needed, as half of it lies on six bets: 370 heights.
  assert.ok((delays[20] ?? Infinity) <= 20 * 20, `median after ${String(delays[20])} heights`);
  assert.ok((delays[40] ?? Infinity) < Infinity, 'one forger was never reported');
});

test('a member that begins to cheat late is reported too (§12.5)', () => {
  const delays = Array.from({ length: 11 }, (_, seed) => heightsToAlarm(seed, 20, 2, 5_000, 4_000) ?? Infinity).sort((a, b) => a - b);
  assert.ok((delays[5] ?? Infinity) <= 20 * 60, `median after ${String(delays[5])} heights`);
});

test('a group is judged by its seats together (§12.5)', () => {
  const seats = seatsOf(20);
  const group = new Map([['one owner', new Set(seats.slice(0, 5))]]);
  const draw = drawFrom(7);
  let statistics = noWins;
  for (let height = 0; height < 400; height += 1) {
    // Five seats of twenty win half of the heights; each of them stays near its own share.
    const winner = (draw(2) === 0 ? seats[draw(5)] : seats[5 + draw(15)]) ?? '';
    statistics = noteWin(statistics, { winner, seats }, group);
  }
  const tally = statistics.groups.get('one owner');
  assert.ok(tally);
  assert.deepEqual([tally.heights, tally.expected], [400, 100]);
  assert.equal(judgeWins(tally, falseAlarm).verdict, 'too-many');
});

test('a network of one has nothing to report (§12.5)', () => {
  let statistics = noWins;
  for (let height = 0; height < 500; height += 1) statistics = noteWin(statistics, { winner: 'only', seats: ['only'] });
  const report = judgeWins(tallyOf(statistics, 'only'), falseAlarm);
  assert.equal(report.verdict, 'as-drawn');
  assert.ok(Math.abs(report.evidence - 1) < 1e-9);
});

test('the wealth of a bet is fair: its mean over both outcomes is what it was, at the chance that is tested (§12.5)', () => {
  const seats = seatsOf(21); // 1/21 with the advantage of place is 1/20
  let statistics = noWins;
  for (let height = 0; height < 30; height += 1) statistics = noteWin(statistics, { winner: seats[height % 21] ?? '', seats });
  const wealth = (next: WinStatistics): number => judgeWins(tallyOf(next, 'member-0'), falseAlarm).evidence;
  const [won, lost] = ['member-0', 'member-1'].map((winner) => wealth(noteWin(statistics, { winner, seats })));
  assert.ok(Math.abs((won ?? 0) / 20 + ((lost ?? 0) * 19) / 20 - wealth(statistics)) < 1e-12);
});

test('evidence against the whole network is the mean of its members (§12.5)', () => {
  const seats = seatsOf(5);
  let statistics = noWins;
  for (let height = 0; height < 40; height += 1) statistics = noteWin(statistics, { winner: 'member-0', seats });
  const each = seats.map((seat) => judgeWins(tallyOf(statistics, seat), falseAlarm).evidence);
  const mean = each.reduce((sum, one) => sum + one / 5, 0);
  assert.ok(Math.abs(evidenceAgainstAll(statistics) / mean - 1) < 1e-12);
  assert.ok(mean > 100);
});

test('wealth stays finite whatever happens (§12.5)', () => {
  const seats = seatsOf(100);
  let statistics = noWins;
  for (let height = 0; height < 3_000; height += 1) statistics = noteWin(statistics, { winner: 'member-0', seats });
  const report = judgeWins(tallyOf(statistics, 'member-0'), falseAlarm);
  assert.ok(Number.isFinite(report.evidence) && report.verdict === 'too-many');
});

test('who lost its seat is forgotten (§12.5)', () => {
  const statistics = noteWin(noWins, { winner: 'member-0', seats: seatsOf(3) });
  assert.deepEqual([...withoutOthers(statistics, new Set(['member-1'])).members.keys()], ['member-1']);
});
