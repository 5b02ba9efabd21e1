/** By which way each box came last, for whoever looks at the device from beside: `box-ways.json` in its state folder. Specification §5.7. */
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { decodeJson, encodeJson } from '#protocol/codec.ts';
import { integer, list, oneOf, struct, type Infer } from '#protocol/schema.ts';
import { Name } from '#protocol/topics.ts';
import { MQTT_LIMITS } from '../limits.ts';
import { writeWholeFile } from '../mqtt/whole-file.ts';
import { RELAY_LIMITS } from './limits.ts';

const BoxWay = struct({ box: Name, way: oneOf('direct', 'relay'), atMs: integer({ min: 0, max: Number.MAX_SAFE_INTEGER }) });
export type BoxWay = Infer<typeof BoxWay>;
const BoxWaysFile = struct({ ways: list(BoxWay, { max: MQTT_LIMITS.pairedNamesMax }) });
const BYTES_MAX = 512 * 1_024; // 4,096 boxes at 100 bytes

/** What was noted of each box; nothing where the file is not there, or not ours. */
export function readBoxWays(stateFolder: string): readonly BoxWay[] {
  try {
    const decoded = decodeJson(BoxWaysFile, readFileSync(fileIn(stateFolder)), BYTES_MAX);
    return decoded.status === 'decoded' ? decoded.value.ways : [];
  } catch (error) {
    if (error instanceof Error && 'code' in error && error.code === 'ENOENT') return [];
    throw error;
  }
}

export class BoxWays {
  readonly #stateFolder: string;
  readonly #ways: Map<string, BoxWay>;

  constructor(stateFolder: string) {
    this.#stateFolder = stateFolder;
    this.#ways = new Map(readBoxWays(stateFolder).map((noted) => [noted.box, noted]));
  }

  note(box: string, way: BoxWay['way'], atMs: number): void {
    const known = this.#ways.get(box);
    if (known?.way === way && atMs - known.atMs < RELAY_LIMITS.wayNotedEveryMs) return;
    this.#ways.delete(box);
    this.#ways.set(box, { box, way, atMs });
    const [oldest] = this.#ways.keys();
    if (this.#ways.size > MQTT_LIMITS.pairedNamesMax && oldest !== undefined) this.#ways.delete(oldest);
    writeWholeFile(fileIn(this.#stateFolder), `${encodeJson(BoxWaysFile, { ways: [...this.#ways.values()] })}\n`, 0o600);
  }
}

function fileIn(stateFolder: string): string {
  return join(stateFolder, 'box-ways.json');
}
