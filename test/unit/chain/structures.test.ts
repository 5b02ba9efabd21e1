/**
 * The structures of the specification against the code: the CDDL of protocol/README.md gives values at and beyond every bound, made by
 * a second implementation (test/vectors/chain), and the code takes the ones and refuses the others. Specification §11 to §14.
 */
import assert from 'node:assert/strict';
import { describe, test } from 'node:test';

import { decodeStrict, encodeStrict } from '#protocol/codec.ts';
import { chainSamples } from '../../fuzz/chain-samples.ts';
import { declarations, secondImplementation } from './vectors.ts';

const made = secondImplementation('bounds');
const lines = (made?.output ?? '').split('\n').filter((line) => line !== '');

interface Value {
  readonly rule: string;
  readonly isGood: boolean;
  readonly encoded: Uint8Array;
  readonly place: string;
}

function valueOf(line: string): Value {
  const [rule = '', verdict, encoded = '', ...place] = line.split('\t');
  return { rule, isGood: verdict === 'good', encoded: Uint8Array.fromHex(encoded), place: place.join(' ') };
}

/** The names after such words, in their order; '' where the words are not. */
function namesIn(sentence: string, words: RegExp): string {
  return (words.exec(sentence)?.[1] ?? '').split(', ').sort().join();
}

const values = Map.groupBy(lines.map(valueOf), ({ rule }) => rule);

describe('what the CDDL allows is taken and what it does not is refused', { skip: !made && 'python3 is not here' }, () => {
  test('every declaration has a structure in the specification, and the other way round (§11)', () => {
    assert.equal(made?.status, 0, (made?.output ?? '').slice(-2_000));
    assert.deepEqual([...values.keys()].sort(), Object.keys(declarations).sort());
  });

  test('a proper value of every message fits its structure (§11 to §14)', () => {
    const named = new Map(Object.entries(declarations).map(([rule, schema]) => [schema, rule]));
    const samples = chainSamples.flatMap(({ schema, values: proper }) => {
      const rule = named.get(schema);
      return rule === undefined ? [] : proper.map((value) => `${rule} ${encodeStrict(schema, value).toHex()}\n`);
    });
    assert.ok(samples.length > 40);
    const run = secondImplementation('fits', samples.join(''));
    assert.equal(run?.status, 0, run?.output ?? '');
  });

  for (const [rule, schema] of Object.entries(declarations)) {
    test(`${rule}: fields, types, sizes and variants (§11 to §14)`, () => {
      const cases = values.get(rule) ?? [];
      assert.ok(cases.some(({ isGood }) => isGood) && cases.some(({ isGood }) => !isGood));
      for (const { isGood, encoded, place } of cases) {
        const decoded = decodeStrict(schema, encoded, Infinity);
        const detail = decoded.status === 'malformed' ? decoded.detail : 'taken';
        assert.equal(decoded.status === 'decoded', isGood, `${rule}, ${place}: ${detail}`);
        const names = namesIn(place, /another (?:field|word) than (.*)$/);
        if (names !== '') assert.equal(namesIn(detail, /(?:known are|must be one of) (.*)$/), names, place);
        if (decoded.status === 'decoded') assert.equal(encodeStrict(schema, decoded.value).toHex(), encoded.toHex(), place);
      }
    });
  }
});
