/** Digests with a domain, of every kind of part. Specification §2.5. */
import { domainDigest, uint64, type Domain } from '#protocol/digest.ts';
import type { Draw } from '../../scripts/fuzz/random.ts';
import { caseKind } from './case-kind.ts';

interface DigestInput {
  readonly domain: Domain;
  readonly content: Uint8Array;
  readonly word: Uint8Array;
  readonly count: number;
  readonly [name: string]: Uint8Array | string | number;
}

const word = new Uint8Array(32).fill(0xa5);

export const digestCases = caseKind<DigestInput>({
  name: 'digests',
  named: function* () {
    for (const length of [0, 1, 31, 32, 33, 300]) {
      yield [`${length} bytes`, { domain: 'capsule', content: new Uint8Array(length).fill(length), word, count: length }];
    }
    yield ['another domain', { domain: 'poet-end', content: new Uint8Array(32), word, count: 2 ** 53 - 1 }];
  },
  judge: ({ domain, content, word: given, count }) => ({
    verdict: 'accepted',
    digest: domainDigest(domain, content, given, uint64(count)),
    ofNothing: domainDigest(domain),
  }),
  mutate: (draw) => ({ domain: 'block', content: drawn(draw, draw(200)), word: drawn(draw, 32), count: draw(2 ** 32) }),
});

function drawn(draw: Draw, length: number): Uint8Array {
  return Uint8Array.from({ length }, () => draw(256));
}
