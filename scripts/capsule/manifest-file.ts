/** The file in which a person writes a capsule (specification §7.1): found, read, and refused with file, line and key. */
import { open, stat } from 'node:fs/promises';
import { basename, dirname, join, resolve } from 'node:path';

import { LIMITS } from '#protocol/limits.ts';
import { readWrittenManifest, WRITTEN_MANIFEST_FIELDS, type WrittenManifest } from '#protocol/manifest.ts';
import { nearest } from '../arguments.ts';
import { CommandFailure, systemCode } from './failure.ts';
import { contentText } from './foreign-file.ts';
import { parseYaml, type KeyPath } from '../../device/yaml.ts';

export interface ManifestFile {
  readonly written: WrittenManifest;
  /** As the person gave it, for messages. */
  readonly path: string;
  /** Absolute; files of the capsule are relative to it. */
  readonly folder: string;
}

const names = ['capsule.yaml', 'capsule.yml', 'capsule.json'];

/** @param given a manifest, or a folder that holds one. @throws CommandFailure */
export async function readManifestFile(given: string): Promise<ManifestFile> {
  const path = await findManifest(given);
  const source = await readText(path);
  if (source.trim() === '' || source.trimStart().startsWith('<'))
    throw new CommandFailure(2, `${path} is not a manifest: ${contentText(new TextEncoder().encode(source.trim()))}; ${manifestAdvice}`);
  const parsed = parseYaml(source, ([first]) => first === 'arguments' || first === 'environment');
  if (parsed.status === 'malformed')
    throw new CommandFailure(2, `${path}, line ${parsed.line}: this is not YAML or JSON: ${parsed.detail}`);
  const read = readWrittenManifest(parsed.value);
  if (read.status === 'malformed') throw slipOfKey(path, read.detail, parsed) ?? malformed(path, read.detail, parsed.lineOf.bind(parsed));
  return { written: read.value, path, folder: resolve(dirname(path)) };
}

async function findManifest(given: string): Promise<string> {
  if (!(await isFolder(given))) return given;
  for (const name of names) {
    if (await exists(join(given, name))) return join(given, name);
  }
  throw new CommandFailure(2, `the folder ${given} holds no manifest; it must hold one of ${names.join(', ')}`);
}

async function isFolder(path: string): Promise<boolean> {
  try {
    return (await stat(path)).isDirectory();
  } catch (error) {
    if (systemCode(error) === 'ENOENT')
      throw new CommandFailure(2, `there is no file ${path}; submit takes a ${names[0] ?? ''}, or a folder that holds one`);
    throw error;
  }
}

async function exists(path: string): Promise<boolean> {
  return stat(path).then(
    (found) => found.isFile(),
    () => false,
  );
}

async function readText(path: string): Promise<string> {
  const file = await open(path, 'r');
  let content: Uint8Array = new Uint8Array();
  try {
    const found = await file.stat();
    if (!found.isFile()) throw new CommandFailure(2, `${path} is not a file`);
    if (found.size > LIMITS.manifestBytesMax)
      throw new CommandFailure(
        2,
        `${path} has ${found.size} bytes; a manifest has at most ${LIMITS.manifestBytesMax}. Is it ${basename(path)} that describes the capsule?`,
      );
    content = await file.readFile();
    return new TextDecoder('utf-8', { fatal: true }).decode(content);
  } catch (error) {
    if (error instanceof TypeError) throw new CommandFailure(2, `${path} is not text in UTF-8: ${contentText(content)}; ${manifestAdvice}`);
    throw error;
  } finally {
    await file.close();
  }
}

/** A field is lacking, and a key that nobody knows stands there with nearly its name. */
function slipOfKey(
  path: string,
  detail: string,
  parsed: { readonly value: unknown; lineOf: (path: KeyPath) => number },
): CommandFailure | undefined {
  const lacking = /^message lacks the field "([^"]*)"/.exec(detail)?.[1];
  if (lacking === undefined || typeof parsed.value !== 'object' || parsed.value === null) return undefined;
  const unknown = Object.keys(parsed.value).find((key) => !MANIFEST_KEYS.includes(key) && nearest(key, MANIFEST_KEYS) === lacking);
  if (unknown === undefined) return undefined;
  const line = parsed.lineOf([unknown]);
  return new CommandFailure(
    2,
    `${path}, line ${line}: the manifest has an unknown field "${unknown}"; did you mean "${lacking}", which it lacks?`,
  );
}

/** The schema names the place as `message.limits.wallSeconds`; people see the line and the key. */
function malformed(path: string, detail: string, lineOf: (path: KeyPath) => number): CommandFailure {
  const [place = 'message'] = /^message(?:\.[\w-]+|\[\d+\])*/.exec(detail) ?? [];
  const unknown = /has an unknown field "([^"]*)"; known are (.*)$/.exec(detail);
  const keys = keysOf(place);
  const line = lineOf(unknown?.[1] === undefined ? keys : [...keys, unknown[1]]);
  const subject = place === 'message' ? 'the manifest' : place.slice('message.'.length);
  const meant = unknown?.[1] === undefined ? undefined : nearest(unknown[1], (unknown[2] ?? '').split(', '));
  return new CommandFailure(
    2,
    `${path}, line ${line}: ${subject}${detail.slice(place.length)}${meant === undefined ? '' : `; did you mean "${meant}"?`}${hint(detail)}`,
  );
}

const manifestAdvice = 'a manifest is a capsule.yaml that begins with "capsule: 1"; scripts/sample/capsule.yaml is one';

function hint(detail: string): string {
  return detail.includes('lacks the field "capsule"') ? '; write "capsule: 1", the version of the format' : '';
}

function keysOf(place: string): KeyPath {
  return [...place.slice('message'.length).matchAll(/\.([\w-]+)|\[(\d+)\]/g)].map(([, name, index]) => name ?? Number(index));
}

/** For `--help`: what can stand in a manifest. */
export const MANIFEST_KEYS: readonly string[] = Object.keys(WRITTEN_MANIFEST_FIELDS);
