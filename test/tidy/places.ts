/** Places that prose names: files and folders in backticks, targets of links, rooms in the tree of ARCHITECTURE.md, commands. Each is there. */
import { posix } from 'node:path';
import type { Finding } from './finding.ts';
import type { Text } from './wording.ts';

const ROOMS = ['board-configs', 'device', 'hpc-agent', 'protocol', 'scripts', 'test'];
const named = new RegExp(`\`((?:${ROOMS.join('|')})/[\\w./-]*)\``, 'g');
/** What looks like one in a regular expression has brackets in the place of the target. */
const linked = /\]\(([^)#:[{]+)(?:#[^)]*)?\)/g;
const branch = /^├─ |^└─ /;

/** @param files of the repository, relative to its root */
export function judgePlaces({ path, text }: Text, files: readonly string[]): Finding[] {
  const there = new Set(files.flatMap((file) => ancestors(file)));
  const isThere = (place: string): boolean => there.has(place.replace(/\/$/, ''));
  const lines = text.split('\n');
  return lines.flatMap((line, index) => {
    const links = [...line.replace(/`[^`]*`/g, '').matchAll(linked)].map(([, target = '']) => posix.join(posix.dirname(path), target));
    const places = [...[...line.matchAll(named)].map(([, place = '']) => place), ...links];
    return [...places, ...roomsOf(lines, index)]
      .filter((place) => (place.endsWith('*') ? !files.some((file) => file.startsWith(place.slice(0, -1))) : !isThere(place)))
      .map((place) => ({ path, line: index + 1, rule: `names ${place}`, right: 'there is nothing of this name: name what is there' }));
  });
}

/** @param scripts of package.json */
export function judgeCommands({ path, text }: Text, scripts: ReadonlySet<string>): Finding[] {
  return text
    .split('\n')
    .flatMap((line, index) =>
      [...line.matchAll(/\bnpm run ([\w-]+)/g)]
        .filter(([, name = '']) => !scripts.has(name))
        .map(([words]) => ({ path, line: index + 1, rule: `names ${words}`, right: `package.json has ${[...scripts].join(', ')}` })),
    );
}

/** "├─ run, runs   one run: …" below "hpc-agent/": `hpc-agent/run*`, `hpc-agent/runs*`. */
function roomsOf(lines: readonly string[], index: number): string[] {
  const line = lines[index] ?? '';
  if (!branch.test(line)) return [];
  const above = lines.slice(0, index).findLast((candidate) => /^[\w-]+\/ /.test(candidate)) ?? '';
  const folder = above.slice(0, above.indexOf('/'));
  const [names = ''] = line.replace(branch, '').split(/ {2,}/);
  return names.split(', ').map((name) => `${folder}/${name.replace(/ …$/, '')}${name.endsWith('/') ? '' : '*'}`);
}

function ancestors(file: string): string[] {
  const parts = file.split('/');
  return parts.map((_, index) => parts.slice(0, index + 1).join('/'));
}
