/**
 * A map whose copies share what they have in common, so that every block can have a state of its own, and whose digest
 * after a change costs one path instead of all entries. Specification §11.4.
 *
 * A binary trie over the bytes of the keys without branches of one side: its form follows from the set of keys alone, and
 * entries come in the order of their keys.
 */

interface Leaf<V> {
  readonly key: string;
  readonly value: V;
}

/** `bit`: the first place at which the keys below differ; on the right it is set. */
interface Fork<V> {
  readonly bit: number;
  readonly left: Tree<V>;
  readonly right: Tree<V>;
}

export type Tree<V> = Leaf<V> | Fork<V>;

/** Keys are ASCII without zero bytes. */
export class StateMap<V> implements ReadonlyMap<string, V> {
  readonly tree: Tree<V> | undefined;
  readonly size: number;

  private constructor(tree: Tree<V> | undefined, size: number) {
    this.tree = tree;
    this.size = size;
  }

  static of<V>(entries: Iterable<readonly [string, V]> = []): StateMap<V> {
    let map = new StateMap<V>(undefined, 0);
    for (const [key, value] of entries) map = map.with(key, value);
    return map;
  }

  get(key: string): V | undefined {
    if (this.tree === undefined) return undefined;
    const leaf = nearest(this.tree, key);
    return leaf.key === key ? leaf.value : undefined;
  }

  has(key: string): boolean {
    return this.tree !== undefined && nearest(this.tree, key).key === key;
  }

  /** The map with this entry added or replaced. */
  with(key: string, value: V): StateMap<V> {
    if (this.tree === undefined) return new StateMap<V>({ key, value }, 1);
    const known = nearest(this.tree, key);
    if (known.key !== key) return new StateMap(grown(this.tree, firstDifference(known.key, key), { key, value }), this.size + 1);
    return known.value === value ? this : new StateMap(replaced(this.tree, { key, value }), this.size);
  }

  /** The map without this entry. */
  without(key: string): StateMap<V> {
    return this.tree !== undefined && this.has(key) ? new StateMap(pruned(this.tree, key), this.size - 1) : this;
  }

  forEach(callback: (value: V, key: string, map: ReadonlyMap<string, V>) => void): void {
    for (const [key, value] of this) callback(value, key, this);
  }

  *entries(): MapIterator<[string, V]> {
    for (const { key, value } of leaves(this.tree)) yield [key, value];
  }

  *keys(): MapIterator<string> {
    for (const { key } of leaves(this.tree)) yield key;
  }

  *values(): MapIterator<V> {
    for (const { value } of leaves(this.tree)) yield value;
  }

  [Symbol.iterator](): MapIterator<[string, V]> {
    return this.entries();
  }
}

/** The forks from the root down to where `key` is, or would be, each with the side on which it is not. */
export function pathTo<V>(map: StateMap<V>, key: string): { readonly bit: number; readonly sibling: Tree<V> }[] {
  const path: { bit: number; sibling: Tree<V> }[] = [];
  let tree = map.tree;
  while (tree !== undefined && 'bit' in tree) {
    const { bit, left, right }: Fork<V> = tree;
    path.push({ bit, sibling: isSet(key, bit) ? left : right });
    tree = isSet(key, bit) ? right : left;
  }
  return path;
}

/** The leaf at which the key is, if it is there. */
function nearest<V>(tree: Tree<V>, key: string): Leaf<V> {
  let at = tree;
  while ('bit' in at) at = isSet(key, at.bit) ? at.right : at.left;
  return at;
}

function grown<V>(tree: Tree<V>, bit: number, leaf: Leaf<V>): Tree<V> {
  if (!('bit' in tree) || tree.bit > bit) {
    return isSet(leaf.key, bit) ? { bit, left: tree, right: leaf } : { bit, left: leaf, right: tree };
  }
  return isSet(leaf.key, tree.bit)
    ? { bit: tree.bit, left: tree.left, right: grown(tree.right, bit, leaf) }
    : { bit: tree.bit, left: grown(tree.left, bit, leaf), right: tree.right };
}

function replaced<V>(tree: Tree<V>, leaf: Leaf<V>): Tree<V> {
  if (!('bit' in tree)) return leaf;
  return isSet(leaf.key, tree.bit)
    ? { bit: tree.bit, left: tree.left, right: replaced(tree.right, leaf) }
    : { bit: tree.bit, left: replaced(tree.left, leaf), right: tree.right };
}

function pruned<V>(tree: Tree<V>, key: string): Tree<V> | undefined {
  if (!('bit' in tree)) return undefined;
  const isRight = isSet(key, tree.bit);
  const rest = pruned(isRight ? tree.right : tree.left, key);
  const other = isRight ? tree.left : tree.right;
  if (rest === undefined) return other;
  return isRight ? { bit: tree.bit, left: other, right: rest } : { bit: tree.bit, left: rest, right: other };
}

/** In the order of keys. A stack, because a generator that calls itself costs a step for each level. */
function* leaves<V>(tree: Tree<V> | undefined): Generator<Leaf<V>, undefined> {
  const waiting = tree === undefined ? [] : [tree];
  for (let next = waiting.pop(); next !== undefined; next = waiting.pop()) {
    if ('bit' in next) waiting.push(next.right, next.left);
    else yield next;
  }
  return undefined;
}

/** Whether a key goes to the right at a fork. Beyond its end a key is zeros. */
export function isSet(key: string, bit: number): boolean {
  const at = bit >> 3;
  return at < key.length && ((key.charCodeAt(at) >> (7 - (bit & 7))) & 1) === 1;
}

function firstDifference(left: string, right: string): number {
  let at = 0;
  while (left.charCodeAt(at) === right.charCodeAt(at)) at += 1;
  const differing = (at < left.length ? left.charCodeAt(at) : 0) ^ (at < right.length ? right.charCodeAt(at) : 0);
  return at * 8 + Math.clz32(differing) - 24;
}
