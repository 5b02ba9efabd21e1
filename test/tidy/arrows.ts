/** Arrows between folders: who imports whom, by which kind of path, without cycles. ARCHITECTURE.md, "Arrows". */
import { posix } from 'node:path';

import type { Finding } from './finding.ts';
import { isPure } from './purity.ts';
import { arrows, matches, namedFolders, packageOwners, pureRooms, roomArrows, sending, verifying } from './rules.ts';
import type { Import, Source } from './source.ts';

/** Where an import leads: a file of the repository, a module of Node, or a package. */
type Target = { readonly kind: 'file'; readonly path: string } | { readonly kind: 'node' | 'package'; readonly name: string };

export function judgeArrows(sources: readonly Source[]): Finding[] {
  const pure = new Set(sources.filter(isPure).map(({ path }) => path));
  return sources.flatMap((source) => source.imports.flatMap((one) => judgeImport(source.path, one, pure)));
}

export function judgeCycles(sources: readonly Source[]): Finding[] {
  const graph = new Map(sources.map((source) => [source.path, source.imports.flatMap((one) => fileImport(source.path, one))]));
  const done = new Set<string>();
  return sources.flatMap(({ path }) => {
    const cycle = findCycle(path, graph, done, []);
    if (cycle === undefined) return [];
    return [{ path, line: 1, rule: `import cycle ${cycle.join(' -> ')}`, right: 'move what both need into a file of its own' }];
  });
}

/** Whoever only verifies carries nothing of what signs and sends. */
export function judgeReach(sources: readonly Source[]): Finding[] {
  const graph = new Map(sources.map((source) => [source.path, source.imports.flatMap((one) => fileImport(source.path, one))]));
  const reached = new Set(sources.filter(({ path }) => matches(path, verifying)).map(({ path }) => path));
  for (const path of reached) for (const next of graph.get(path) ?? []) reached.add(next);
  return sending
    .filter((path) => reached.has(path))
    .map((path) => ({ path, line: 1, rule: `${verifying.join(', ')} reach it`, right: 'what verifies does without it' }));
}

function judgeImport(path: string, { to, line, erased }: Import, pure: ReadonlySet<string>): Finding[] {
  const target = resolveImport(path, to);
  const finding = (rule: string, right: string): Finding[] => [{ path, line, rule, right }];
  if (target.kind === 'file')
    return [...judgeFileImport(path, to, target.path, finding), ...(erased ? [] : judgePureImport(path, target.path, pure, finding))];
  if (target.kind === 'node') return judgeNodeImport(path, target.name, pure, finding);
  const owners = packageOwners[target.name];
  if (topFolder(path) === 'test' || !path.includes('/')) return [];
  if (owners === undefined)
    return finding(`imports the package ${target.name}, which has no owner`, 'name its one owner file in test/tidy/rules.ts');
  return matches(path, owners) ? [] : finding(`imports the package ${target.name}`, `it is reached through ${owners.join(' or ')}`);
}

type Complain = (rule: string, right: string) => Finding[];

function judgeFileImport(path: string, to: string, target: string, finding: Complain): Finding[] {
  const [from, into] = [topFolder(path), topFolder(target)];
  const allowed = arrows[from];
  if (allowed === undefined || into === '') return [];
  if (from !== into && !allowed.includes(into))
    return finding(`${from} imports ${into} (${to})`, `${from} may import ${['itself', ...allowed].join(', ')}`);
  if (from !== into && namedFolders.includes(into) && !to.startsWith('#'))
    return finding(`relative import ${to} across folders`, `write #${target}`);
  if (from === into && to.startsWith('#')) return finding(`${to} inside its own folder`, 'write a relative path');
  const room = judgeRoomImport(path, target, finding);
  if (room.length > 0) return room;
  return posix.extname(target) === '' ? finding(`import ${to} without an extension`, `write ${to}.ts`) : [];
}

function judgeRoomImport(path: string, target: string, finding: Complain): Finding[] {
  const [from, into] = [posix.dirname(path), posix.dirname(target)];
  const allowed = roomArrows[from];
  if (allowed === undefined || from === into || topFolder(from) !== topFolder(into) || posix.basename(target) === 'limits.ts') return [];
  if (allowed.includes(into)) return [];
  return finding(`${from} imports ${target}`, `${from} may import ${['itself', 'limits.ts', ...allowed].join(', ')}`);
}

function judgePureImport(path: string, target: string, pure: ReadonlySet<string>, finding: Complain): Finding[] {
  if (!pure.has(path) || pure.has(target) || matches(target, pureRooms)) return [];
  return finding(`a pure room imports ${target}`, 'a pure room imports pure rooms only');
}

function judgeNodeImport(path: string, name: string, pure: ReadonlySet<string>, finding: Complain): Finding[] {
  if (pure.has(path)) return finding(`a pure room imports ${name}`, 'take what it gives as a parameter, or do it in the host');
  const owners = packageOwners[name];
  if (owners === undefined || topFolder(path) === 'test' || matches(path, owners)) return [];
  return finding(`imports ${name}`, `it is reached through ${owners.join(' or ')}`);
}

export function resolveImport(path: string, to: string): Target {
  if (to.startsWith('.')) return { kind: 'file', path: posix.normalize(posix.join(posix.dirname(path), to)) };
  if (to.startsWith('#')) return { kind: 'file', path: to.slice(1) };
  if (to.startsWith('node:')) return { kind: 'node', name: to };
  return {
    kind: 'package',
    name: to
      .split('/')
      .slice(0, to.startsWith('@') ? 2 : 1)
      .join('/'),
  };
}

function topFolder(path: string): string {
  return path.includes('/') ? path.slice(0, path.indexOf('/')) : '';
}

function fileImport(path: string, { to }: Import): string[] {
  const target = resolveImport(path, to);
  return target.kind === 'file' ? [target.path] : [];
}

/** The first cycle that a walk from `path` meets; `done` holds the files from which none starts. */
function findCycle(
  path: string,
  graph: ReadonlyMap<string, readonly string[]>,
  done: Set<string>,
  walked: readonly string[],
): string[] | undefined {
  if (walked.includes(path)) return [...walked.slice(walked.indexOf(path)), path];
  if (done.has(path)) return undefined;
  for (const next of graph.get(path) ?? []) {
    const cycle = findCycle(next, graph, done, [...walked, path]);
    if (cycle !== undefined) {
      for (const file of cycle) done.add(file);
      return cycle;
    }
  }
  done.add(path);
  return undefined;
}
