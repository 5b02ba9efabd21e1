/** Every TPM parser and judgement against mutations of proper input; `npm run fuzz` does the same for longer. */
import { describe, test } from 'node:test';
import { tpmParsers } from '../../fuzz/tpm-parsers.ts';

const mutations = 20_000;

describe('foreign bytes never throw, and what is decoded has one form', () => {
  for (const [index, { name, seeds, run }] of tpmParsers.entries()) {
    test(name, () => {
      const draw = generator(index + 1);
      for (const seed of seeds) run(seed);
      for (let count = 0; count < mutations; count++) run(mutated(seeds[draw(seeds.length)] ?? new Uint8Array(), draw));
    });
  }
});

/** One to three changes: a bit, a byte, a length-like value, a cut, an insertion, a repetition. */
function mutated(seed: Uint8Array, draw: (below: number) => number): Uint8Array {
  let bytes = seed;
  for (let changes = 1 + draw(3); changes > 0; changes--) bytes = changed(bytes, draw);
  return bytes;
}

function changed(bytes: Uint8Array, draw: (below: number) => number): Uint8Array {
  const at = draw(bytes.length + 1);
  const [before, after] = [bytes.subarray(0, at), bytes.subarray(at)];
  switch (draw(6)) {
    case 0:
      return Uint8Array.of(...before, (after[0] ?? 0) ^ (1 << draw(8)), ...after.subarray(1));
    case 1:
      return Uint8Array.of(...before, draw(256), ...after.subarray(1));
    case 2:
      return Uint8Array.of(...before, [0, 0xff, 0x80, 0x7f][draw(4)] ?? 0, [0, 0xff, 1, 0x10][draw(4)] ?? 0, ...after.subarray(2));
    case 3:
      return Uint8Array.from(before);
    case 4:
      return Uint8Array.of(...before, draw(256), ...after);
    default:
      return Uint8Array.of(...before, ...after.subarray(0, draw(8)), ...after);
  }
}

/** Mulberry32, so that a failure is found again. */
function generator(seed: number): (below: number) => number {
  let state = seed;
  return (below) => {
    state = (state + 0x6d2b79f5) | 0;
    let mixed = Math.imul(state ^ (state >>> 15), state | 1);
    mixed ^= mixed + Math.imul(mixed ^ (mixed >>> 7), mixed | 61);
    return ((mixed ^ (mixed >>> 14)) >>> 0) % below;
  };
}
