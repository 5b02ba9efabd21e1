/**
 * The boards on the disk: `board-configs/<board>/board.yaml`, and what several of them share in `board-configs/wiring/`. Owner of these files.
 * Specification §16.1.
 */
import { createHash } from 'node:crypto';
import { existsSync } from 'node:fs';
import { readdir, readFile, stat } from 'node:fs/promises';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { DEVICE_LIMITS } from '../limits.ts';
import { parseYaml, type KeyPath } from '../yaml.ts';
import {
  boardOf,
  readWrittenBoard,
  readWrittenWiring,
  WIRING_KEYS,
  type BoardDefinition,
  type Read,
  type WrittenBoard,
  type WrittenWiring,
} from './definition.ts';
import { dotted, problemsOf, type Problem } from './definition-checks.ts';

const shipped = fileURLToPath(new URL('../../board-configs', import.meta.url));

/** A board that isn't there or is wrong; each line names file, line and key, and what would be right. */
export class BoardFileError extends Error {}

interface File<T> {
  /** As people see it: `board-configs/simulated/board.yaml`. */
  readonly place: string;
  readonly value: T;
  readonly bytes: Uint8Array;
  readonly lineOf: (path: KeyPath) => number;
}

export interface BoardFiles {
  readonly definition: BoardDefinition;
  /** SHA-256 of board.yaml; with a wiring, SHA-256 of its digest and that of the wiring, one after the other. */
  readonly digest: Uint8Array;
}

/** Names of all boards, in order. */
export async function listBoards(folder = shipped): Promise<string[]> {
  const entries = await readdir(folder);
  return entries.filter((name) => existsSync(join(folder, name, 'board.yaml'))).sort();
}

/** @throws BoardFileError with every problem of the board, one a line */
export async function readBoard(board: string, folder = shipped): Promise<BoardFiles> {
  const boards = await listBoards(folder);
  if (!boards.includes(board)) throw new BoardFileError(`there is no board "${board}" in board-configs/; there are ${boards.join(', ')}`);
  const written = await readFileAs(join(folder, board, 'board.yaml'), `board-configs/${board}/board.yaml`, readWrittenBoard);
  const wiring = await wiringOf(written, folder);
  const definition = boardOf(written.value, wiring?.value);
  const problems = [...nameProblems(written, board, wiring), ...problemsOf(definition)];
  if (problems.length > 0) throw new BoardFileError(problems.map((problem) => sentence(problem, written, wiring)).join('\n'));
  return { definition, digest: digestOf(written.bytes, wiring?.bytes) };
}

async function wiringOf(
  { value: { wiring }, place, lineOf }: File<WrittenBoard>,
  folder: string,
): Promise<File<WrittenWiring> | undefined> {
  if (wiring === undefined) return undefined;
  const path = join(folder, 'wiring', `${wiring}.yaml`);
  if (!existsSync(path)) {
    const there = await readdir(join(folder, 'wiring')).catch(() => []);
    const names = there.filter((name) => name.endsWith('.yaml')).map((name) => name.slice(0, -'.yaml'.length));
    throw new BoardFileError(
      `${place}, line ${lineOf(['wiring'])}: wiring is "${wiring}", and board-configs/wiring/ has no such file; it has ${names.join(', ') || 'none'}`,
    );
  }
  return readFileAs(path, `board-configs/wiring/${wiring}.yaml`, readWrittenWiring);
}

async function readFileAs<T>(path: string, place: string, read: (raw: unknown) => Read<T>): Promise<File<T>> {
  const { size } = await stat(path);
  const most = DEVICE_LIMITS.boardFileBytesMax;
  if (size > most) throw new BoardFileError(`${place} has ${size} bytes; a board is described in at most ${most}`);
  const bytes = await readFile(path);
  const parsed = parseYaml(new TextDecoder().decode(bytes), () => false);
  if (parsed.status === 'malformed') throw new BoardFileError(`${place}, line ${parsed.line}: this is not YAML: ${parsed.detail}`);
  const lineOf = (at: KeyPath): number => parsed.lineOf(at);
  const result = read(parsed.value);
  if (result.status === 'malformed') throw new BoardFileError(`${place}, line ${lineOf(pathAt(result.detail))}: ${result.detail}`);
  return { place, value: result.value, bytes, lineOf };
}

/** What is right in each file and wrong between them. */
function nameProblems(written: File<WrittenBoard>, folder: string, wiring: File<WrittenWiring> | undefined): Problem[] {
  const problems: Problem[] = [];
  if (written.value.board !== folder)
    problems.push({ path: ['board'], detail: `is "${written.value.board}"; it must be the name of the folder, "${folder}"` });
  for (const key of wiring ? WIRING_KEYS : []) {
    if (written.value[key] !== undefined && wiring?.value[key] !== undefined)
      problems.push({ path: [key], detail: `stands in ${wiring.place} as well; it must stand in one of the two` });
  }
  return problems;
}

/** A problem is told in the file where its key stands. */
function sentence({ path, detail }: Problem, written: File<WrittenBoard>, wiring: File<WrittenWiring> | undefined): string {
  const [first] = path;
  const isShared = wiring !== undefined && !(typeof first === 'string' && Object.hasOwn(written.value, first));
  const file = isShared ? wiring : written;
  return `${file.place}, line ${file.lineOf(path)}: ${dotted(path)} ${detail}`;
}

/** The path with which a refusal of the schema begins: `lines.fans[0].name is …`. */
function pathAt(detail: string): KeyPath {
  const [place = ''] = /^[\w-]+(?:\.[\w-]+|\[\d+\])*/.exec(detail) ?? [];
  const path = [...place.matchAll(/([\w-]+)|\[(\d+)\]/g)].map(([, name, index]) => (index === undefined ? (name ?? '') : Number(index)));
  const unknown = /has an unknown field "([^"]*)"/.exec(detail)?.[1];
  if (unknown === undefined) return path;
  return detail.startsWith('the file ') ? [unknown] : [...path, unknown];
}

function digestOf(board: Uint8Array, wiring: Uint8Array | undefined): Uint8Array {
  if (!wiring) return sha256(board);
  return sha256(sha256(board), sha256(wiring));
}

function sha256(...parts: readonly Uint8Array[]): Uint8Array {
  const hash = createHash('sha256');
  for (const part of parts) hash.update(part);
  return new Uint8Array(hash.digest());
}
