/**
 * The files by which `npm run box` and the firmware, two processes, speak: `<state>/control/<id>.json` is a request,
 * `<id>.taken.json` one that the firmware deals with, `<id>.answer.json` what came of it. Specification §17.7.
 */
import { randomBytes } from 'node:crypto';
import { chmodSync, closeSync, constants, existsSync, fstatSync, lstatSync, mkdirSync, openSync } from 'node:fs';
import { readdirSync, readSync, renameSync, rmSync, unlinkSync } from 'node:fs';
import { join } from 'node:path';
import { decodeJson, encodeJson } from '#protocol/codec.ts';
import { BoxStateNews, CONTROL_OUTCOME, CONTROL_VERBS, ControlVerb, SensorNews } from '#protocol/control-messages.ts';
import { LIMITS } from '#protocol/limits.ts';
import { flag, integer, list, oneOf, optional, struct, text, variant, type Infer, type Schema } from '#protocol/schema.ts';
import { Name } from '#protocol/topics.ts';
import { writeWholeFile } from '../mqtt/whole-file.ts';
import { CONTROL_LIMITS } from './limits.ts';

/** `boxes`: where all of them stand. `box`: where one stands, with all that is sensed of it. `order`: what shall be done. */
export const DeskRequest = variant('ask', {
  boxes: struct({}),
  box: struct({ box: Name }),
  order: struct({ box: Name, verb: ControlVerb }),
});
export type DeskRequest = Infer<typeof DeskRequest>;

const DeskBox = struct({
  box: Name,
  standing: BoxStateNews,
  /** Runs that it is at work on. */
  runs: integer({ min: 0, max: Number.MAX_SAFE_INTEGER }),
  /** It is fenced, and the operator wants it back. */
  released: flag,
  /** What stands against it: an alarm and what it is about. */
  against: list(struct({ alarm: text({ min: 1, max: 40 }), about: text({ max: 64 }) }), { max: CONTROL_LIMITS.deskObjectionsMax }),
  /** What can be done to its power. */
  verbs: list(oneOf(...CONTROL_VERBS), { max: CONTROL_VERBS.length }),
  /** Why the way to it that the configuration names is not open. */
  problem: optional(text({ max: LIMITS.noteCharactersMax })),
  /** The last of its power; of one box that is asked for, of each sensor. */
  readings: list(struct({ sensor: text({ min: 1, max: 64 }), news: SensorNews }), { max: CONTROL_LIMITS.deskReadingsMax }),
});
export type DeskBox = Infer<typeof DeskBox>;

export const DeskAnswer = struct({ ...CONTROL_OUTCOME, boxes: list(DeskBox, { max: CONTROL_LIMITS.boxesMax }) });
export type DeskAnswer = Infer<typeof DeskAnswer>;

/** What a request was when it was taken. */
export type TakenRequest =
  | { readonly status: 'read'; readonly request: DeskRequest; readonly madeAtMs: number }
  | { readonly status: 'malformed'; readonly detail: string };

/** What lies in place of an answer is none. */
export class UnreadableAnswer extends Error {}

const REQUEST = /^([0-9a-f]{32})\.json$/;
const TAKEN = /^([0-9a-f]{32})\.taken\.json$/;

export class DeskFiles {
  readonly path: string;

  /** @param stateFolder of the device */
  constructor(stateFolder: string) {
    this.path = join(stateFolder, 'control');
  }

  /** Whether a firmware has ever made the folder. */
  areThere(): boolean {
    return existsSync(this.path);
  }

  make(): void {
    mkdirSync(this.path, { recursive: true, mode: 0o700 });
    chmodSync(this.path, 0o700);
  }

  /** @returns its id */
  ask(request: DeskRequest): string {
    const id = randomBytes(16).toString('hex');
    writeWholeFile(this.#file(id, '.json'), encodeJson(DeskRequest, request), 0o600);
    return id;
  }

  /** @returns whether nobody had taken it, so that nobody will */
  withdraw(id: string): boolean {
    try {
      unlinkSync(this.#file(id, '.json'));
      return true;
    } catch (error) {
      if (isAbsent(error)) return false;
      throw error;
    }
  }

  isTaken(id: string): boolean {
    return existsSync(this.#file(id, '.taken.json'));
  }

  /** Undefined where there is none yet. @throws UnreadableAnswer */
  answerTo(id: string): DeskAnswer | undefined {
    const file = this.#file(id, '.answer.json');
    if (!existsSync(file)) return undefined;
    const read = readFileAs(file, DeskAnswer, CONTROL_LIMITS.deskAnswerBytesMax);
    if (read.status === 'read') return read.value;
    throw new UnreadableAnswer(`the answer ${file} can't be read: ${read.detail}`);
  }

  /** Nobody waits for it any more. */
  dropAnswer(id: string): void {
    rmSync(this.#file(id, '.answer.json'), { force: true });
  }

  /** Ids of requests that nobody has taken. */
  waiting(): string[] {
    return this.#ids(REQUEST);
  }

  /** Ids of those that somebody has taken and not answered. */
  taken(): string[] {
    return this.#ids(TAKEN);
  }

  /** Whoever asked can't withdraw it any more. @returns undefined where it was withdrawn before */
  take(id: string): TakenRequest | undefined {
    const file = this.#file(id, '.taken.json');
    try {
      renameSync(this.#file(id, '.json'), file);
    } catch (error) {
      if (isAbsent(error)) return undefined;
      throw error;
    }
    const read = readFileAs(file, DeskRequest, CONTROL_LIMITS.deskRequestBytesMax);
    return read.status === 'read' ? { status: 'read', request: read.value, madeAtMs: read.changedAtMs } : read;
  }

  answer(id: string, answer: DeskAnswer): void {
    writeWholeFile(this.#file(id, '.answer.json'), encodeJson(DeskAnswer, answer), 0o600);
    rmSync(this.#file(id, '.taken.json'), { force: true, recursive: true });
  }

  /** Drops what nobody has come for, whatever it is. @param held ids that are being dealt with */
  dropOld(nowMs: number, held: ReadonlySet<string>): void {
    for (const name of readdirSync(this.path)) {
      const file = join(this.path, name);
      const found = lstatSync(file, { throwIfNoEntry: false });
      if (!found || held.has(name.slice(0, 32))) continue;
      if (Math.abs(nowMs - found.mtimeMs) > CONTROL_LIMITS.deskAnswerKeptMs) rmSync(file, { force: true, recursive: true });
    }
  }

  #ids(pattern: RegExp): string[] {
    return readdirSync(this.path).flatMap((name) => pattern.exec(name)?.[1] ?? []);
  }

  #file(id: string, ending: '.json' | '.taken.json' | '.answer.json'): string {
    return join(this.path, `${id}${ending}`);
  }
}

type FileRead<T> =
  { readonly status: 'read'; readonly value: T; readonly changedAtMs: number } | { readonly status: 'malformed'; readonly detail: string };

/** Links are not followed, and nothing is waited for. */
function readFileAs<T>(file: string, schema: Schema<T>, bytesMax: number): FileRead<T> {
  let descriptor: number | undefined;
  try {
    descriptor = openSync(file, constants.O_RDONLY | constants.O_NOFOLLOW | constants.O_NONBLOCK);
    const { mtimeMs, size, ...found } = fstatSync(descriptor);
    if ((found.mode & constants.S_IFMT) !== constants.S_IFREG) return { status: 'malformed', detail: 'it is no regular file' };
    if (size > bytesMax) return { status: 'malformed', detail: `it has ${size} bytes; at most ${bytesMax} are read` };
    const content = new Uint8Array(size);
    const decoded = decodeJson(schema, content.subarray(0, readSync(descriptor, content)), bytesMax);
    return decoded.status === 'decoded' ? { status: 'read', value: decoded.value, changedAtMs: mtimeMs } : decoded;
  } catch (error) {
    const code = error instanceof Error && 'code' in error ? String(error.code) : 'unknown';
    return { status: 'malformed', detail: code === 'ELOOP' ? 'it is a link' : `it can't be read (${code})` };
  } finally {
    if (descriptor !== undefined) closeSync(descriptor);
  }
}

function isAbsent(error: unknown): boolean {
  return error instanceof Error && 'code' in error && error.code === 'ENOENT';
}
