/** What programs show, and how they read their command lines. */
import assert from 'node:assert/strict';
import { describe, test } from 'node:test';

import { commandHelp, nearest, nearestAdvice, readLine, UsageError } from '../../scripts/arguments.ts';
import { newsLines } from '../../scripts/capsule/news-lines.ts';
import { bytesText, durationText, harmless, openTerminal, progressBar, table } from '../../scripts/terminal.ts';

function terminalOn(stream: { isTTY?: boolean; columns?: number }, environment: Record<string, string> = {}) {
  let written = '';
  const terminal = openTerminal({ ...stream, write: (text) => (written += text) }, environment);
  return { terminal, written: () => written };
}

describe('a terminal', () => {
  test('is coloured only where somebody watches and NO_COLOR is not set', () => {
    assert.equal(terminalOn({ isTTY: true }).terminal.paint('bad', 'x'), '\u001b[31mx\u001b[0m');
    assert.equal(terminalOn({ isTTY: true }, { NO_COLOR: '1' }).terminal.paint('bad', 'x'), 'x');
    assert.equal(terminalOn({ isTTY: true }, { TERM: 'dumb' }).terminal.paint('bad', 'x'), 'x');
    assert.equal(terminalOn({}).terminal.paint('bad', 'x'), 'x');
    assert.equal(terminalOn({}, { FORCE_COLOR: '1' }).terminal.paint('bad', 'x'), '\u001b[31mx\u001b[0m');
  });

  test('draws no live line into a file', () => {
    const { terminal, written } = terminalOn({});
    terminal.show('[#---]');
    terminal.line('one');
    assert.equal(written(), 'one\n');
  });

  test('clears the live line before a line, and fits it into the width', () => {
    const { terminal, written } = terminalOn({ isTTY: true, columns: 5 });
    terminal.show('123456789');
    terminal.line('one');
    assert.equal(written(), '\r1234\u001b[K\r\u001b[Kone\n');
  });

  test('a line after text without an end begins on a new one', () => {
    const { terminal, written } = terminalOn({});
    terminal.text('half');
    terminal.line('one');
    assert.equal(written(), 'half\none\n');
  });

  test('text by others can not move the cursor, change the title, ring, or turn around', () => {
    assert.equal(harmless('\u001b[2Ja\u001b]0;title\u0007b\u0007\r\nc\td\u202e'), 'ab\ufffd\nc\td\ufffd');
  });
});

test('a capsule that is ordered again is shown with the box that it had and the reason (§7.4)', () => {
  const { terminal, written } = terminalOn({});
  const about = { news: 'state', capsule: '0'.repeat(32), state: 'ordered', atMs: 0 } as const;
  const lines = newsLines(terminal, Date.now());
  lines.show(about);
  lines.show({
    ...about,
    reason: 'box-lost',
    detail: 'device alpha has said nothing for 20 s',
    box: 'alpha-box',
    device: 'alpha',
    attempt: 1,
  });
  lines.show({ ...about, state: 'assigned', box: 'bravo-box', device: 'bravo', attempt: 2 });
  assert.deepEqual(
    written()
      .trim()
      .split('\n')
      .map((line) =>
        line
          .trim()
          .replace(/^\d+\.\d s +/, '')
          .replace(/ {2,}/, ' | '),
      ),
    [
      'ordered',
      'ordered | the chain is asked for another box than alpha-box of device alpha: device alpha has said nothing for 20 s',
      'assigned | on bravo-box of device bravo, attempt 2',
    ],
  );
});

test('the log of a further attempt is set apart from the one before, and begins anew (§7.4)', () => {
  const { terminal, written } = terminalOn({});
  const capsule = '0'.repeat(32);
  const lines = newsLines(terminal, Date.now());
  const log = { news: 'log', capsule, stream: 'stdout' } as const;
  lines.show({ ...log, attempt: 1, offset: 0, text: 'tick 0\ntick 1\n' });
  lines.show({ news: 'state', capsule, state: 'assigned', box: 'bravo-box', device: 'bravo', attempt: 2, atMs: 0 });
  lines.show({ ...log, attempt: 2, offset: 0, text: 'tick 0\n' });
  lines.show({ ...log, attempt: 2, offset: 14, text: 'tick 2\n' });
  assert.deepEqual(
    written()
      .trim()
      .split('\n')
      .map((line) => line.trim())
      .filter((line) => !line.includes('assigned')),
    [
      'tick 0',
      'tick 1',
      'attempt 2 begins anew on bravo-box: its log from the beginning',
      'tick 0',
      '(7 bytes of stdout before this are in the result)',
      'tick 2',
    ],
  );
});

test('numbers are told as people read them', () => {
  assert.deepEqual([0, 1_023, 1_024, 5 * 1_048_576].map(bytesText), ['0 bytes', '1023 bytes', '1.0 KiB', '5.0 MiB']);
  assert.deepEqual([12, 1_500, 61_000, 3_661_000].map(durationText), ['12 ms', '1.5 s', '1 min 1 s', '1 h 1 min']);
  assert.equal(progressBar(1, 4, 8), '[##------]  25 %');
  assert.equal(progressBar(0, 0, 4), '[####] 100 %');
  assert.equal(
    table([
      ['a', 'bb', 'c'],
      ['ddd', 'e'],
    ]),
    '  a    bb  c\n  ddd  e',
  );
});

describe('a command line', () => {
  const declaration = {
    name: 'demo',
    summary: 'Shows.',
    operands: ['FILE', '[MORE]'],
    options: { out: { value: 'DIR', short: 'o', help: 'where to' }, fast: { help: 'soon' } },
  } as const;

  test('gives operands and options with their types, in any order', () => {
    assert.deepEqual(readLine(declaration, ['--fast', 'a', '-o', 'x', 'b']), { operands: ['a', 'b'], options: { out: 'x', fast: true } });
    assert.deepEqual(readLine(declaration, ['--out=x', '--', '--fast']), { operands: ['--fast'], options: { out: 'x', fast: false } });
  });

  test('is refused in a sentence when it can not be meant', () => {
    for (const [line, sentence] of [
      [['a', '--fst'], /demo has no option --fst; did you mean "--fast"\?/],
      [['a', '--zzzzzzz'], /there are --out, --fast/],
      [['a', '--out'], /--out needs a value: -o, --out DIR/],
      [['a', '--fast=1'], /--fast takes no value, and got "1"/],
      [['a', '--constructor'], /no option --constructor/],
      [[], /FILE is missing/],
      [['a', 'b', 'c'], /"c" is one word too many/],
    ] as const) {
      assert.throws(
        () => readLine(declaration, line),
        (error) => error instanceof UsageError && sentence.test(error.message),
      );
    }
  });

  test('has a help text from its declaration', () => {
    assert.equal(
      commandHelp(declaration, 'npm run demo --'),
      'Shows.\n\nusage: npm run demo -- FILE [MORE] [-o, --out DIR] [--fast]\n\n  -o, --out DIR  where to\n  --fast         soon\n  --help         this text',
    );
  });
});

test('the nearest word is a slip away, or there is none', () => {
  assert.equal(nearest('statsu', ['submit', 'status']), 'status');
  assert.equal(nearest('zebra', ['submit', 'status']), undefined);
  assert.deepEqual(
    [nearestAdvice('statsu', ['status']), nearestAdvice('zebra', ['status']), nearestAdvice('zebra', ['submit', 'status'])],
    ['did you mean "status"?', 'there is only status', 'there are submit, status'],
  );
});
