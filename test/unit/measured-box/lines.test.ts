/** What people are told of a box's measurements: never more than the receipt shows. Specification §6.3. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { runIdOf } from '#protocol/box-messages.ts';
import { measuredText } from '../../../scripts/capsule/verification-lines.ts';
import { receiptValue, startMs } from '../protocol/workshop.ts';
import { checkOf, keys } from './quoted-box.ts';

const value = receiptValue();
const check = checkOf(runIdOf(value.capsule, 1), 'one', startMs + 3_000);

test('a box without a TPM is said to be self-reported, and how often it was asked (§6.3)', () => {
  assert.equal(measuredText(value), "before and after the run; self-reported: the box's own word");
  assert.match(measuredText({ ...value, measuredDuring: [check] }), /^before, once during and after the run; /);
  assert.match(measuredText({ ...value, measuredDuring: [check, check] }), /^before, 2 times during and after the run; /);
});

test('quotes that nobody has reference values for are not called a measurement (§6.3)', () => {
  const quoted = { ...value, box: { ...value.box, tpm: { keys } } };
  assert.match(measuredText(quoted), /self-reported: .*; the quotes of its TPM hold, but nobody says that they are as they should be$/);
  assert.match(
    measuredText({ ...quoted, box: { ...quoted.box, trust: 'software-tpm' } }),
    /software-tpm: quotes of a program that plays a TPM/,
  );
});
