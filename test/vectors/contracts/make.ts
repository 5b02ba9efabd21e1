/**
 * Makes the vectors that the protocol and the contracts share. README.md of this folder.
 *
 * Run: node_modules/.bin/node test/vectors/contracts/make.ts
 */
import { writeFileSync } from 'node:fs';
import { columnsText } from '../../contracts/case-kind.ts';
import { caseKinds } from '../../contracts/case-kinds.ts';

for (const { name, named } of caseKinds) writeFileSync(new URL(`${name}.json`, import.meta.url), columnsText(named()));
