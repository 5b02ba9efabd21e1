/** The test of the house rules: each planted violation is found, and clean code is not. */
import assert from 'node:assert/strict';
import test from 'node:test';

import { judgeArrows, judgeCycles, judgeReach } from './arrows.ts';
import type { Finding } from './finding.ts';
import { judgeLock, judgePackageJson, judgeScripts } from './packages.ts';
import { judgeCommands, judgePlaces } from './places.ts';
import { judgePrograms } from './programs.ts';
import { judgePurity } from './purity.ts';
import { judgeShape } from './shape.ts';
import { readSource } from './source.ts';
import type { Source } from './source.ts';
import { judgeTests } from './tests.ts';
import { judgeCitations, judgeWords } from './wording.ts';

const places = (findings: readonly Finding[]): string[] => findings.map(({ path, line, rule }) => `${path}:${line}: ${rule}`);
const one = (path: string, text: string): Source[] => [readSource(path, text)];

const arrowCases: readonly (readonly [string, string, ...string[]])[] = [
  ['protocol/a.ts', `import { b } from './b.ts';`],
  ['device/a.ts', `import { b } from '#protocol/b.ts';`],
  ['scripts/a.ts', `import { b } from '../device/b.ts';`],
  ['device/a.ts', `/** Thing. Pure. */ import fs from 'node:fs';`, 'a pure room imports node:fs'],
  ['protocol/a.ts', `import fs from 'node:fs';`, 'a pure room imports node:fs'],
  ['protocol/a.ts', `\nimport { b } from '../device/b.ts';`, 'protocol imports device (../device/b.ts)', 'a pure room imports device/b.ts'],
  ['device/a.ts', `import { b } from '../protocol/b.ts';`, 'relative import ../protocol/b.ts across folders'],
  ['protocol/a.ts', `import { b } from '#protocol/b.ts';`, '#protocol/b.ts inside its own folder'],
  ['device/a.ts', `/** Pure. */ import type { B } from './b.ts'; import { type C } from './c.ts';`],
  ['device/ledger/a.ts', `import { c } from '../consensus/b.ts';`, 'device/ledger imports device/consensus/b.ts'],
  ['device/consensus/a.ts', `import { c } from '../ledger/b.ts'; import { d } from '../limits.ts';`],
  ['hpc-agent/a.ts', `import type { B } from '../device/b.ts';`, 'hpc-agent imports device (../device/b.ts)'],
  ['device/a.ts', `const b = await import('../scripts/b.ts');`, 'device imports scripts (../scripts/b.ts)'],
  ['device/hpc/job.ts', `import { b } from './link.ts';`, 'a pure room imports device/hpc/link.ts'],
  ['device/a.ts', `import { encode } from 'cborg';`, 'imports the package cborg'],
  ['device/a.ts', `import pad from 'left-pad/x';`, 'imports the package left-pad, which has no owner'],
];

for (const [path, text, ...rules] of arrowCases) {
  test(`arrows: ${rules[0] ?? 'nothing is wrong'} in ${path}: ${text.trim()}`, () => {
    const line = text.startsWith('\n') ? 2 : 1;
    assert.deepEqual(
      places(judgeArrows(one(path, text))),
      rules.map((rule) => `${path}:${line}: ${rule}`),
    );
  });
}

test('a cycle over three files is found once', () => {
  const sources = [
    readSource('device/a.ts', `import './b.ts';`),
    readSource('device/b.ts', `import './c.ts';`),
    readSource('device/c.ts', `import './a.ts';`),
  ];
  assert.deepEqual(places(judgeCycles(sources)), ['device/a.ts:1: import cycle device/a.ts -> device/b.ts -> device/c.ts -> device/a.ts']);
  assert.deepEqual(judgeCycles(sources.slice(0, 2)), []);
});

test('what verifies and reaches what sends, by whatever way, is found', () => {
  const sources = [
    readSource('scripts/client/a.ts', `import '../b.ts';`),
    readSource('scripts/b.ts', `import '#contracts/evm.ts';`),
    readSource('contracts/evm.ts', ''),
  ];
  assert.equal(judgeReach(sources).length, 1);
  assert.deepEqual(judgeReach(sources.slice(1)), []);
});

const impure: readonly (readonly [string, string])[] = [
  ['const t = Date.now();', 'a pure room uses Date'],
  ['const t = new Date();', 'a pure room uses Date'],
  ['const h = when.getHours();', 'a pure room uses getHours'],
  ['const r = Math.random();', 'a pure room uses Math.random'],
  ['const l = Math.log(2);', 'a pure room uses Math.log'],
  ['const b = Buffer.alloc(1);', 'a pure room uses Buffer'],
  ['const e = process.env;', 'a pure room uses process'],
  ['setTimeout(() => 1, 1);', 'a pure room uses setTimeout'],
  ['const c = [1, 2].map(console.log);', 'a pure room uses console'],
  ['const r = crypto.getRandomValues(x);', 'a pure room uses crypto'],
  ['let p: Promise<number>;', 'a pure room uses Promise'],
  ['const f = async () => 1;', 'async in a pure room'],
  ['for await (const x of y) z(x);', 'await in a pure room'],
  [`const o = 'a'.localeCompare('b');`, 'a pure room uses localeCompare'],
];

for (const [text, rule] of impure) {
  test(`purity: ${rule}: ${text}`, () => {
    assert.deepEqual(places(judgePurity(one('protocol/a.ts', `\n${text}`))), [`protocol/a.ts:2: ${rule}`]);
    assert.deepEqual(judgePurity(one('device/a.ts', text)), []);
  });
}

test('purity: a property, a parameter and a comment of that name are no use of the global', () => {
  const text = `/** {@link Date} */\nexport const f = (crypto: Port, { process: p }: Job): Job => ({ Date: crypto.digest(p.performance), n: Math.min(1, 2), t: Date.UTC(2026), u: new Date(0) });`;
  assert.deepEqual(judgePurity(one('protocol/a.ts', text)), []);
});

test('programs: a name or a start outside the owner is found', () => {
  assert.deepEqual(places(judgePrograms(one('device/x.ts', `const a = '/usr/bin/bwrap';\nspawn('curl', []);`))), [
    'device/x.ts:1: names the program bwrap',
    'device/x.ts:2: starts the program curl, which has no owner',
  ]);
});

const head = '/** Noun. */\n';
const shapes: readonly (readonly [string, string, string])[] = [
  ['device/utils.ts', `${head}export const a = 1;`, '1: a file is named utils.ts'],
  ['device/a.ts', 'export const a = 1;', '1: the file does not begin with a doc comment'],
  ['device/a.ts', `${head}export { b } from './b.ts';`, '1: a file only passes on exports'],
  ['device/a.ts', `${head}const a = 1;\nexport * from './b.ts';`, '3: export star is used'],
  ['device/a.ts', `${head}export const a = (b: any) => b;`, '2: any is used'],
  ['device/a.ts', `${head}enum A { b }`, '2: enum is used'],
  ['device/a.ts', `${head}namespace A { export const b = 1; }`, '2: namespace is used'],
  ['device/a.ts', `${head}class A { constructor(private b: number) {} }`, '2: parameter property is used'],
  ['device/a.ts', `${head}${'const a = 1;\n'.repeat(400)}`, '401: 401 lines'],
];

for (const [path, text, found] of shapes) {
  test(`shape: ${found} in ${path}`, () => {
    assert.deepEqual(places(judgeShape(one(path, text))), [`${path}:${found}`]);
  });
}

test('shape: a named file with a doc comment passes', () => {
  assert.deepEqual(judgeShape(one('device/lease.ts', `#!/usr/bin/env node\n${head}export const anyone = 'any';`)), []);
});

test('words: the unfinished, a path of one machine and a package host are found', () => {
  const text = [
    '// TO' + 'DO later',
    `const a = '/wo` + `rk/main';`,
    '// a st' + 'ub',
    'https://registry.' + 'npmjs.org',
    'i2c-st' + 'ub is a kernel module',
  ].join('\n');
  assert.deepEqual(
    judgeWords([{ path: 'a.ts', text }])
      .map(({ line }) => line)
      .sort(),
    [1, 2, 3, 4],
  );
});

test('citations: a section that is missing is found, one of another document is not', () => {
  const text = '/** §4.2 and §9 */\n// RFC 8949 §4.2.1, §77\n// (design §88) Protocol §4.3';
  assert.deepEqual(places(judgeCitations([{ path: 'a.ts', text }], '## 4 Evidence\n### 4.2 Freshness\n')), [
    'a.ts:1: cites §9',
    'a.ts:3: cites §4.3',
  ]);
});

test('packages: a range and a fetched address are found', () => {
  assert.deepEqual(places(judgePackageJson('{\n"dependencies": {\n"a": "1.2.3",\n"b": "^1.0.0" } }')), ['package.json:4: b is ^1.0.0']);
  assert.deepEqual(places(judgeLock('{\n"resolved": "x" }')), ['package-lock.json:2: names where a package was fetched']);
});

test('packages: a pre-script that npm skips is found, and one that it runs is not', () => {
  const text = '{ "scripts": {\n"pretest": "a",\n"test": "b", "prepare": "c" } }';
  assert.deepEqual(places(judgeScripts(text, 'ignore-scripts=true\n')), [
    'package.json:2: the script pretest never runs, because .npmrc has ignore-scripts',
  ]);
  assert.deepEqual(judgeScripts(text, 'save-exact=true\n'), []);
});

test('tests: a test file without a test and a test in a file that nothing runs are found', () => {
  assert.deepEqual(places(judgeTests(one('test/unit/a.test.ts', `import test from 'node:test';`))), [
    'test/unit/a.test.ts:1: a test file registers no test',
  ]);
  assert.deepEqual(places(judgeTests(one('test/unit/a.ts', `import test from 'node:test';\ntest('x', f);`))), [
    'test/unit/a.ts:1: registers tests, but nothing runs it',
  ]);
});

test('a command that package.json does not have is found', () => {
  const text = 'try `npm run capsule -- list`\nor `npm run capsul`';
  assert.deepEqual(places(judgeCommands({ path: 'README.md', text }, new Set(['capsule']))), ['README.md:2: names npm run capsul']);
});

test('a file, a folder, a link or a room that a guide names and nobody finds is found', () => {
  const files = ['protocol/README.md', 'device/tpm/clock.ts', 'device/gossip.ts', 'scripts/start.ts'];
  const text = [
    'As in `device/tpm/clock.ts`, `device/tpm/` and `device/tpm/time.ts`; [here](device/gossip.ts), [there](guide.md), [the web](https://example.org)',
    'device/          the firmware',
    '├─ tpm/          the chip',
    '├─ gossip, talk  the way to others',
    '└─ start …       of another room',
    '`<device>/status` is a topic',
  ].join('\n');
  assert.deepEqual(places(judgePlaces({ path: 'ARCHITECTURE.md', text }, files)), [
    'ARCHITECTURE.md:1: names device/tpm/time.ts',
    'ARCHITECTURE.md:1: names guide.md',
    'ARCHITECTURE.md:4: names device/talk*',
    'ARCHITECTURE.md:5: names device/start*',
  ]);
  assert.deepEqual(places(judgePlaces({ path: 'protocol/README.md', text: '[up](../device/gossip.ts) [aside](gossip.ts)' }, files)), [
    'protocol/README.md:1: names protocol/gossip.ts',
  ]);
});
