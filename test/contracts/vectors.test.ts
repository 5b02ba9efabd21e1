/** The vectors that the protocol and the contracts share. Specification §20; the contracts' half: contracts/test/libraries. */
import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { describe, test } from 'node:test';
import { columnsText } from './case-kind.ts';
import { caseKinds } from './case-kinds.ts';

/** Of these nothing is refused. */
const computed = new Set(['digests', 'leaves', 'places']);

describe('what the contracts are compared with is what the protocol says (§20)', () => {
  for (const { name, named, mutations } of caseKinds) {
    test(`${name}: the kept cases have the protocol's verdicts`, () => {
      const kept = readFileSync(new URL(`../vectors/contracts/${name}.json`, import.meta.url), 'utf8');
      assert.ok(
        kept === columnsText(named()),
        `${name}.json differs; node_modules/.bin/node test/vectors/contracts/make.ts makes it again`,
      );
    });

    test(`${name}: names are told apart, and mutations come again with their seed`, () => {
      const names = named().map((row) => row['name']);
      assert.equal(new Set(names).size, names.length);
      assert.equal(columnsText(mutations(20, 7)), columnsText(mutations(20, 7)));
      assert.notEqual(columnsText(mutations(20, 7)), columnsText(mutations(20, 8)));
    });
  }

  for (const { name, named, mutations } of caseKinds.filter((kind) => !computed.has(kind.name))) {
    test(`${name}: there are many refused cases for each accepted one, and mutations of every verdict's kind`, () => {
      const verdicts = [...named(), ...mutations(256, 1)].map((row) => row['verdict']);
      assert.ok(verdicts.includes('accepted'));
      assert.ok(verdicts.filter((verdict) => verdict !== 'accepted').length > 150);
    });
  }
});
