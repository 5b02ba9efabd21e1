/** Every parser and judgement of the chain against mutations of proper input; `npm run fuzz` does the same for longer. */
import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { decodeBulk, decodeStrict, encodeBulk, encodeStrict } from '#protocol/codec.ts';
import { fuzz } from '../../../scripts/fuzz/fuzzing.ts';
import { chainParsers } from '../../fuzz/chain-parsers.ts';
import { chainSamples } from '../../fuzz/chain-samples.ts';

test('every message of the chain travels in both forms and comes out as it was (§2.1, §2.3)', () => {
  for (const { name, schema, bytesMax, values } of chainSamples) {
    for (const value of values) {
      assert.deepEqual(decodeStrict(schema, encodeStrict(schema, value), bytesMax), { status: 'decoded', value }, name);
      assert.deepEqual(decodeBulk(schema, encodeBulk(schema, value), bytesMax), { status: 'decoded', value }, name);
    }
  }
});

describe('what a peer sends never throws, hangs or takes much memory, and what is decoded has one form (§11-15)', () => {
  for (const target of chainParsers) {
    test(target.name, () => {
      const { fault, runs } = fuzz(target, { seed: 1, runsMax: 3_000, secondsMax: 0.04 });
      if (fault) assert.fail(`${fault.kind}, run ${fault.run}: ${fault.detail}\n${fault.input.subarray(0, 2_000).toHex()}`);
      assert.ok(runs > target.seeds.length);
    });
  }
});
