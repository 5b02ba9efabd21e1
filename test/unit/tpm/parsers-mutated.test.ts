/** Every TPM parser and judgement against mutations of proper input; `npm run fuzz` does the same for longer. */
import { describe, test } from 'node:test';
import { mutated } from '../../../scripts/fuzz/mutation.ts';
import { drawFrom } from '../../../scripts/fuzz/random.ts';
import { tpmParsers } from '../../fuzz/tpm-parsers.ts';

const mutations = 20_000;

describe('foreign bytes never throw, and what is decoded has one form', () => {
  for (const [index, { name, seeds, run }] of tpmParsers.entries()) {
    test(name, () => {
      const draw = drawFrom(index + 1);
      for (const seed of seeds) run(seed);
      for (let count = 0; count < mutations; count++) run(mutated(seeds, draw));
    });
  }
});
