/**
 * Reference values of a device's boxes on its disk: `measured-boxes/<box>.json`. Specification §6.5. The operator learns and freezes
 * them (`npm run pair -- measure`); the device only adds to those that are being learned. Read anew at each measurement.
 */
import { mkdirSync, readdirSync, readFileSync, statSync } from 'node:fs';
import { join } from 'node:path';
import { decodeJson, encodeJson, encodeStrict } from '#protocol/codec.ts';
import { blobDigest, hex } from '#protocol/digest.ts';
import { LIMITS } from '#protocol/limits.ts';
import { ReferenceValues } from '#protocol/measured-box/reference-values.ts';
import { writeWholeFile } from '../mqtt/whole-file.ts';

/** As a file said them, by the digest of its bytes. */
interface ReadFile {
  readonly content: string;
  readonly references: ReferenceValues;
}

export class ReferenceFiles {
  readonly #folder: string;
  /** What was read last of each box: thousands of files take tens of ms to read anew and to name, and mostly they are the same. */
  readonly #read = new Map<string, ReadFile>();

  /** @param stateFolder of the device */
  constructor(stateFolder: string) {
    this.#folder = join(stateFolder, 'measured-boxes');
  }

  /** @returns undefined where the operator has not begun. @throws Error that names the file where it is damaged */
  read(box: string): ReferenceValues | undefined {
    const file = this.file(box);
    let content: Uint8Array;
    try {
      content = readFileSync(file);
    } catch (error) {
      if (error instanceof Error && 'code' in error && error.code === 'ENOENT') return undefined;
      throw error;
    }
    const digest = hex(blobDigest(content));
    const known = this.#read.get(box);
    if (known?.content === digest) return known.references;
    const decoded = decodeJson(ReferenceValues, content, LIMITS.referenceBytesMax);
    if (decoded.status === 'malformed') throw new Error(`${file}: ${decoded.detail}`);
    this.#read.set(box, { content: digest, references: decoded.value });
    return decoded.value;
  }

  write(box: string, references: ReferenceValues): void {
    mkdirSync(this.#folder, { recursive: true, mode: 0o700 });
    writeWholeFile(this.file(box), `${encodeJson(ReferenceValues, references)}\n`, 0o600);
  }

  /** Another one says that the file is another; it is cheap to look. */
  mark(box: string): string {
    const found = statSync(this.file(box), { throwIfNoEntry: false });
    return found ? `${found.ino} ${found.mtimeMs} ${found.size}` : 'none';
  }

  file(box: string): string {
    return join(this.#folder, `${box}.json`);
  }

  /** Boxes that have reference values. */
  boxes(): string[] {
    try {
      return readdirSync(this.#folder)
        .filter((name) => name.endsWith('.json'))
        .map((name) => name.slice(0, -'.json'.length))
        .sort();
    } catch {
      return [];
    }
  }
}

const digests = new WeakMap<ReferenceValues, Uint8Array>();

/** As receipts name them. */
export function referencesDigest(references: ReferenceValues): Uint8Array {
  const digest = digests.get(references) ?? blobDigest(encodeStrict(ReferenceValues, references));
  digests.set(references, digest);
  return digest;
}
