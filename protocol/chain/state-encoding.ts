/**
 * A whole state as bytes: for the disk, and for a member that starts from a checkpoint. Specification §11.4.
 *
 * Framed by hand, because a state has more entries than a message may have items (§2.3). Every state has one form.
 */
import { decodeStrict, encodeStrict, sameBytes, type Decoded } from '../codec.ts';
import { hex } from '../digest.ts';
import { LIMITS } from '../limits.ts';
import type { Schema } from '../schema.ts';
import { StateMap } from './state-map.ts';
import { stateRoot } from './state-root.ts';
import { BoxRecord, boxKey, CapsuleRecord, CoreState, MemberRecord, type ChainState } from './state.ts';

/** The core's length and bytes; then for members, boxes and capsules: their number, and for each its length and bytes. */
export function encodeState(state: ChainState): Uint8Array {
  const pieces = [
    ...framed(encodeStrict(CoreState, state.core)),
    ...entries(MemberRecord, state.members),
    ...entries(BoxRecord, state.boxes),
    ...entries(CapsuleRecord, state.capsules),
  ];
  const encoded = new Uint8Array(pieces.reduce((length, piece) => length + piece.length, 0));
  let at = 0;
  for (const piece of pieces) {
    encoded.set(piece, at);
    at += piece.length;
  }
  return encoded;
}

/** @param root what the state must come to; where it comes from is the caller's to judge */
export function decodeState(encoded: Uint8Array, root: Uint8Array): Decoded<ChainState> {
  if (encoded.length > LIMITS.stateBytesMax)
    return {
      status: 'malformed',
      reason: 'too-large',
      detail: `a state of ${encoded.length} bytes; at most ${LIMITS.stateBytesMax} are accepted`,
    };
  try {
    const state = readState(encoded);
    if (sameBytes(stateRoot(state), root)) return { status: 'decoded', value: state };
    return malformed(`the state has the root ${hex(stateRoot(state))}; it must be ${hex(root)}`);
  } catch (error) {
    if (!(error instanceof MalformedState)) throw error;
    return malformed(error.message);
  }
}

class MalformedState extends Error {}

interface Cursor {
  readonly encoded: Uint8Array;
  at: number;
}

function readState(encoded: Uint8Array): ChainState {
  const cursor: Cursor = { encoded, at: 0 };
  const core = readEntry(cursor, CoreState, LIMITS.coreBytesMax);
  const members = readEntries(cursor, MemberRecord, LIMITS.memberRecordBytesMax, ({ node }) => hex(node));
  const boxes = readEntries(cursor, BoxRecord, LIMITS.signedBytesMax, boxKey);
  const capsules = readEntries(cursor, CapsuleRecord, LIMITS.signedBytesMax, ({ capsule }) => capsule);
  if (cursor.at !== encoded.length) throw new MalformedState(`${encoded.length - cursor.at} bytes follow the state; none may`);
  return { core, members, boxes, capsules };
}

function readEntries<V>(cursor: Cursor, schema: Schema<V>, bytesMax: number, keyOf: (value: V) => string): StateMap<V> {
  const count = readNumber(cursor);
  let [map, last] = [StateMap.of<V>(), ''];
  for (let index = 0; index < count; index += 1) {
    const value = readEntry(cursor, schema, bytesMax);
    const key = keyOf(value);
    if (key <= last) throw new MalformedState(`the entry ${key} stands after ${last}; entries are in the order of their ids, each once`);
    [map, last] = [map.with(key, value), key];
  }
  return map;
}

function readEntry<V>(cursor: Cursor, schema: Schema<V>, bytesMax: number): V {
  const decoded = decodeStrict(schema, taken(cursor, readNumber(cursor)), bytesMax);
  if (decoded.status === 'malformed') throw new MalformedState(decoded.detail);
  return decoded.value;
}

function readNumber(cursor: Cursor): number {
  const piece = taken(cursor, 4);
  return new DataView(piece.buffer, piece.byteOffset).getUint32(0);
}

function taken(cursor: Cursor, length: number): Uint8Array {
  const { encoded, at } = cursor;
  if (length > encoded.length - at) throw new MalformedState(`the state ends at ${encoded.length} bytes, inside an entry`);
  cursor.at += length;
  return encoded.subarray(at, at + length);
}

function entries<V>(schema: Schema<V>, map: StateMap<V>): Uint8Array[] {
  return [uint32(map.size), ...[...map.values()].flatMap((value) => framed(encodeStrict(schema, value)))];
}

function framed(entry: Uint8Array): [Uint8Array, Uint8Array] {
  return [uint32(entry.length), entry];
}

function uint32(value: number): Uint8Array {
  const encoded = new Uint8Array(4);
  new DataView(encoded.buffer).setUint32(0, value);
  return encoded;
}

function malformed(detail: string): Decoded<never> {
  return { status: 'malformed', reason: 'not-as-declared', detail };
}
