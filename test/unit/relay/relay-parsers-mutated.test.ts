/** Every reader of what comes through another broker against mutations of proper input; `npm run fuzz` does the same for longer. Specification §5.7. */
import { describe, test } from 'node:test';
import { mutated } from '../../../scripts/fuzz/mutation.ts';
import { drawFrom } from '../../../scripts/fuzz/random.ts';
import { relayParsers } from '../../fuzz/relay-parsers.ts';

const mutations = 5_000;

describe('what comes through another broker never throws, and is refused with a sentence (§5.7)', () => {
  for (const [index, { name, seeds, run }] of relayParsers.entries()) {
    test(name, () => {
      const draw = drawFrom(index + 1);
      for (const seed of seeds) run(seed);
      for (let count = 0; count < mutations; count++) run(mutated(seeds, draw));
    });
  }
});
