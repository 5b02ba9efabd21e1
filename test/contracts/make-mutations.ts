/**
 * Writes mutations of the named cases with the protocol's verdicts to build/contracts/mutations, where tests in Solidity read them.
 *
 * Run: node_modules/.bin/node test/contracts/make-mutations.ts COUNT [SEED]
 */
import { mkdirSync, writeFileSync } from 'node:fs';
import process from 'node:process';
import { fileURLToPath } from 'node:url';
import { columnsText } from './case-kind.ts';
import { caseKinds } from './case-kinds.ts';

const folder = fileURLToPath(new URL('../../build/contracts/mutations/', import.meta.url));
const [count = NaN, seed = 1] = process.argv.slice(2).map(Number);
if (!Number.isSafeInteger(count) || count < 1 || !Number.isSafeInteger(seed)) {
  process.stderr.write('usage: make-mutations.ts COUNT [SEED], both whole numbers\n');
  process.exit(2);
}
mkdirSync(folder, { recursive: true });
for (const { name, mutations } of caseKinds) writeFileSync(`${folder}${name}.json`, columnsText(mutations(count, seed)));
