/** What layer 1 costs, by the figures in contracts/snapshots. Specification §20.3. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { HARDFORKS } from '../../scripts/contracts/forge.ts';
import { gasOfNodeAndDay, keptFigures } from '../../scripts/contracts/gas.ts';

test('an epoch an hour costs each node what the table says, on the dearest chain (§20.3)', () => {
  const dearest = gasOfNodeAndDay(keptFigures('osaka')).map(([nodes, gas]) => [nodes, Number(gas.toPrecision(2))]);
  assert.deepEqual(dearest, [
    [10, 270_000],
    [1_000, 8_100],
    [10_000, 810],
    [1_000_000, 8.1],
  ]);
});

test('re-attestation costs each of 10,000 nodes at most 1,100 gas a day (§20.3)', () => {
  for (const hardfork of HARDFORKS) {
    const [, gas = NaN] = gasOfNodeAndDay(keptFigures(hardfork)).find(([nodes]) => nodes === 10_000) ?? [];
    assert.ok(gas <= 1_100, `${gas} on ${hardfork}`);
  }
});
