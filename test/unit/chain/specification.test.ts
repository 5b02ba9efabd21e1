/** The lists of the specification against the code: reasons of refusals, and limits that all members must share. Specification §2.5, §11.6, §11.7, §13.6. */
import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { test } from 'node:test';
import { fileURLToPath } from 'node:url';
import ts from 'typescript';

import { DOMAINS } from '#protocol/digest.ts';
import { LIMITS } from '#protocol/limits.ts';

const root = fileURLToPath(new URL('../../../', import.meta.url));
const text = readFileSync(`${root}protocol/README.md`, 'utf8');

/** A section by its number, up to the next heading. */
function section(number: string): string {
  const [, body] = text.split(`\n### ${number} `);
  assert.ok(body !== undefined, `no §${number}`);
  return body.split(/\n##/)[0] ?? '';
}

/** The words of a type that is a union of texts. */
function wordsOf(file: string, type: string): string[] {
  const source = program.getSourceFile(`${root}${file}`);
  const alias = source?.statements.find((statement) => ts.isTypeAliasDeclaration(statement) && statement.name.text === type);
  assert.ok(alias, `${file} has no type ${type}`);
  const found = program.getTypeChecker().getTypeAtLocation(alias);
  assert.ok(found.isUnion(), type);
  return found.types.map((one) => (one.isStringLiteral() ? one.value : assert.fail(`${type} is no union of texts`)));
}

const sources = { blocks: 'device/ledger/block-rules.ts', transactions: 'device/ledger/transaction-refusal.ts' };
const proofs = 'protocol/chain/finality-proof.ts';
const options = { strict: true, noEmit: true, allowImportingTsExtensions: true, customConditions: [] as string[] };
const program = ts.createProgram(
  [...Object.values(sources), proofs].map((file) => `${root}${file}`),
  { ...options, target: ts.ScriptTarget.ESNext, module: ts.ModuleKind.NodeNext, moduleResolution: ts.ModuleResolutionKind.NodeNext },
);

/** Families whose members another section lists. */
const elsewhere = ['endorsement-certificate-…', 'vrf-key-certification-…', 'vrf-key-creation-…'];

function isListed(reason: string, words: ReadonlySet<string>): boolean {
  if (words.has(reason)) return true;
  return [...words].some((word) => {
    if (elsewhere.includes(word)) return reason.startsWith(word.slice(0, -1));
    const family = /^(.+-)…?$/.exec(word)?.[1];
    return family !== undefined && reason.startsWith(family) && isListed(reason.slice(family.length), words);
  });
}

const quoted = (part: string): Set<string> => new Set([...part.matchAll(/`([a-z0-9-]+…?)`/g)].map(([, word]) => word ?? ''));

test('every reason for which a block, transaction or proof is refused is listed (§11.6, §13.6)', () => {
  const refusals = quoted(section('11.6'));
  for (const reason of [...wordsOf(sources.blocks, 'BlockRefusal'), ...wordsOf(sources.transactions, 'TransactionRefusal')])
    assert.ok(isListed(reason, refusals), `§11.6 lacks ${reason}`);
  const ofProofs = new Set([...refusals, ...quoted(section('13.6'))]);
  for (const reason of wordsOf(proofs, 'FinalityProofRefusal')) assert.ok(isListed(reason, ofProofs), `§13.6 lacks ${reason}`);
});

test('every reason that is listed for blocks and transactions is one (§11.6)', () => {
  const known = [...wordsOf(sources.blocks, 'BlockRefusal'), ...wordsOf(sources.transactions, 'TransactionRefusal')];
  const malformed = ['too-large', 'not-cbor', 'not-deterministic', 'not-as-declared'];
  const rows = section('11.6')
    .split('\n')
    .flatMap((line) => /^\| (`[^|]+) \|/.exec(line)?.[1] ?? []);
  assert.ok(rows.length > 30);
  for (const word of rows.flatMap((row) => [...quoted(row)])) {
    const isKnown = word.endsWith('…') ? known.some((reason) => reason.startsWith(word.slice(0, -1))) : known.includes(word);
    assert.ok(isKnown || malformed.includes(word), `nothing is refused as ${word}`);
  }
});

test('limits on which consensus rests have the values of the code (§11.7)', () => {
  const limits: Readonly<Record<string, number>> = LIMITS;
  const rows = [...section('11.7').matchAll(/^\| (`[^|]+) \| ([\d,; ]+) \|/gm)];
  const named = rows.flatMap(([, names = '', values = '']) => {
    const [words, numbers] = [names.match(/\w+/g) ?? [], values.split('; ').map((value) => Number(value.replaceAll(',', '')))];
    assert.equal(words.length, numbers.length, names);
    return words.map((word, index) => [word, numbers[index]] as const);
  });
  const inText = [...section('11.7').matchAll(/`(\w+)`\s\(([\d,]+)\)/g)].map(
    ([, word = '', value = '']) => [word, Number(value.replaceAll(',', ''))] as const,
  );
  assert.ok(named.length > 25 && inText.length > 8);
  for (const [word, value] of [...named, ...inText]) assert.equal(limits[word], value, word);
});

test('§2.5 lists every domain, and no other', () => {
  const [, list = ''] = section('2.5').split('The domains, all of them:');
  assert.deepEqual([...quoted(list)].sort(), [...DOMAINS].sort());
});
