/**
 * What a simulated board and the rack say to each other, and how it is cut into frames. Pure. Specification §16.4.
 */
import { decodeBulk, encodeBulk } from '#protocol/codec.ts';
import { bytes, flag, integer, oneOf, optional, struct, text, variant, type Infer, type Schema } from '#protocol/schema.ts';
import { WIRE_LIMITS } from '../../limits.ts';

export const WIRES_VERSION = 1;
const HEAD_BYTES = 4;

const Id = integer({ min: 0, max: 0xffff_ffff });
const Line = integer({ min: 0, max: WIRE_LIMITS.linesMax - 1 });
const Level = oneOf(0, 1);
const BusBytes = bytes({ max: WIRE_LIMITS.transferBytesMax });

export const BoardSays = variant('say', {
  hello: struct({ version: integer({ min: 1, max: 65_535 }), consumer: text({ min: 1, max: 32 }) }),
  claim: struct({ id: Id, line: Line, direction: oneOf('input', 'output'), level: optional(Level) }),
  set: struct({ line: Line, level: Level }),
  release: struct({ line: Line }),
  transfer: struct({
    id: Id,
    /** 7 bits. */
    address: integer({ min: 0x03, max: 0x77 }),
    register: integer({ min: -1, max: 255 }),
    /** Of a write. */
    bytes: optional(BusBytes),
    /** Of a read. */
    count: optional(integer({ min: 1, max: WIRE_LIMITS.transferBytesMax })),
  }),
});
export type BoardSays = Infer<typeof BoardSays>;

const Refusal = oneOf('busy', 'no-such-line', 'not-claimed', 'no-acknowledge');
export type WireRefusal = Infer<typeof Refusal>;

export const RackSays = variant('say', {
  welcome: struct({ version: integer({ min: 1, max: 65_535 }), box: text({ min: 1, max: 64 }), isPowered: flag }),
  answer: struct({ id: Id, level: optional(Level), bytes: optional(BusBytes) }),
  refused: struct({ id: Id, reason: Refusal, detail: text({ max: 200 }) }),
  edges: struct({
    line: Line,
    /** After the last of them. */
    level: Level,
    rising: integer({ min: 0, max: WIRE_LIMITS.edgesMax }),
    falling: integer({ min: 0, max: WIRE_LIMITS.edgesMax }),
    /** They lie evenly in the span before `endUs` of the machine's monotonic clock, the last one at its end. */
    spanUs: integer({ min: 0, max: Number.MAX_SAFE_INTEGER }),
    endUs: integer({ min: 0, max: Number.MAX_SAFE_INTEGER }),
  }),
});
export type RackSays = Infer<typeof RackSays>;

/** A message with its length before it. */
export function frameOf<T>(schema: Schema<T>, message: T): Uint8Array {
  const body = encodeBulk(schema, message);
  const frame = new Uint8Array(HEAD_BYTES + body.length);
  new DataView(frame.buffer).setUint32(0, body.length);
  frame.set(body, HEAD_BYTES);
  return frame;
}

export type Taken<T> =
  | { readonly status: 'taken'; readonly messages: readonly T[] }
  | { readonly status: 'garbage'; readonly detail: string; readonly messages: readonly T[] };

/** Puts pieces of a stream together to messages. After garbage it takes nothing more. */
export class FrameReader<T> {
  readonly #schema: Schema<T>;
  readonly #bytesMax: number;
  #rest = new Uint8Array(0);
  #garbage: string | undefined;

  constructor(schema: Schema<T>, bytesMax: number) {
    this.#schema = schema;
    this.#bytesMax = bytesMax;
  }

  /** @returns the messages that are whole by now, and what is wrong with what came after them */
  take(piece: Uint8Array): Taken<T> {
    const messages: T[] = [];
    if (this.#garbage === undefined) {
      this.#rest = joined(this.#rest, piece);
      for (let body = this.#next(); body; body = this.#next()) {
        const decoded = decodeBulk(this.#schema, body, this.#bytesMax);
        if (decoded.status === 'decoded') messages.push(decoded.value);
        else this.#garbage = decoded.detail;
      }
    }
    if (this.#garbage === undefined) return { status: 'taken', messages };
    this.#rest = new Uint8Array(0);
    return { status: 'garbage', detail: this.#garbage, messages };
  }

  #next(): Uint8Array | undefined {
    if (this.#garbage !== undefined || this.#rest.length < HEAD_BYTES) return undefined;
    const length = new DataView(this.#rest.buffer, this.#rest.byteOffset).getUint32(0);
    if (length === 0 || length > this.#bytesMax) {
      this.#garbage = `a frame of ${length} bytes; it must have 1 to ${this.#bytesMax}`;
      return undefined;
    }
    if (this.#rest.length < HEAD_BYTES + length) return undefined;
    const body = this.#rest.subarray(HEAD_BYTES, HEAD_BYTES + length);
    this.#rest = this.#rest.subarray(HEAD_BYTES + length);
    return body;
  }
}

function joined(rest: Uint8Array, piece: Uint8Array): Uint8Array<ArrayBuffer> {
  const all = new Uint8Array(rest.length + piece.length);
  all.set(rest);
  all.set(piece, rest.length);
  return all;
}
