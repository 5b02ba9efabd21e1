/**
 * Whether SQLite's write-ahead log is whole. A log that ends in the middle of a record is what a power cut leaves, and SQLite
 * goes back to the last whole transaction; it does the same, silently, for a record that was damaged later, and then what
 * came after is lost although it had been stored. Its file format: https://sqlite.org/fileformat2.html, section 4.
 */
import { existsSync, readFileSync } from 'node:fs';

const HEADER_BYTES = 32;
const FRAME_HEADER_BYTES = 24;
/** The last bit says in which order the words of the checksum are read. */
const MAGIC = 0x377f0682;

/** `damaged`: a record of the present generation, with all its bytes, has the wrong checksum. @param file `…-wal`, while nobody has it open */
export function judgeLog(file: string): 'whole' | 'damaged' {
  if (!existsSync(file)) return 'whole';
  const log = readFileSync(file);
  return log.length <= HEADER_BYTES ? 'whole' : judgeFrames(log);
}

function judgeFrames(log: Buffer): 'whole' | 'damaged' {
  const magic = log.readUInt32BE(0);
  const pageBytes = log.readUInt32BE(8);
  if ((magic & ~1) >>> 0 !== MAGIC || pageBytes < 512 || pageBytes > 65_536) return 'damaged';
  const sum = new Checksum((magic & 1) === 1);
  sum.add(log.subarray(0, 24));
  if (!sum.is(log.subarray(24, 32))) return 'damaged';
  const salts = log.subarray(16, 24);
  for (let at = HEADER_BYTES; at + FRAME_HEADER_BYTES + pageBytes <= log.length; at += FRAME_HEADER_BYTES + pageBytes) {
    const frame = log.subarray(at, at + FRAME_HEADER_BYTES + pageBytes);
    if (!frame.subarray(8, 16).equals(salts)) return isAnyLater(log, at, salts, FRAME_HEADER_BYTES + pageBytes) ? 'damaged' : 'whole';
    sum.add(frame.subarray(0, 8));
    sum.add(frame.subarray(FRAME_HEADER_BYTES));
    if (!sum.is(frame.subarray(16, 24))) return 'damaged';
  }
  return 'whole';
}

/** Frames of an earlier generation are what the log was written over; behind them there is none of this one. */
function isAnyLater(log: Buffer, from: number, salts: Buffer, frameBytes: number): boolean {
  for (let at = from; at + frameBytes <= log.length; at += frameBytes) if (log.subarray(at + 8, at + 16).equals(salts)) return true;
  return false;
}

/** Two sums over pairs of 32-bit words, modulo 2^32. */
class Checksum {
  readonly #isBigEndian: boolean;
  #first = 0;
  #second = 0;

  constructor(isBigEndian: boolean) {
    this.#isBigEndian = isBigEndian;
  }

  add(bytes: Buffer): void {
    for (let at = 0; at + 8 <= bytes.length; at += 8) {
      this.#first = (this.#first + this.#word(bytes, at) + this.#second) >>> 0;
      this.#second = (this.#second + this.#word(bytes, at + 4) + this.#first) >>> 0;
    }
  }

  is(stored: Buffer): boolean {
    return stored.readUInt32BE(0) === this.#first && stored.readUInt32BE(4) === this.#second;
  }

  #word(bytes: Buffer, at: number): number {
    return this.#isBigEndian ? bytes.readUInt32BE(at) : bytes.readUInt32LE(at);
  }
}
