/**
 * How one blob is fetched in pieces, as a pure machine, and how a piece is served. Specification §8.
 *
 * The asker keeps a window of asks open, hands content on in order (so a file's length says where to resume) and holds
 * at most a window of early pieces. A whole blob that has the wrong digest is fetched once more from the start.
 */
import type { BlobChunk, BlobNeed } from './blob-transfer.ts';
import { sameBytes } from './codec.ts';
import { LIMITS } from './limits.ts';

/** What is wanted. `bytes`: its size where the asker knows it; `bytesMax` bounds what it takes otherwise. */
export interface WantedBlob {
  readonly digest: Uint8Array;
  readonly bytes?: number;
  readonly bytesMax: number;
}

export type FetchFailure = 'missing' | 'wrong' | 'too-large' | 'unanswered';

/** `waiting`: nothing is asked for while nobody can hear it. */
export type FetchStage = 'waiting' | 'asking' | 'checking' | 'done' | 'failed';

export interface BlobFetch {
  readonly wanted: WantedBlob;
  readonly stage: FetchStage;
  /** Size of the whole blob, once it is known. */
  readonly total: number | undefined;
  /** Everything before this byte has been handed on. */
  readonly written: number;
  /** By offset: when it was asked for, and how often without an answer. */
  readonly asked: ReadonlyMap<number, Ask>;
  /** By offset: pieces that came before their turn. */
  readonly held: ReadonlyMap<number, Uint8Array>;
  /** How often the whole blob had a wrong digest. */
  readonly wrong: number;
}

interface Ask {
  readonly atMs: number;
  readonly times: number;
}

export type FetchEvent =
  | { readonly event: 'connected'; readonly atMs: number }
  | { readonly event: 'disconnected' }
  | { readonly event: 'chunkReceived'; readonly chunk: BlobChunk; readonly atMs: number }
  | { readonly event: 'timePassed'; readonly atMs: number }
  /** The answer to the effect `check`. */
  | { readonly event: 'checked'; readonly matches: boolean; readonly atMs: number };

/** In the order in which they are to be performed. */
export type FetchEffect =
  | { readonly effect: 'ask'; readonly need: BlobNeed }
  /** Append; `content` begins where the last one ended. */
  | { readonly effect: 'write'; readonly content: Uint8Array }
  /** Compare the digest of everything written with the wanted one. */
  | { readonly effect: 'check' }
  /** Drop everything written. */
  | { readonly effect: 'discard' }
  | { readonly effect: 'finish'; readonly bytes: number }
  | { readonly effect: 'fail'; readonly reason: FetchFailure; readonly detail: string };

export interface FetchStep {
  readonly fetch: BlobFetch;
  readonly effects: readonly FetchEffect[];
}

/** @param written bytes that an earlier fetch of the same blob has left; they are checked with the rest */
export function startFetch(wanted: WantedBlob, written: number): BlobFetch {
  const resumable = wanted.bytes === undefined ? 0 : Math.min(written - (written % LIMITS.chunkBytesMax), wanted.bytes);
  return { wanted, stage: 'waiting', total: wanted.bytes, written: resumable, asked: new Map(), held: new Map(), wrong: 0 };
}

/** The fetch after `event`, and what is to be done. An event that means nothing in this stage changes nothing. */
export function stepFetch(fetch: BlobFetch, event: FetchEvent): FetchStep {
  switch (event.event) {
    case 'connected':
      return fetch.stage === 'waiting' || fetch.stage === 'asking'
        ? proceed({ ...fetch, stage: 'asking', asked: new Map() }, event.atMs)
        : unchanged(fetch);
    case 'disconnected':
      return fetch.stage === 'asking' ? unchanged({ ...fetch, stage: 'waiting', asked: new Map() }) : unchanged(fetch);
    case 'chunkReceived':
      return fetch.stage === 'asking' ? chunkReceived(fetch, event.chunk, event.atMs) : unchanged(fetch);
    case 'timePassed':
      return fetch.stage === 'asking' ? timePassed(fetch, event.atMs) : unchanged(fetch);
    case 'checked':
      return fetch.stage === 'checking' ? checked(fetch, event.matches, event.atMs) : unchanged(fetch);
  }
}

/** The answer of one who has the blob: the part of `total` bytes that `need` asks for, or nothing where it asks beyond. */
export function servedRange(need: BlobNeed, total: number): { offset: number; bytes: number } {
  const offset = Math.min(need.offset, total);
  return { offset, bytes: Math.min(need.bytes, total - offset, LIMITS.chunkBytesMax) };
}

function unchanged(fetch: BlobFetch): FetchStep {
  return { fetch, effects: [] };
}

/** Asks for what the window has room for; asks for the check when all is there. */
function proceed(fetch: BlobFetch, atMs: number): FetchStep {
  if (fetch.total !== undefined && fetch.written === fetch.total)
    return { fetch: { ...fetch, stage: 'checking' }, effects: [{ effect: 'check' }] };
  const offsets = windowOf(fetch).filter((offset) => !fetch.asked.has(offset) && !fetch.held.has(offset));
  const asked = new Map(fetch.asked);
  for (const offset of offsets) asked.set(offset, { atMs, times: 1 });
  return { fetch: { ...fetch, asked }, effects: offsets.map((offset) => askFor(fetch, offset)) };
}

/** Offsets that may be asked for or held now. Until the size is known, that is the first piece. */
function windowOf({ total, written }: BlobFetch): number[] {
  const end = total ?? 1;
  const offsets: number[] = [];
  for (let offset = written; offset < end && offsets.length < LIMITS.chunksInFlightMax; offset += LIMITS.chunkBytesMax)
    offsets.push(offset);
  return offsets;
}

function askFor({ wanted, total }: BlobFetch, offset: number): FetchEffect {
  const left = total === undefined ? LIMITS.chunkBytesMax : total - offset;
  return { effect: 'ask', need: { digest: wanted.digest, offset, bytes: Math.min(LIMITS.chunkBytesMax, left) } };
}

function chunkReceived(fetch: BlobFetch, chunk: BlobChunk, atMs: number): FetchStep {
  if (!sameBytes(chunk.digest, fetch.wanted.digest)) return unchanged(fetch);
  if (chunk.chunk === 'missing') return failed(fetch, 'missing', 'the one asked does not have it');
  const { offset, total, content } = chunk;
  if (!fetch.asked.has(offset)) return unchanged(fetch);
  if (total > fetch.wanted.bytesMax)
    return failed(fetch, 'too-large', `it has ${total} bytes; at most ${fetch.wanted.bytesMax} are accepted`);
  if (fetch.total !== undefined && total !== fetch.total)
    return failed(fetch, 'wrong', `it is said to have ${total} bytes, not ${fetch.total}`);
  if (content.length !== Math.min(LIMITS.chunkBytesMax, total - offset)) return unchanged(fetch);
  return taken({ ...fetch, total }, offset, content, atMs);
}

function taken(fetch: BlobFetch, offset: number, content: Uint8Array, atMs: number): FetchStep {
  const asked = new Map(fetch.asked);
  asked.delete(offset);
  const held = new Map(fetch.held).set(offset, content);
  const effects: FetchEffect[] = [];
  let { written } = fetch;
  for (let next = held.get(written); next !== undefined; next = held.get(written)) {
    held.delete(written);
    effects.push({ effect: 'write', content: next });
    written += next.length;
    if (next.length === 0) break;
  }
  const step = proceed({ ...fetch, asked, held, written }, atMs);
  return { fetch: step.fetch, effects: [...effects, ...step.effects] };
}

/** Each ask waits twice as long as the one before it. */
function timePassed(fetch: BlobFetch, atMs: number): FetchStep {
  const late = [...fetch.asked].filter(([, ask]) => atMs - ask.atMs >= LIMITS.chunkWaitMs * 2 ** (ask.times - 1));
  if (late.some(([, ask]) => ask.times >= LIMITS.chunkAsksMax)) {
    return failed(fetch, 'unanswered', `a piece was asked for ${LIMITS.chunkAsksMax} times and did not come`);
  }
  const asked = new Map(fetch.asked);
  for (const [offset, ask] of late) asked.set(offset, { atMs, times: ask.times + 1 });
  return { fetch: { ...fetch, asked }, effects: late.map(([offset]) => askFor(fetch, offset)) };
}

function checked(fetch: BlobFetch, matches: boolean, atMs: number): FetchStep {
  if (matches) return { fetch: { ...fetch, stage: 'done' }, effects: [{ effect: 'finish', bytes: fetch.written }] };
  if (fetch.wrong > 0) return failed(fetch, 'wrong', 'its content has another digest, twice');
  const again = proceed({ ...fetch, stage: 'asking', total: fetch.wanted.bytes, written: 0, wrong: 1 }, atMs);
  return { fetch: again.fetch, effects: [{ effect: 'discard' }, ...again.effects] };
}

function failed(fetch: BlobFetch, reason: FetchFailure, detail: string): FetchStep {
  const over: BlobFetch = { ...fetch, stage: 'failed', asked: new Map(), held: new Map() };
  const fail: FetchEffect = { effect: 'fail', reason, detail };
  return reason === 'unanswered'
    ? { fetch: over, effects: [fail] }
    : { fetch: { ...over, written: 0 }, effects: [{ effect: 'discard' }, fail] };
}
