/** Tests are found and run: a file that registers tests is named *.test.ts, and a *.test.ts registers some. */
import type { Finding } from './finding.ts';
import type { Source } from './source.ts';

const registers = /^(test|it|describe|suite):/;

export function judgeTests(sources: readonly Source[]): Finding[] {
  return sources.filter(({ path }) => path.startsWith('test/')).flatMap(judgeTest);
}

function judgeTest({ path, imports, calls }: Source): Finding[] {
  const usesRunner = imports.some(({ to }) => to === 'node:test');
  const registersTests = usesRunner && calls.some(({ name }) => registers.test(name));
  const finding = (rule: string, right: string): Finding[] => [{ path, line: 1, rule, right }];
  if (path.endsWith('.test.ts') && !registersTests) return finding('a test file registers no test', 'import node:test and call test(…)');
  if (!path.endsWith('.test.ts') && registersTests) return finding('registers tests, but nothing runs it', 'name it *.test.ts');
  return [];
}
