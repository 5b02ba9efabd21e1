/** Every reader of what a BMC says against mutations of proper words; `npm run fuzz` does the same for longer. Specification §16.5. */
import { describe, test } from 'node:test';
import { mutated } from '../../../scripts/fuzz/mutation.ts';
import { drawFrom } from '../../../scripts/fuzz/random.ts';
import { bmcParsers } from '../../fuzz/bmc-parsers.ts';

const mutations = 5_000;

describe('what a BMC says in another form is refused with a sentence, and no number of it is beyond its bounds (§16.5)', () => {
  for (const [index, { name, seeds, run }] of bmcParsers.entries()) {
    test(name, () => {
      const draw = drawFrom(index + 1);
      for (const seed of seeds) run(seed);
      for (let count = 0; count < mutations; count++) run(mutated(seeds, draw));
    });
  }
});
