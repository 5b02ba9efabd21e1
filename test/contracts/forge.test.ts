/** The contracts of layer 1: their own tests, and that what is made from them stands in the tree as it is. Specification §20. */
import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { codeBytes, codeBytesMax, compiledContracts } from '../../scripts/contracts/compiled.ts';
import { hasForge, HARDFORKS, runForge, type Hardfork } from '../../scripts/contracts/forge.ts';
import { measureGas, staleSnapshots, type GasFigures } from '../../scripts/contracts/gas.ts';
import { generatedFiles, staleFiles } from '../../scripts/contracts/generated.ts';
import { havePassed, makeMutations, testRequest } from '../../scripts/contracts/solidity-tests.ts';
import { buildWhole } from '../../scripts/contracts/whole-build.ts';

const runs = 256; // of each fuzz test, and mutations of each kind of evidence; `npm run contracts -- test --runs 10000` tries more

describe('the contracts (§20)', { skip: !hasForge() && 'forge is not installed on machines like this one' }, () => {
  test('compile without a warning', async () => {
    await buildWhole();
  });

  test('ABI, code and storage layout in contracts/generated are those of the sources', () => {
    assert.deepEqual(staleFiles(generatedFiles(compiledContracts())), [], '`npm run contracts -- build` makes them');
  });

  test('no contract is larger than every chain takes', () => {
    const large = compiledContracts().filter(({ deployedCode }) => codeBytes(deployedCode) > codeBytesMax);
    assert.deepEqual(
      large.map(({ name }) => name),
      [],
    );
  });

  for (const hardfork of HARDFORKS) {
    test(`pass their tests on a chain of ${hardfork}`, async () => {
      makeMutations(runs);
      const result = await runForge(testRequest({ runs, hardfork }));
      assert.ok(havePassed(result), result.output);
    });
  }

  test('use the gas that stands in contracts/snapshots, and no more than their limits', async () => {
    const measured = new Map<Hardfork, GasFigures>();
    for (const hardfork of HARDFORKS) measured.set(hardfork, await measureGas(hardfork));
    assert.deepEqual(staleSnapshots(measured), [], '`npm run contracts -- gas` measures them');
  });
});
