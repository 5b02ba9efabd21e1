/** Outside programs: each is started by one owner file, so that its options and failures are known in one place. */
import { posix } from 'node:path';

import type { Finding } from './finding.ts';
import { matches, programOwners } from './rules.ts';
import type { Source } from './source.ts';

const starts = /^(spawn|spawnSync|execFile|execFileSync|exec|execSync):(.+)$/;
const free = ['scripts/setup*', 'scripts/require-ready.mjs', 'scripts/build-addon.mjs', 'test/*'];

export function judgePrograms(sources: readonly Source[]): Finding[] {
  return sources.filter(({ path }) => !matches(path, free)).flatMap((source) => [...judgeNames(source), ...judgeStarts(source)]);
}

function judgeNames({ path, strings }: Source): Finding[] {
  return strings.flatMap(({ name, line }) => {
    const program = posix.basename(name);
    const owners = Object.hasOwn(programOwners, program) && (name === program || name.startsWith('/')) ? programOwners[program] : undefined;
    if (owners === undefined || matches(path, owners)) return [];
    return [
      {
        path,
        line,
        rule: `names the program ${program}`,
        right: owners.length === 0 ? 'name its one owner in test/tidy/rules.ts' : `it is started by ${owners.join(' or ')}`,
      },
    ];
  });
}

function judgeStarts({ path, calls }: Source): Finding[] {
  return calls.flatMap(({ name, line }) => {
    const program = starts.exec(name)?.[2];
    if (program === undefined || Object.hasOwn(programOwners, posix.basename(program))) return [];
    return [{ path, line, rule: `starts the program ${program}, which has no owner`, right: 'name its one owner in test/tidy/rules.ts' }];
  });
}
