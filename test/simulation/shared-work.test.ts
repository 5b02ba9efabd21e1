/** Long work of `npm run simulate`: shared by two threads, said as it goes, ended by Ctrl-C with what was found. */
import assert from 'node:assert/strict';
import process from 'node:process';
import { test } from 'node:test';
import { openTerminal } from '../../scripts/terminal.ts';
import { Report } from './adversary/report.ts';
import { shareWork } from './shared-work.ts';

/** A thread that answers a number with its double, and 0 never. */
const doubling = new URL(
  `data:text/javascript,import { parentPort } from 'node:worker_threads'; parentPort.on('message', (n) => n > 0 && parentPort.postMessage(2 * n))`,
);

test('every piece is given out once, and what was found of each is taken', async () => {
  const pieces = [1, 2, 3, 4, 5];
  const found: number[] = [];
  const end = await shareWork<number, number>({ thread: doubling, next: () => pieces.shift(), take: (number) => void found.push(number) });
  assert.equal(end, 'done');
  assert.deepEqual(
    found.toSorted((left, right) => left - right),
    [2, 4, 6, 8, 10],
  );
});

test('Ctrl-C ends it with what was found so far', async () => {
  const pieces = [1, 0, 0, 2];
  const found: number[] = [];
  const take = (number: number): void => {
    found.push(number);
    process.emit('SIGINT');
  };
  assert.equal(await shareWork<number, number>({ thread: doubling, next: () => pieces.shift(), take }), 'interrupted');
  assert.deepEqual([found, pieces], [[2], [2]]);
});

test('a report says how far it is, what broke at once, and ends as the work did', () => {
  let written = '';
  const terminal = openTerminal({ isTTY: true, columns: 200, write: (text) => (written += text) }, { NO_COLOR: '1' });
  const report = new Report(terminal, 'scenarios', 100);
  assert.equal(report.take({ counts: { scenarios: 60 }, failures: [] }), 60);
  assert.match(written, /60 of 100 scenarios, \d+ a second, .* left/);
  assert.equal(report.close('interrupted'), 130);
  assert.match(written, /scenarios: 60\n[^]*interrupted: 60 of 100 scenarios\n[^]*no rule was broken/);
  report.take({ counts: { scenarios: 40 }, failures: ['decision 7: agreement'] });
  assert.match(written, /decision 7: agreement\n/);
  assert.equal(report.close('done'), 1);
});
