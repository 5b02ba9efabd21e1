/** Every parser and judgement of the protocol against mutations of proper input; `npm run fuzz` does the same for longer. */
import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { fuzz } from '../../../scripts/fuzz/fuzzing.ts';
import { mutated } from '../../../scripts/fuzz/mutation.ts';
import { drawFrom } from '../../../scripts/fuzz/random.ts';
import { tryInput } from '../../../scripts/fuzz/trial.ts';
import { protocolParsers } from '../../fuzz/protocol-parsers.ts';

const plan = { seed: 1, runsMax: 3_000, secondsMax: 0.08 };

describe('foreign bytes never throw, hang or take much memory, and what is decoded has one form (§2)', () => {
  for (const target of protocolParsers) {
    test(target.name, () => {
      const { fault, runs } = fuzz(target, plan);
      if (fault) assert.fail(`${fault.kind}, run ${fault.run}: ${fault.detail}\n${fault.input.subarray(0, 2_000).toHex()}`);
      assert.ok(runs > target.seeds.length);
    });
  }
});

describe('the fuzzer itself', () => {
  const seeds = [Uint8Array.of(1, 2, 3), new Uint8Array(40)];

  test('the same seed tries the same inputs, another seed others', () => {
    const tried = (seed: number): string[] => {
      const inputs: string[] = [];
      fuzz({ name: 'any', seeds, run: (bytes) => void inputs.push(bytes.toHex()) }, { seed, runsMax: 200, secondsMax: Infinity });
      return inputs;
    };
    assert.deepEqual(tried(5), tried(5));
    assert.notDeepEqual(tried(5), tried(6));
    assert.deepEqual(
      tried(5).slice(0, 2),
      seeds.map((seed) => seed.toHex()),
    );
  });

  test('a broken rule is found, and reported with the input that broke it', () => {
    const run = (bytes: Uint8Array): void => assert.ok(bytes.length < 100);
    const { fault } = fuzz({ name: 'short', seeds, run }, { seed: 1, runsMax: 100_000, secondsMax: Infinity });
    assert.ok(fault?.kind === 'broken' && fault.input.length >= 100);
  });

  test('a hang is found', () => {
    const run = (): void => {
      for (const before = process.threadCpuUsage(); process.threadCpuUsage(before).user < 60_000;) continue;
    };
    assert.equal(tryInput({ name: 'slow', seeds, run }, Uint8Array.of(1)).fault?.kind, 'slow');
  });

  test('an allocation without measure is found', () => {
    const kept: unknown[] = [];
    const run = (): void => void kept.push(new Uint8Array(64 * 1024 * 1024));
    assert.equal(tryInput({ name: 'greedy', seeds, run }, Uint8Array.of(1)).fault?.kind, 'greedy');
  });

  test('mutations change, cut, lengthen and mix their seeds', () => {
    const draw = drawFrom(3);
    const made = Array.from({ length: 2_000 }, () => mutated(seeds, draw));
    assert.ok(made.some(({ length }) => length === 0) && made.some(({ length }) => length > 1_000));
    assert.ok(made.some((bytes) => bytes.includes(3) && bytes.length > 20 && bytes.length < 60));
    assert.deepEqual(seeds, [Uint8Array.of(1, 2, 3), new Uint8Array(40)]);
  });
});
