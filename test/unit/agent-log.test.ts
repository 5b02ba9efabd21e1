/** Log lines of the agent: one line an event, and nothing foreign in it that a terminal would obey. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { LIMITS } from '#protocol/limits.ts';
import { lineLog } from '../../hpc-agent/log.ts';
import { plainNote } from '../../hpc-agent/voice.ts';

function lineOf(fields: Record<string, string | number | boolean>): string {
  const lines: string[] = [];
  lineLog(
    (line) => {
      lines.push(line);
    },
    () => 0,
  )('event', fields);
  return lines.join('|');
}

test('a line has a moment, a word and fields', () => {
  assert.equal(
    lineOf({ run: 'ab.1', count: 3, detail: 'two words' }),
    '1970-01-01T00:00:00.000Z event run=ab.1 count=3 detail="two words"',
  );
});

test('foreign text stays on its line, is short and can steer no terminal', () => {
  const line = lineOf({ detail: `a\nb\u001b[31m\u009b\u202e\u2028"${'x'.repeat(1_000)}` });
  assert.match(line, /^[\x20-\x7e]+$/);
  assert.ok(line.length < 400, `${line.length} characters`);
  assert.ok(line.includes(String.raw`a\nb\u001b[31m\u009b\u202e\u2028\"`), line);
});

test('a note is one line of well-formed text within its bound, whatever a program said', () => {
  assert.equal(plainNote('a\r\n\tb\u0000c'), 'a b c');
  const cut = plainNote('\u{1f600}'.repeat(400).slice(1));
  assert.ok(cut.length <= LIMITS.noteCharactersMax && cut.isWellFormed());
});
