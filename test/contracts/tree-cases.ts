/** Inclusion in Merkle trees. RFC 9162 §2.1; Specification §11.3. */
import { concatBytes } from '@noble/hashes/utils.js';
import { inclusionPath, judgeInclusion, merkleRoot } from '#protocol/chain/merkle.ts';
import { blobDigest, domainDigest, uint64 } from '#protocol/digest.ts';
import { pick, type Draw } from '../../scripts/fuzz/random.ts';
import { caseKind } from './case-kind.ts';

interface TreeInput {
  readonly id: Uint8Array;
  readonly index: number;
  readonly size: number;
  /** Siblings from the leaf upwards, one after the other. */
  readonly path: Uint8Array;
  readonly root: Uint8Array;
  /** A list, one after the other; its root is `listRoot`. */
  readonly ids: Uint8Array;
  readonly [name: string]: Uint8Array | number;
}

const digestBytes = 32;

export const treeCases = caseKind<TreeInput>({
  name: 'trees',
  named: function* () {
    for (const size of [1, 2, 3, 4, 5, 6, 7, 8, 9, 16, 17]) {
      for (let index = 0; index < size; index++) yield [`entry ${index} of ${size}`, inputOf(size, index)];
    }
    yield* near();
  },
  judge: ({ id, index, size, path, root, ids }) => {
    const verdict = judgeInclusion(id, index, size, digests(path), root);
    return { verdict: verdict.status === 'accepted' ? 'accepted' : verdict.reason, listRoot: merkleRoot(digests(ids)) };
  },
  mutate: (draw) => {
    const size = 1 + draw(40);
    return mutatedTree(inputOf(size, draw(size)), draw);
  },
});

function* near(): Iterable<readonly [string, TreeInput]> {
  const good = inputOf(7, 4);
  const siblings = digests(good.path);
  const last = inputOf(7, 6);
  yield ['an index that is the size', { ...good, index: 7 }];
  yield ['an entry of none', { ...good, index: 0, size: 0 }];
  yield ['the list of none', { ...inputOf(1, 0), ids: new Uint8Array() }];
  yield ["the neighbour's index", { ...good, index: 5 }];
  yield ['another size', { ...good, size: 8 }];
  yield ['a size that needs a longer path', { ...good, size: 9 }];
  yield ['no path', { ...good, path: new Uint8Array() }];
  yield ['a path short of one', { ...good, path: concatBytes(...siblings.slice(0, -1)) }];
  yield ['a path with one more', { ...good, path: concatBytes(...siblings, good.id) }];
  yield ['a path upside down', { ...good, path: concatBytes(...siblings.reverse()) }];
  yield ['another id', { ...good, id: blobDigest(good.id) }];
  yield ['another root', { ...good, root: blobDigest(good.root) }];
  yield ['a branch shown as an entry', { ...inputOf(8, 0), id: domainDigest('merkle-node', good.id, good.id), size: 4 }];
  yield ['the last of an odd list, as if of an even one', { ...last, size: 8 }];
  yield ['an index beyond 2^32', { ...good, index: 2 ** 32 + 4, size: 2 ** 32 + 7 }];
}

function inputOf(size: number, index: number): TreeInput {
  const ids = Array.from({ length: size }, (_, entry) => blobDigest(uint64(entry * 1_000 + size)));
  const id = ids[index] ?? new Uint8Array(digestBytes);
  return { id, index, size, path: concatBytes(...inclusionPath(ids, index)), root: merkleRoot(ids), ids: concatBytes(...ids) };
}

function mutatedTree(good: TreeInput, draw: Draw): TreeInput {
  const turned = (bytes: Uint8Array) => (bytes.length === 0 ? bytes : bytes.with(draw(bytes.length), draw(256)));
  switch (draw(7)) {
    case 0:
      return good;
    case 1:
      return { ...good, index: draw(good.size + 2) };
    case 2:
      return { ...good, size: draw(good.size + 4) };
    case 3: {
      const siblings = digests(good.path);
      return { ...good, path: concatBytes(...siblings.slice(0, draw(siblings.length + 1)), ...siblings.slice(draw(siblings.length + 1))) };
    }
    case 4:
      return { ...good, path: turned(good.path) };
    default: {
      const name = pick(draw, ['id', 'root'] as const);
      return { ...good, [name]: turned(good[name]) };
    }
  }
}

function digests(joined: Uint8Array): Uint8Array[] {
  return Array.from({ length: joined.length / digestBytes }, (_, index) => joined.slice(index * digestBytes, (index + 1) * digestBytes));
}
