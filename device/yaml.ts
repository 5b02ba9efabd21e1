/** YAML 1.2 (and JSON, which is a part of it) with the lines in which things stand. Owner of the `yaml` package. */
import { isMap, isPair, isScalar, LineCounter, parseDocument, visit, type Document } from 'yaml';

export type KeyPath = readonly (string | number)[];

export type ParsedYaml =
  | { readonly status: 'parsed'; readonly value: unknown; lineOf(path: KeyPath): number }
  | { readonly status: 'malformed'; readonly line: number; readonly detail: string };

/** @param textAt places where a number or a truth value means the text that was written, such as program arguments */
export function parseYaml(source: string, textAt: (path: KeyPath) => boolean): ParsedYaml {
  const lines = new LineCounter();
  const document = parseDocument(source, { lineCounter: lines, prettyErrors: false, stringKeys: true, version: '1.2' });
  const [error] = document.errors;
  if (error) return { status: 'malformed', line: lines.linePos(error.pos[0]).line, detail: error.message };
  keepText(document, textAt);
  try {
    return { status: 'parsed', value: document.toJS({ maxAliasCount: 32 }), lineOf: (path) => lineOf(document, lines, path) };
  } catch (problem) {
    return { status: 'malformed', line: 1, detail: problem instanceof Error ? problem.message : 'unreadable' };
  }
}

function keepText(document: Document, textAt: (path: KeyPath) => boolean): void {
  visit(document, {
    Scalar: (key, node, ancestors) => {
      if (key === 'key' || typeof node.value === 'string' || node.value === null || node.source === undefined) return;
      if (textAt(pathTo(key, ancestors))) node.value = node.source;
    },
  });
}

function pathTo(key: unknown, ancestors: readonly unknown[]): KeyPath {
  const names = ancestors.filter(isPair).map((pair) => (isScalar(pair.key) ? String(pair.key.value) : ''));
  return typeof key === 'number' ? [...names, key] : names;
}

/** The line of the innermost part of the path that is there. */
function lineOf(document: Document, lines: LineCounter, path: KeyPath): number {
  for (let length = path.length; length > 0; length -= 1) {
    const offset = offsetOf(document, path.slice(0, length));
    if (offset !== undefined) return lines.linePos(offset).line;
  }
  return 1;
}

/** Where the key stands; for an item of a list, where the item begins. */
function offsetOf(document: Document, path: KeyPath): number | undefined {
  const parent = path.length === 1 ? document.contents : document.getIn(path.slice(0, -1), true);
  const name = path.at(-1);
  const pair = isMap(parent) ? parent.items.find((item) => isScalar(item.key) && item.key.value === name) : undefined;
  const node: unknown = pair ? pair.key : document.getIn(path, true);
  return typeof node === 'object' && node !== null && 'range' in node && Array.isArray(node.range) ? Number(node.range[0]) : undefined;
}
