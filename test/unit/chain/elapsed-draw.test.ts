/** Draws and waits against an independent computation with 80 digits (test/vectors/elapsed-draw.py). Specification §12.2. */
import assert from 'node:assert/strict';
import { createHash } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { describe, test } from 'node:test';

import { drawAlpha, negativeLogarithm, waitMsOf } from '#protocol/chain/elapsed-draw.ts';

interface Vector {
  readonly output: string;
  readonly logarithm: string;
  readonly exact: string;
  readonly waits: readonly { seats: number; targetIntervalMs: number; minimumWaitMs: number; waitMs: number }[];
}

const vectors = JSON.parse(readFileSync(new URL('../../vectors/elapsed-draw.json', import.meta.url), 'utf8')) as Vector[];
const network = new Uint8Array(32).fill(1);
const seed = new Uint8Array(32).fill(2);

function sha256(words: string): Uint8Array {
  return new Uint8Array(createHash('sha256').update(words).digest());
}

/** The output of which U is this. */
function outputOf(uniform: bigint): Uint8Array {
  const output = new Uint8Array(32);
  new DataView(output.buffer).setBigUint64(0, uniform - 1n);
  return output;
}

test('the logarithm is that of the independent computation, at the edges, at powers of two and drawn (§12.2)', () => {
  for (const { output, logarithm } of vectors) assert.equal(negativeLogarithm(Uint8Array.fromHex(output)), BigInt(logarithm), output);
});

test('waits are those of the independent computation (§12.2)', () => {
  for (const { output, waits } of vectors) {
    for (const { seats, waitMs, ...parameters } of waits) assert.equal(waitMsOf(Uint8Array.fromHex(output), seats, parameters), waitMs);
  }
});

test('the logarithm differs from the true one by less than 2^-34 (§12.2)', () => {
  const scaled = (decimal: string) => BigInt(decimal.replace('.', '')); // twelve places
  const bound = 2n ** 6n * 10n ** 12n;
  for (const { output, exact } of vectors) {
    const error = negativeLogarithm(Uint8Array.fromHex(output)) * 10n ** 12n - scaled(exact);
    assert.ok(error < bound && -error < bound, `${output}: off by ${error} · 10^-12 · 2^-40`);
  }
});

test('U = 2^64 waits the minimum, U = 1 the longest: 64 · ln 2 means (§12.2)', () => {
  const parameters = { targetIntervalMs: 20_000, minimumWaitMs: 500 };
  assert.equal(negativeLogarithm(outputOf(2n ** 64n)), 0n);
  assert.equal(negativeLogarithm(outputOf(1n)), 64n * 762_123_384_785n);
  assert.equal(waitMsOf(outputOf(2n ** 64n), 4, parameters), 500);
  assert.equal(waitMsOf(outputOf(1n), 4, parameters), 500 + Math.floor(80_000 * 64 * Math.LN2));
});

test('the logarithm falls as U rises, and never leaves its range (§12.2)', () => {
  const uniforms = Array.from({ length: 2_000 }, (_, index) => BigInt(`0x${sha256(`rising ${index}`).subarray(0, 8).toHex()}`) + 1n);
  const near = uniforms
    .slice(0, 100)
    .flatMap((uniform) => [uniform + 1n, uniform + 2n ** 20n])
    .filter((uniform) => uniform <= 2n ** 64n);
  const logarithms = [...uniforms, ...near]
    .sort((left, right) => (left < right ? -1 : 1))
    .map((uniform) => negativeLogarithm(outputOf(uniform)));
  for (const [index, logarithm] of logarithms.entries()) {
    assert.ok(logarithm >= 0n && logarithm <= 64n * 762_123_384_785n);
    assert.ok(index === 0 || logarithm <= logarithms[index - 1]!);
  }
});

test('only the first 8 bytes of the output count, wherever they stand in memory (§12.2)', () => {
  const output = sha256('one');
  const shifted = new Uint8Array(40).subarray(5, 37);
  shifted.set(output);
  assert.equal(negativeLogarithm(shifted), negativeLogarithm(output));
  assert.equal(negativeLogarithm(output.with(8, output[8]! ^ 255)), negativeLogarithm(output));
});

describe('waits of many heights', () => {
  const parameters = { targetIntervalMs: 1_000_000, minimumWaitMs: 0 };
  const waits = Array.from({ length: 20_000 }, (_, index) => waitMsOf(sha256(`height ${index}`), 1, parameters) / 1_000_000);

  test('waits are exponentially distributed: Kolmogorov and Smirnov at 1 % over 20,000 draws (§12.2)', () => {
    const sorted = waits.toSorted((left, right) => left - right);
    const distance = Math.max(
      ...sorted.map((wait, index) => {
        const expected = 1 - Math.exp(-wait);
        return Math.max(Math.abs(expected - index / sorted.length), Math.abs((index + 1) / sorted.length - expected));
      }),
    );
    assert.ok(distance * Math.sqrt(sorted.length) < 1.628, `D·√n = ${distance * Math.sqrt(sorted.length)}`);
  });

  test('the shortest of as many waits as there are seats has the target interval as its mean (§12.2)', () => {
    const rounds = Array.from({ length: 2_000 }, (_, round) =>
      Math.min(...Array.from({ length: 10 }, (_seat, seat) => waitMsOf(sha256(`round ${round}, seat ${seat}`), 10, parameters))),
    );
    const mean = rounds.reduce((sum, wait) => sum + wait, 0) / rounds.length;
    assert.ok(Math.abs(mean / parameters.targetIntervalMs - 1) < 0.07, `mean ${mean}`);
  });
});

test('a draw is about one network, seed and height (§12.2)', () => {
  const alphas = [
    drawAlpha(network, seed, 1),
    drawAlpha(network, seed, 2),
    drawAlpha(network, seed, 2 ** 32 + 1),
    drawAlpha(network, network, 1),
    drawAlpha(seed, seed, 1),
  ];
  assert.equal(new Set(alphas.map((alpha) => alpha.toHex())).size, alphas.length);
  assert.equal(alphas[0]!.toHex(), drawAlpha(network, seed, 1).toHex());
});
