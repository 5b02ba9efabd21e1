/** The shape of a source file: one noun, headed by what it is, of a size to be read. examples: "How we write". */
import { posix } from 'node:path';

import type { Finding } from './finding.ts';
import { codeLinesMax, longFiles } from './rules.ts';
import type { Source } from './source.ts';

const noNoun = /^(utils?|helpers?|types?|common|misc|shared|index|stuff)(\.test)?\.(ts|mjs|js)$/;
const right: Readonly<Record<string, string>> = {
  any: 'name the type, or take unknown and check it',
  enum: 'write a union of words',
  namespace: 'write a module',
  'parameter property': 'declare the field and assign it',
  'export star': 'import from the file that declares it',
};

export function judgeShape(sources: readonly Source[]): Finding[] {
  return sources.flatMap((source) => [...judgeName(source), ...judgeHead(source), ...judgeLength(source), ...judgeConstructs(source)]);
}

function judgeName({ path, barrel }: Source): Finding[] {
  const name = posix.basename(path);
  const found = (rule: string, advice: string): Finding => ({ path, line: 1, rule, right: advice });
  return [
    ...(noNoun.test(name) ? [found(`a file is named ${name}`, 'name the one noun that it is about')] : []),
    ...(barrel ? [found('a file only passes on exports', 'import from the file that declares them')] : []),
  ];
}

function judgeHead({ path, text }: Source): Finding[] {
  const body = text.startsWith('#!') ? text.slice(text.indexOf('\n') + 1) : text;
  if (body.startsWith('/**') || body.startsWith('// @ts-check\n/**')) return [];
  return [
    { path, line: 1, rule: 'the file does not begin with a doc comment', right: 'say in /** … */ what it is and where it is specified' },
  ];
}

function judgeLength({ path, text }: Source): Finding[] {
  const lines = text.split('\n').length - 1;
  if (lines <= codeLinesMax || path in longFiles) return [];
  return [
    {
      path,
      line: lines,
      rule: `${lines} lines`,
      right: `at most ${codeLinesMax}: divide it by noun, or name it with a reason in test/tidy/rules.ts`,
    },
  ];
}

function judgeConstructs({ path, constructs }: Source): Finding[] {
  return constructs.flatMap(({ name, line }) => {
    const advice = right[name];
    return advice === undefined ? [] : [{ path, line, rule: `${name} is used`, right: advice }];
  });
}
