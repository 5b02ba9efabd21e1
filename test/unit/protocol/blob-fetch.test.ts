/** The machine that fetches a blob, whatever the other side says and in whatever order things happen. Specification §8. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { servedRange, startFetch, stepFetch, type BlobFetch, type FetchEvent } from '#protocol/blob-fetch.ts';
import { LIMITS } from '#protocol/limits.ts';

const piece = LIMITS.chunkBytesMax;
const digest = new Uint8Array(32).fill(1);
const other = new Uint8Array(32).fill(2);
const content = new Uint8Array(piece);
const bytesMax = 12 * piece;

const size = fc.oneof(
  fc.constantFrom(0, 1, piece - 1, piece, piece + 1, 8 * piece, 9 * piece + 5, bytesMax, bytesMax + 1, LIMITS.blobBytesMax),
  fc.nat({ max: bytesMax }),
);
const offset = fc.oneof(
  fc.nat({ max: 12 }).map((pieces) => pieces * piece),
  fc.nat({ max: bytesMax }),
);

/** Proper or not: `of` says how long the piece is against what it should be. */
const anyEvent = fc.oneof(
  {
    weight: 6,
    arbitrary: fc.record({
      event: fc.constant('chunk' as const),
      offset,
      total: size,
      mine: fc.boolean(),
      of: fc.constantFrom('right', 'right', 'right', 'short', 'empty'),
    }),
  },
  {
    weight: 2,
    arbitrary: fc.record({ event: fc.constant('timePassed' as const), laterMs: fc.constantFrom(0, 5_000, LIMITS.chunkWaitMs, 200_000) }),
  },
  {
    weight: 1,
    arbitrary: fc.constantFrom({ event: 'connected' as const }, { event: 'disconnected' as const }, { event: 'missing' as const }),
  },
  { weight: 1, arbitrary: fc.record({ event: fc.constant('checked' as const), matches: fc.boolean() }) },
);

function eventOf(drawn: Parameters<Parameters<typeof anyEvent.map>[0]>[0], atMs: number): FetchEvent {
  switch (drawn.event) {
    case 'chunk': {
      const right = Math.max(0, Math.min(piece, drawn.total - drawn.offset));
      const length = drawn.of === 'right' ? right : drawn.of === 'short' ? Math.max(0, right - 1) : 0;
      return {
        event: 'chunkReceived',
        atMs,
        chunk: {
          chunk: 'content',
          digest: drawn.mine ? digest : other,
          offset: drawn.offset,
          total: drawn.total,
          content: content.subarray(0, length),
        },
      };
    }
    case 'missing':
      return { event: 'chunkReceived', atMs, chunk: { chunk: 'missing', digest: other } };
    case 'timePassed':
      return { event: 'timePassed', atMs };
    case 'connected':
      return { event: 'connected', atMs };
    case 'disconnected':
      return { event: 'disconnected' };
    case 'checked':
      return { event: 'checked', matches: drawn.matches, atMs };
  }
}

function requireBounds(fetch: BlobFetch): void {
  assert.ok(fetch.asked.size + fetch.held.size <= LIMITS.chunksInFlightMax, `${fetch.asked.size} asks and ${fetch.held.size} pieces held`);
  assert.ok(fetch.written <= bytesMax && (fetch.total === undefined || fetch.written <= fetch.total));
  for (const at of [...fetch.asked.keys(), ...fetch.held.keys()])
    assert.ok(at >= fetch.written && (fetch.total === undefined || at < Math.max(1, fetch.total)));
  if (fetch.stage === 'done' || fetch.stage === 'failed') assert.equal(fetch.asked.size + fetch.held.size, 0);
}

test('whatever comes, at most a window is asked for and held, and what is written is whole and in order (§8)', () => {
  fc.assert(
    fc.property(
      fc.option(fc.nat({ max: bytesMax }), { nil: undefined }),
      fc.nat({ max: bytesMax }),
      fc.array(anyEvent, { maxLength: 60 }),
      (bytes, before, events) => {
        let fetch = startFetch({ digest, bytesMax, ...(bytes === undefined ? {} : { bytes }) }, before);
        let [written, atMs] = [fetch.written, 0];
        for (const drawn of [{ event: 'connected' as const }, ...events]) {
          if (drawn.event === 'timePassed') atMs += drawn.laterMs;
          const ended = fetch.stage === 'done' || fetch.stage === 'failed';
          const step = stepFetch(fetch, eventOf(drawn, atMs));
          if (ended) assert.deepEqual(step, { fetch, effects: [] });
          for (const effect of step.effects) {
            if (effect.effect === 'write') written += effect.content.length;
            if (effect.effect === 'discard') written = 0;
            if (effect.effect === 'ask')
              assert.ok(
                effect.need.bytes >= 1 &&
                  effect.need.bytes <= piece &&
                  effect.need.offset + effect.need.bytes <= Math.max(piece, step.fetch.total ?? 0),
              );
            if (effect.effect === 'finish') assert.equal(effect.bytes, step.fetch.total);
          }
          fetch = step.fetch;
          assert.equal(fetch.written, written);
          requireBounds(fetch);
        }
      },
    ),
    { numRuns: 400 },
  );
});

test('who serves a blob gives no byte beyond its end and none beyond a piece (§8)', () => {
  const any = fc.nat({ max: LIMITS.blobBytesMax });
  fc.assert(
    fc.property(any, fc.integer({ min: 1, max: piece }), any, (from, bytes, total) => {
      const range = servedRange({ digest, offset: from, bytes }, total);
      assert.ok(range.offset <= total && range.bytes >= 0 && range.bytes <= Math.min(bytes, piece) && range.offset + range.bytes <= total);
    }),
  );
});
