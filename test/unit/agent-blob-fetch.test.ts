/** The machine that fetches a blob (protocol/README.md §8). */
import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { servedRange, startFetch, stepFetch, type BlobFetch, type FetchEffect, type FetchEvent } from '#protocol/blob-fetch.ts';
import type { BlobNeed } from '#protocol/blob-transfer.ts';
import { blobDigest } from '#protocol/digest.ts';
import { LIMITS } from '#protocol/limits.ts';

const piece = LIMITS.chunkBytesMax;

function blobOf(bytes: number): Uint8Array {
  return Uint8Array.from({ length: bytes }, (_, index) => (index * 31 + (index >> 8)) & 0xff);
}

/** Drives a fetch and keeps what it wrote, as a file would. */
class Asker {
  fetch: BlobFetch;
  written: number[] = [];
  effects: FetchEffect[] = [];

  constructor(wanted: { digest: Uint8Array; bytes?: number; bytesMax?: number }, written: Uint8Array = new Uint8Array()) {
    this.fetch = startFetch({ bytesMax: LIMITS.blobBytesMax, ...wanted }, written.length);
    this.written = [...written.subarray(0, this.fetch.written)];
  }

  take(event: FetchEvent): readonly FetchEffect[] {
    const { fetch, effects } = stepFetch(this.fetch, event);
    this.fetch = fetch;
    this.effects.push(...effects);
    for (const effect of effects) {
      if (effect.effect === 'write') this.written.push(...effect.content);
      if (effect.effect === 'discard') this.written = [];
    }
    return effects;
  }

  open(): BlobNeed[] {
    return needsIn(this.effects.splice(0));
  }
}

function needsIn(effects: readonly FetchEffect[]): BlobNeed[] {
  return effects.flatMap((effect) => (effect.effect === 'ask' ? [effect.need] : []));
}

function answer(blob: Uint8Array, need: BlobNeed, atMs = 0): FetchEvent {
  const { offset, bytes } = servedRange(need, blob.length);
  return {
    event: 'chunkReceived',
    atMs,
    chunk: { chunk: 'content', digest: need.digest, offset, total: blob.length, content: blob.subarray(offset, offset + bytes) },
  };
}

/** Answers asks in the order that `pick` chooses until none is open. */
function serve(asker: Asker, blob: Uint8Array, pick: (needs: readonly BlobNeed[]) => number = () => 0): number {
  let openMax = 0;
  const open: BlobNeed[] = asker.open();
  while (open.length > 0) {
    openMax = Math.max(openMax, open.length);
    const [need] = open.splice(pick(open), 1);
    asker.take(answer(blob, need as BlobNeed));
    open.push(...asker.open());
  }
  return openMax;
}

describe('fetching a blob in pieces (§8)', () => {
  for (const bytes of [0, 1, piece - 1, piece, piece + 1, 20 * piece + 17]) {
    test(`a blob of ${bytes} bytes comes whole, of known or unknown size`, () => {
      const blob = blobOf(bytes);
      for (const known of [{ bytes }, {}]) {
        const asker = new Asker({ digest: blobDigest(blob), ...known });
        const first = asker.take({ event: 'connected', atMs: 0 });
        asker.effects = [...first];
        serve(asker, blob);
        assert.equal(asker.fetch.stage, 'checking');
        assert.deepEqual(Uint8Array.from(asker.written), blob);
        assert.deepEqual(asker.take({ event: 'checked', matches: true, atMs: 0 }), [{ effect: 'finish', bytes }]);
      }
    });
  }

  test('at most 8 pieces are asked for at once, and early ones are held until their turn', () => {
    const blob = blobOf(20 * piece + 17);
    const asker = new Asker({ digest: blobDigest(blob), bytes: blob.length });
    asker.take({ event: 'connected', atMs: 0 });
    assert.equal(
      serve(asker, blob, (needs) => needs.length - 1),
      LIMITS.chunksInFlightMax,
    );
    assert.deepEqual(Uint8Array.from(asker.written), blob);
  });

  test('a repeated piece is written once, and one that nobody asked for not at all', () => {
    const blob = blobOf(3 * piece);
    const asker = new Asker({ digest: blobDigest(blob), bytes: blob.length });
    const [first] = needsIn(asker.take({ event: 'connected', atMs: 0 })) as [BlobNeed];
    asker.take(answer(blob, first));
    assert.deepEqual(asker.take(answer(blob, first)), []);
    assert.deepEqual(
      asker.take({
        event: 'chunkReceived',
        atMs: 0,
        chunk: { chunk: 'content', digest: first.digest, offset: 7, total: blob.length, content: blob.subarray(7, 8) },
      }),
      [],
    );
    assert.deepEqual(Uint8Array.from(asker.written), blob.subarray(0, piece));
  });

  test('a fetch resumes at the last whole piece of what an earlier one left', () => {
    const blob = blobOf(5 * piece);
    const asker = new Asker({ digest: blobDigest(blob), bytes: blob.length }, blob.subarray(0, 2 * piece + 100));
    const needs = needsIn(asker.take({ event: 'connected', atMs: 0 }));
    assert.deepEqual(
      needs.map(({ offset }) => offset),
      [2 * piece, 3 * piece, 4 * piece],
    );
    serve(asker, blob);
    assert.deepEqual(Uint8Array.from(asker.written), blob);
  });

  test('a piece that does not come is asked for again with doubled waits, then the fetch fails and keeps what it has', () => {
    const blob = blobOf(2 * piece);
    const asker = new Asker({ digest: blobDigest(blob), bytes: blob.length });
    const [first] = needsIn(asker.take({ event: 'connected', atMs: 0 })) as [BlobNeed];
    asker.take(answer(blob, first));
    const asks: number[] = [];
    let last: readonly FetchEffect[] = [];
    for (let atMs = 0; atMs <= 400_000 && asker.fetch.stage === 'asking'; atMs += 1_000) {
      last = asker.take({ event: 'timePassed', atMs });
      if (needsIn(last).length > 0) asks.push(atMs);
    }
    assert.deepEqual(asks, [10_000, 30_000, 70_000, 150_000]);
    assert.deepEqual(last, [{ effect: 'fail', reason: 'unanswered', detail: 'a piece was asked for 5 times and did not come' }]);
    assert.equal(asker.fetch.written, piece);
  });

  test('nothing is asked for while the connection is lost; after it everything open is asked for again', () => {
    const blob = blobOf(3 * piece);
    const asker = new Asker({ digest: blobDigest(blob), bytes: blob.length });
    asker.take({ event: 'connected', atMs: 0 });
    asker.take({ event: 'disconnected' });
    assert.deepEqual(asker.take({ event: 'timePassed', atMs: 1_000_000 }), []);
    assert.equal(needsIn(asker.take({ event: 'connected', atMs: 2_000_000 })).length, 3);
  });

  test('a blob whose content has another digest is fetched once more, then refused', () => {
    const blob = blobOf(piece + 5);
    const asker = new Asker({ digest: blobDigest(blob), bytes: blob.length });
    asker.take({ event: 'connected', atMs: 0 });
    serve(asker, blob);
    assert.equal(asker.take({ event: 'checked', matches: false, atMs: 0 })[0]?.effect, 'discard');
    serve(asker, blob);
    assert.deepEqual(Uint8Array.from(asker.written), blob);
    assert.deepEqual(asker.take({ event: 'checked', matches: false, atMs: 0 }), [
      { effect: 'discard' },
      { effect: 'fail', reason: 'wrong', detail: 'its content has another digest, twice' },
    ]);
  });

  test('a blob that is missing, of another size or too large is refused', () => {
    const digest = blobDigest(blobOf(1));
    const failures = (
      [
        [{ bytes: 10 }, { chunk: 'missing', digest }],
        [{ bytes: 10 }, { chunk: 'content', digest, offset: 0, total: 11, content: new Uint8Array(11) }],
        [{ bytesMax: 10 }, { chunk: 'content', digest, offset: 0, total: 11, content: new Uint8Array(11) }],
      ] as const
    ).map(([known, chunk]) => {
      const asker = new Asker({ digest, ...known });
      asker.take({ event: 'connected', atMs: 0 });
      return asker
        .take({ event: 'chunkReceived', chunk, atMs: 0 })
        .map((effect) => (effect.effect === 'fail' ? effect.reason : effect.effect));
    });
    assert.deepEqual(failures, [
      ['discard', 'missing'],
      ['discard', 'wrong'],
      ['discard', 'too-large'],
    ]);
  });

  test('a piece shorter or longer than was asked for counts for nothing', () => {
    const blob = blobOf(2 * piece);
    const asker = new Asker({ digest: blobDigest(blob), bytes: blob.length });
    const [first] = needsIn(asker.take({ event: 'connected', atMs: 0 })) as [BlobNeed];
    for (const length of [0, piece - 1]) {
      const chunk = { chunk: 'content', digest: first.digest, offset: 0, total: blob.length, content: blob.subarray(0, length) } as const;
      assert.deepEqual(asker.take({ event: 'chunkReceived', chunk, atMs: 0 }), []);
    }
    assert.equal(asker.written.length, 0);
  });

  test('who serves a blob gives no byte beyond its end', () => {
    const need = (offset: number): BlobNeed => ({ digest: new Uint8Array(32), offset, bytes: piece });
    assert.deepEqual(servedRange(need(0), 10), { offset: 0, bytes: 10 });
    assert.deepEqual(servedRange(need(10), 10), { offset: 10, bytes: 0 });
    assert.deepEqual(servedRange(need(LIMITS.blobBytesMax), 10), { offset: 10, bytes: 0 });
  });
});
