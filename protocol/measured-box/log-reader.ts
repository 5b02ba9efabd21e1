/** Reads the little-endian records of a log from foreign bytes. Pure. Specification §6.5. Its faults stay inside `decodeLog`. */
import { LIMITS } from '../limits.ts';
import { harmless } from '../schema.ts';
import { inOneTurn, type Turns } from '../turns.ts';

export type DecodedLog<T> =
  | { readonly status: 'decoded'; readonly value: T }
  | { readonly status: 'malformed'; readonly reason: 'too-large' | 'malformed'; readonly detail: string };

/** Only `decodeLog` sees it. */
class MalformedLog extends Error {}

export class LogReader {
  readonly #bytes: Uint8Array;
  readonly #view: DataView;
  #at = 0;

  constructor(bytes: Uint8Array) {
    this.#bytes = bytes;
    this.#view = new DataView(bytes.buffer, bytes.byteOffset, bytes.length);
  }

  get at(): number {
    return this.#at;
  }

  get isAtEnd(): boolean {
    return this.left === 0;
  }

  /** Bytes that were not read yet. */
  get left(): number {
    return this.#bytes.length - this.#at;
  }

  u8(what: string): number {
    return this.#view.getUint8(this.#advance(1, what));
  }

  u16(what: string): number {
    return this.#view.getUint16(this.#advance(2, what), true);
  }

  u32(what: string): number {
    return this.#view.getUint32(this.#advance(4, what), true);
  }

  /** A view on the next `length` bytes. */
  take(length: number, what: string): Uint8Array {
    const start = this.#advance(length, what);
    return this.#bytes.subarray(start, start + length);
  }

  /** A 32-bit length of at most `max`, and that many bytes. */
  sized(max: number, what: string): Uint8Array {
    const length = this.u32(`the length of ${what}`);
    if (length > max) this.fail(`${what} has ${length} bytes; at most ${max} are accepted`);
    return this.take(length, what);
  }

  fail(detail: string): never {
    throw new MalformedLog(`${detail} (before byte ${this.#at})`);
  }

  #advance(length: number, what: string): number {
    const start = this.#at;
    if (length > this.#bytes.length - start) this.fail(`the log ends inside ${what}`);
    this.#at += length;
    return start;
  }
}

/** At once. @param read throws by `LogReader` alone */
export function decodeLog<T>(name: string, bytes: Uint8Array, bytesMax: number, read: (reader: LogReader) => T): DecodedLog<T> {
  return inOneTurn(
    decodingLog(name, bytes, bytesMax, function* (reader) {
      return read(reader);
    }),
  );
}

/** @param read throws by `LogReader` alone */
export function* decodingLog<T>(
  name: string,
  bytes: Uint8Array,
  bytesMax: number,
  read: (reader: LogReader) => Turns<T>,
): Turns<DecodedLog<T>> {
  if (bytes.length > bytesMax)
    return { status: 'malformed', reason: 'too-large', detail: `${name} has ${bytes.length} bytes; at most ${bytesMax} are accepted` };
  try {
    return { status: 'decoded', value: yield* read(new LogReader(bytes)) };
  } catch (error) {
    if (!(error instanceof MalformedLog)) throw error;
    return { status: 'malformed', reason: 'malformed', detail: harmless(`${name}: ${error.message}`, LIMITS.noteCharactersMax) };
  }
}
