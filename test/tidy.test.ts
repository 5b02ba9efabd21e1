/** The house rules as tests: each failure names the file, the line, the rule and what would be right. */
import assert from 'node:assert/strict';
import test from 'node:test';

import { judgeArrows, judgeCycles, judgeReach } from './tidy/arrows.ts';
import { describeFinding } from './tidy/finding.ts';
import type { Finding } from './tidy/finding.ts';
import { judgeLock, judgePackageJson, judgeScripts } from './tidy/packages.ts';
import { judgeCommands, judgePlaces } from './tidy/places.ts';
import { judgePrograms } from './tidy/programs.ts';
import { judgePurity } from './tidy/purity.ts';
import { fileBytesMax } from './tidy/rules.ts';
import { judgeShape } from './tidy/shape.ts';
import { readSource } from './tidy/source.ts';
import { judgeTests } from './tidy/tests.ts';
import { isCode, readText, repositoryFiles, sizeBytes } from './tidy/tree.ts';
import { judgeCitations, judgeWords } from './tidy/wording.ts';

const files = repositoryFiles();
const sources = files.filter(isCode).map((path) => readSource(path, readText(path)));
const solidity = files.filter((path) => path.endsWith('.sol')).map((path) => ({ path, text: readText(path) }));
const specification = 'protocol/README.md';
const prose = files.filter((path) => /\.(md|json|toml|yaml|yml|sh|cc|h|sol|cjs)$|^\.ci\//.test(path) && path !== 'package-lock.json');

test('imports follow the arrows between folders, and each package has its owner', () => {
  requireNone(judgeArrows(sources));
});

test('no file imports itself through others', () => {
  requireNone(judgeCycles(sources));
});

test('whoever only verifies carries no ethers', () => {
  requireNone(judgeReach(sources));
});

test('the pure rooms are pure', () => {
  requireNone(judgePurity(sources));
});

test('each outside program is started by its owner', () => {
  requireNone(judgePrograms(sources));
});

test('a source file is one noun, headed by a doc comment, without any, enum, namespace or barrel', () => {
  requireNone(judgeShape(sources));
});

test('nothing is half done or bound to one machine', () => {
  requireNone(judgeWords([...sources, ...prose.map((path) => ({ path, text: readText(path) }))]));
});

test(
  'every section that code cites stands in the specification',
  { skip: !files.includes(specification) && 'no specification yet' },
  () => {
    requireNone(judgeCitations([...sources.filter(({ path }) => !path.startsWith('test/tidy')), ...solidity], readText(specification)));
  },
);

test('every file, folder and link that the guides name is there', () => {
  const guides = files.filter((path) => path.endsWith('README.md') || path === 'ARCHITECTURE.md');
  requireNone(guides.flatMap((path) => judgePlaces({ path, text: readText(path) }, files)));
});

test('every command that the guides and the programs name is one', () => {
  const { scripts } = JSON.parse(readText('package.json')) as { scripts: Record<string, string> };
  const texts = [...prose, ...files.filter(isCode)]
    .filter((path) => !path.startsWith('test/'))
    .map((path) => ({ path, text: readText(path) }));
  requireNone(texts.flatMap((text) => judgeCommands(text, new Set(Object.keys(scripts)))));
});

test('versions are exact, and the lock is bound to no package host', () => {
  requireNone([...judgePackageJson(readText('package.json')), ...judgeLock(readText('package-lock.json'))]);
});

test('every script of package.json runs', () => {
  requireNone(judgeScripts(readText('package.json'), readText('.npmrc')));
});

test('every test file runs', () => {
  requireNone(judgeTests(sources));
});

test('no file is larger than a clone should carry', () => {
  const large = files.filter((path) => sizeBytes(path) > fileBytesMax);
  requireNone(large.map((path) => ({ path, line: 1, rule: `${sizeBytes(path)} bytes`, right: `at most ${fileBytesMax}` })));
});

function requireNone(findings: readonly Finding[]): void {
  assert.equal(findings.length, 0, `\n${findings.map(describeFinding).join('\n')}\n`);
}
