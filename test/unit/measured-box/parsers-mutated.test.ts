/** Every reader and judgement of what a box measures against mutations of proper input; `npm run fuzz` does the same for longer. Specification §6.5. */
import { describe, test } from 'node:test';
import { mutated } from '../../../scripts/fuzz/mutation.ts';
import { drawFrom } from '../../../scripts/fuzz/random.ts';
import { measuredBoxParsers } from '../../fuzz/measured-box-parsers.ts';

const mutations = 2_000;

describe('foreign logs, keys and quotes never throw, and what is read is within its bounds (§6.5)', () => {
  for (const [index, { name, seeds, run }] of measuredBoxParsers.entries()) {
    test(name, () => {
      const draw = drawFrom(index + 1);
      for (const seed of seeds) run(seed);
      for (let count = 0; count < mutations; count++) run(mutated(seeds, draw));
    });
  }
});
