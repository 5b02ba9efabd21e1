/**
 * What the operator of a device wants of its boxes: `<state>/control/<id>.json` and `<id>.answer.json`, as files by which
 * `npm run box` speaks with the firmware. Specification §17.2.
 */
import { chmodSync, mkdirSync, readdirSync, readFileSync, rmSync, statSync } from 'node:fs';
import { join } from 'node:path';
import { decodeJson, encodeJson } from '#protocol/codec.ts';
import { BoxStateNews, CONTROL_OUTCOME, ControlVerb } from '#protocol/control-messages.ts';
import { list, optional, struct, type Infer, type Schema } from '#protocol/schema.ts';
import { Name } from '#protocol/topics.ts';
import type { Clock } from '../ports.ts';
import { writeWholeFile } from '../mqtt/whole-file.ts';
import type { Control } from './host.ts';
import { CONTROL_LIMITS } from './limits.ts';

/** Without a box: where all of them stand. */
export const DeskRequest = struct({ order: optional(struct({ box: Name, verb: ControlVerb })) });
export type DeskRequest = Infer<typeof DeskRequest>;

export const DeskAnswer = struct({
  ...CONTROL_OUTCOME,
  boxes: list(struct({ box: Name, standing: BoxStateNews }), { max: CONTROL_LIMITS.boxesMax }),
});
export type DeskAnswer = Infer<typeof DeskAnswer>;

export function deskFolder(stateFolder: string): string {
  return join(stateFolder, 'control');
}

export class ControlDesk {
  readonly #folder: string;
  readonly #control: Control;
  readonly #now: Clock;
  readonly #busy = new Set<string>();

  constructor(stateFolder: string, control: Control, now: Clock) {
    this.#folder = deskFolder(stateFolder);
    this.#control = control;
    this.#now = now;
    mkdirSync(this.#folder, { recursive: true, mode: 0o700 });
    chmodSync(this.#folder, 0o700);
  }

  async look(): Promise<void> {
    for (const name of readdirSync(this.#folder).slice(0, 2 * CONTROL_LIMITS.deskRequestsMax)) {
      const file = join(this.#folder, name);
      const found = statSync(file, { throwIfNoEntry: false });
      if (!found) continue;
      const id = /^([0-9a-f]{32})\.json$/.exec(name)?.[1];
      const isOld = this.#now() - found.mtimeMs > CONTROL_LIMITS.deskAnswerKeptMs;
      if (isOld) rmSync(file, { force: true, recursive: true });
      else if (id !== undefined && !this.#busy.has(id)) await this.#deal(id, file);
    }
  }

  async #deal(id: string, file: string): Promise<void> {
    this.#busy.add(id);
    const request = readDeskFile(file, DeskRequest);
    rmSync(file, { force: true });
    const order = request?.order;
    const outcome = order ? await this.#control.commands.order(order.box, order.verb, 'the operator') : { outcome: 'done' as const };
    const boxes = [...this.#control.boxes.values()].map(({ name, standing, hardware }) => {
      const { state, cause, detail, sinceMs, power } = standing;
      return { box: name, standing: { state, cause, detail, sinceMs, power, ...(hardware ? { source: hardware.source } : {}) } };
    });
    writeWholeFile(join(this.#folder, `${id}.answer.json`), encodeJson(DeskAnswer, { ...outcome, boxes }), 0o600);
    this.#busy.delete(id);
  }
}

/** Undefined where it is not there, is too large, or is something else. */
export function readDeskFile<T>(file: string, schema: Schema<T>): T | undefined {
  const found = statSync(file, { throwIfNoEntry: false });
  if (!found?.isFile() || found.size > CONTROL_LIMITS.deskFileBytesMax) return undefined;
  const decoded = decodeJson(schema, new Uint8Array(readFileSync(file)), CONTROL_LIMITS.deskFileBytesMax);
  return decoded.status === 'decoded' ? decoded.value : undefined;
}
