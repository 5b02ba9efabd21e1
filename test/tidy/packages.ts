/** What package.json and package-lock.json must be: exact versions, nothing bound to one package host. */
import type { Finding } from './finding.ts';

const exact = /^\d+\.\d+\.\d+(-[\w.]+)?$/;
const groups = ['dependencies', 'devDependencies', 'optionalDependencies', 'peerDependencies'] as const;

export function judgePackageJson(text: string): Finding[] {
  const found = JSON.parse(text) as Partial<Record<(typeof groups)[number], Record<string, string>>>;
  return groups.flatMap((group) =>
    Object.entries(found[group] ?? {})
      .filter(([, version]) => !exact.test(version))
      .map(([name, version]) => finding('package.json', lineOf(text, `"${name}"`), `${name} is ${version}`, 'write the exact version')),
  );
}

/** npm runs no pre… and post… script of a project whose .npmrc says ignore-scripts, and says nothing about it. */
export function judgeScripts(text: string, npmrc: string): Finding[] {
  if (!/^ignore-scripts *= *true$/m.test(npmrc)) return [];
  const { scripts = {} } = JSON.parse(text) as { scripts?: Record<string, string> };
  return Object.keys(scripts)
    .filter((name) => /^(pre|post)/.test(name) && name.replace(/^(pre|post)/, '') in scripts)
    .map((name) =>
      finding(
        'package.json',
        lineOf(text, `"${name}"`),
        `the script ${name} never runs, because .npmrc has ignore-scripts`,
        'put it in front of the script itself, with &&',
      ),
    );
}

export function judgeLock(text: string): Finding[] {
  const bound = text.split('\n').findIndex((line) => line.includes('"resolved"'));
  return bound < 0
    ? []
    : [finding('package-lock.json', bound + 1, 'names where a package was fetched', 'keep omit-lockfile-registry-resolved=true in .npmrc')];
}

function finding(path: string, line: number, rule: string, right: string): Finding {
  return { path, line, rule, right };
}

function lineOf(text: string, part: string): number {
  return text.slice(0, Math.max(0, text.indexOf(part))).split('\n').length;
}
