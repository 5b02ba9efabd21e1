/** Leaves of the three trees of an anchor, and the anchor over their roots. Specification §20.1, §20.2. */
import { blobDigest, uint64 } from '#protocol/digest.ts';
import { anchorDigest } from '#protocol/layer1/anchor.ts';
import { creditLeafDigest, judgesDigest, LEAF_STANDINGS, LEAF_WORDS, memberLeafDigest, verdictLeafDigest } from '#protocol/layer1/leaf.ts';
import { pick, type Draw } from '../../scripts/fuzz/random.ts';
import { caseKind } from './case-kind.ts';

/** Of all leaves and of the header, as an anchor's digest needs them. */
interface LeafInput {
  readonly node: Uint8Array;
  readonly x: Uint8Array;
  readonly y: Uint8Array;
  readonly other: Uint8Array;
  readonly anchors: Uint8Array;
  readonly standing: number;
  readonly word: number;
  readonly eligible: number;
  readonly first: number;
  readonly second: number;
  readonly third: number;
  readonly [name: string]: Uint8Array | number;
}

const words = Array.from({ length: 4 }, (_, index) => blobDigest(uint64(index)));
const [node = new Uint8Array(), x = new Uint8Array(), y = new Uint8Array(), other = new Uint8Array()] = words;
const plain = { node, x, y, other, anchors: other.slice(12), standing: 0, word: 0, eligible: 0, first: 0, second: 0, third: 0 };
const largest = Number.MAX_SAFE_INTEGER;

export const leafCases = caseKind<LeafInput>({
  name: 'leaves',
  named: function* () {
    for (let standing = 0; standing < LEAF_STANDINGS.length; standing += 1) yield [`standing ${standing}`, { ...plain, standing }];
    for (let word = 0; word < LEAF_WORDS.length; word += 1) yield [`word ${word}`, { ...plain, word }];
    yield ['may be drawn', { ...plain, eligible: 1 }];
    yield ['each count another', { ...plain, first: 1, second: 2, third: 3 }];
    yield ['the largest counts', { ...plain, first: largest, second: largest, third: largest }];
    yield ['zeros', { ...plain, node: new Uint8Array(32), x: new Uint8Array(32), y: new Uint8Array(32), other: new Uint8Array(32) }];
  },
  judge: (given) => ({
    verdict: 'accepted',
    member: memberLeafDigest({
      ...{ node: given.node, x: given.x, y: given.y, vrf: given.other, drawsFromEpoch: given.first },
      standing: LEAF_STANDINGS[given.standing] ?? 'none',
    }),
    verdictLeaf: verdictLeafDigest({
      ...{ node: given.node, slot: given.first, attestedUntil: given.second, judgedAtMs: given.third, drawnFrom: given.second },
      ...{ word: LEAF_WORDS[given.word] ?? 'none', evidence: given.x, judges: given.y },
    }),
    credit: creditLeafDigest({ node: given.node, credit: given.first, eligible: given.eligible === 1 }),
    committee: judgesDigest([given.node, given.x, given.y].slice(0, given.standing + 1)),
    anchor: anchorDigest(
      { network: given.node, chainId: 31_337, anchors: given.anchors },
      {
        ...{ epoch: given.first, checkpoint: given.second, height: given.third, blockId: given.x, timeMs: given.third, seed: given.y },
        ...{ membersRoot: given.other, verdictsRoot: given.node, creditsRoot: given.x, members: given.second, seats: given.first },
        previous: given.y,
      },
    ),
  }),
  mutate: (draw) => {
    const name = pick(draw, ['node', 'x', 'y', 'other', 'anchors'] as const);
    const drawn = { standing: draw(LEAF_STANDINGS.length), word: draw(LEAF_WORDS.length), eligible: draw(2) };
    return { ...plain, ...drawn, first: count(draw), second: count(draw), third: count(draw), [name]: turned(plain[name], draw) };
  },
});

function count(draw: Draw): number {
  return draw(2 ** 21) * 2 ** 32 + draw(2 ** 32);
}

function turned(bytes: Uint8Array, draw: Draw): Uint8Array {
  return bytes.with(draw(bytes.length), draw(256));
}
