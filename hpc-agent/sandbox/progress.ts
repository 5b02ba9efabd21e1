/** Lines of JSON on a capsule's progress channel: `{"progress": 0.4, "note": "…"}`. Pure. */
import { LIMITS } from '#protocol/limits.ts';
import { harmless } from '#protocol/schema.ts';
import type { Progress } from '../executor.ts';
import { progressLineBytesMax } from '../limits.ts';

/** One line's meaning; undefined for a line that is none: a capsule's mistake costs it that line only. */
export function parseProgress(line: string): Progress | undefined {
  const value = parseObject(line);
  const progress = value?.['progress'];
  if (typeof progress !== 'number' || !(progress >= 0 && progress <= 1)) return undefined;
  const note = value?.['note'];
  return typeof note === 'string' ? { progress, note: harmless(note, LIMITS.noteCharactersMax) } : { progress };
}

/** Cuts a byte stream into lines; a line beyond the limit is dropped, not gathered. */
export class LineSplitter {
  #pending = '';
  #dropping = false;
  readonly #decoder = new TextDecoder();

  push(bytes: Uint8Array): string[] {
    const pieces = this.#decoder.decode(bytes, { stream: true }).split('\n');
    const rest = pieces.pop() ?? '';
    const lines = pieces.flatMap((piece) => this.#complete(piece));
    this.#gather(rest);
    return lines;
  }

  #complete(piece: string): string[] {
    this.#gather(piece);
    const line = this.#dropping ? [] : [this.#pending];
    this.#pending = '';
    this.#dropping = false;
    return line;
  }

  #gather(piece: string): void {
    this.#pending += piece;
    if (this.#pending.length > progressLineBytesMax) this.#dropping = true;
    if (this.#dropping) this.#pending = '';
  }
}

function parseObject(line: string): Record<string, unknown> | undefined {
  try {
    const value: unknown = JSON.parse(line);
    return typeof value === 'object' && value !== null ? (value as Record<string, unknown>) : undefined;
  } catch {
    return undefined;
  }
}
