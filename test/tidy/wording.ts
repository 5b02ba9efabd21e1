/** Words: nothing half done, nothing of one machine, and every section that code cites exists. */
import type { Finding } from './finding.ts';

export type Text = { readonly path: string; readonly text: string };

const unfinished = new RegExp(
  String.raw`\b(${['TO' + 'DO', 'FIX' + 'ME', 'XX' + 'X', 'HA' + 'CK'].join('|')})\b|\b(?<!i2c-)(${['st' + 'ub', 'place' + 'holder'].join('|')})s?\b(?!-\w)`,
);
const machinePath = new RegExp(`(^|[\\s'"\`(=:])/(${['wo' + 'rk', 'ro' + 'ot', 'ho' + 'me/\\w+'].join('|')})/`);
const packageHost = new RegExp(
  ['registry\\.' + '(npmjs|yarnpkg)', 'deb\\.' + 'debian\\.org', 'archive\\.' + 'ubuntu', 'pypi\\.' + 'org'].join('|'),
);
const citation = /§\s?(\d+(?:\.\d+)*)/g;
const foreign =
  /\b(RFC|X\.\d+|NIST|W3C|PNG|Part|FIPS|SP|EIP|BIP|SEC|TCG|OCI|MQTT|PKCS|ISO|IEEE|Paper|design|notes|threats|Recommendation|specification of)\b[^;()§]*(§[^;()]*)?$/i;
const heading = /^#{1,6}\s+(?:§\s?)?(\d+(?:\.\d+)*)\.?\s/gm;

export function judgeWords(texts: readonly Text[]): Finding[] {
  return texts.flatMap(({ path, text }) => [
    ...perLine(path, text, unfinished, (word) => [`says ${word}`, 'finish it or leave it out']),
    ...perLine(path, text, machinePath, (word) => [
      `names a path of one machine (${word.trim()})`,
      'derive the path, or take it as a setting',
    ]),
    ...perLine(path, text, packageHost, (word) => [`names a package host (${word})`, 'leave the choice of the host to the machine']),
  ]);
}

/** Citations `§n` of the specification in code; those that follow the name of another document are that one's. */
export function judgeCitations(texts: readonly Text[], specification: string): Finding[] {
  const sections = new Set([...specification.matchAll(heading)].map(([, number]) => number));
  return texts.flatMap(({ path, text }) =>
    [...text.matchAll(citation)].flatMap((found) => {
      const before = text.slice(Math.max(0, found.index - 120), found.index).replace(/\n\s*(\*|\/\/)?/g, ' ');
      if (sections.has(found[1]) || foreign.test(before)) return [];
      const line = text.slice(0, found.index).split('\n').length;
      return [{ path, line, rule: `cites §${found[1] ?? ''}`, right: 'protocol/README.md has no such section: cite one that it has' }];
    }),
  );
}

function perLine(path: string, text: string, pattern: RegExp, say: (word: string) => readonly [string, string]): Finding[] {
  return text.split('\n').flatMap((line, index) => {
    const found = pattern.exec(line);
    if (found === null) return [];
    const [rule, right] = say(found[0]);
    return [{ path, line: index + 1, rule, right }];
  });
}
