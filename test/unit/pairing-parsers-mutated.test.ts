/** Every reader of what strangers say and people type at pairing against mutations of proper input; `npm run fuzz` does the same for longer. Specification §5.6. */
import { describe, test } from 'node:test';
import { mutated } from '../../scripts/fuzz/mutation.ts';
import { drawFrom } from '../../scripts/fuzz/random.ts';
import { pairingParsers } from '../fuzz/pairing-parsers.ts';

const mutations = 5_000;

describe('what a stranger says never throws, is refused with a sentence, and nothing unsealed opens (§5.6)', () => {
  for (const [index, { name, seeds, run }] of pairingParsers.entries()) {
    test(name, () => {
      const draw = drawFrom(index + 1);
      for (const seed of seeds) run(seed);
      for (let count = 0; count < mutations; count++) run(mutated(seeds, draw));
    });
  }
});
