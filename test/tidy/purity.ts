/** Purity: what the pure rooms must not touch, so that every machine and a browser compute the same. */
import type { Finding } from './finding.ts';
import { agreedMath, impureGlobals, localMethods, matches, nodeOnlyGlobals, portFiles, pureRooms } from './rules.ts';
import type { Source } from './source.ts';

export function judgePurity(sources: readonly Source[]): Finding[] {
  return sources.filter(isPure).flatMap((source) => [...judgeGlobals(source), ...judgeMath(source), ...judgeAsync(source)]);
}

/** A source of a pure room, or one whose first comment says that it is pure. */
export function isPure({ path, text }: Pick<Source, 'path' | 'text'>): boolean {
  const head = text.startsWith('/**') ? text.slice(0, text.indexOf('*/')) : '';
  return matches(path, pureRooms) || (saysPure.test(head) && !path.startsWith('test/'));
}

const saysPure = /\bPure\.|\bpure machine\b/;

function judgeGlobals({ path, globals }: Source): Finding[] {
  return globals
    .filter(({ name }) => impureGlobals.has(name) || (nodeOnlyGlobals.has(name) && matches(path, pureRooms)))
    .filter(({ name }) => name !== 'Promise' || !matches(path, portFiles))
    .map(({ name, line }) => ({
      path,
      line,
      rule: `a pure room uses ${name}`,
      right: 'take the time, the draw or the bytes as a parameter',
    }));
}

function judgeMath({ path, properties }: Source): Finding[] {
  const finding = (line: number, rule: string, right: string): Finding => ({ path, line, rule, right });
  return properties.flatMap(({ name, line }) => {
    const [object, property = ''] = name.split('.');
    if (object === 'Math' && !agreedMath.has(property))
      return [finding(line, `a pure room uses ${name}`, 'engines may differ in it: use integers or bigint')];
    return localMethods.has(property)
      ? [finding(line, `a pure room uses ${property}`, 'its answer depends on the machine: compare code units')]
      : [];
  });
}

function judgeAsync({ path, constructs }: Source): Finding[] {
  return constructs
    .filter(({ name }) => name === 'async' || name === 'await')
    .map(({ name, line }) => ({ path, line, rule: `${name} in a pure room`, right: 'decide here and return effects; the host awaits' }));
}
