/**
 * Where a capsule's files lie while it runs: a folder under /var/tmp that the capsule's user can reach, because the
 * agent's own folders are closed to it (a checkout under a 0700 home, a state folder).
 *
 *   capstan-sandbox-<agent's uid>/   0711, the agent's; every agent of that user on this machine shares it
 *     system/                        passwd, group and hosts of every sandbox
 *     runtimes/<SHA-256>/<name>      interpreters that lie outside /usr
 *     <slot>/                        one workspace; 0710, group of its lent user, so no other capsule's user can enter
 *       owner                        the agent's process, by which a later agent knows a stale workspace
 *       capsule/                     the capsule's files, read-only
 */
import { createHash } from 'node:crypto';
import { createReadStream, readFileSync } from 'node:fs';
import { chmod, chown, copyFile, constants, link, lstat, mkdir, readdir, readFile, rename, rm, stat, writeFile } from 'node:fs/promises';
import path from 'node:path';
import { pipeline } from 'node:stream/promises';
import type { CapsuleFile } from '../executor.ts';
import { ownerlessStageMs, workspaceSlots } from '../limits.ts';
import { identityForSlot, type Identity } from './identity.ts';

export interface StageRoot {
  readonly folder: string;
  readonly systemFolder: string;
}

export interface Stage {
  readonly slot: number;
  readonly identity: Identity;
  readonly folder: string;
  readonly capsuleFolder: string;
}

export interface StaleStage {
  readonly slot: number;
  readonly folder: string;
}

/** @throws Error with code `ESTAGE` when the folder belongs to someone else or others may write to it */
export async function openStageRoot(parentFolder: string): Promise<StageRoot> {
  const folder = path.join(parentFolder, `capstan-sandbox-${effectiveUser()}`);
  await makeOwnFolder(folder, 0o711);
  const systemFolder = path.join(folder, 'system');
  await makeOwnFolder(systemFolder, 0o755);
  await makeOwnFolder(path.join(folder, 'runtimes'), 0o711);
  for (const [name, content] of Object.entries(systemFiles)) await putFile(path.join(systemFolder, name), content);
  return { folder, systemFolder };
}

/** Takes a free slot and with it a user id that no other workspace of this machine has. */
export async function claimStage(root: StageRoot): Promise<Stage> {
  const uidMap = readFileSync('/proc/self/uid_map', 'utf8');
  for (;;) {
    const slot = Math.floor(Math.random() * workspaceSlots);
    const folder = path.join(root.folder, String(slot));
    if (!(await tryMakeFolder(folder))) continue;
    await writeFile(path.join(folder, 'owner'), ownerNote(process.pid), { mode: 0o600 });
    const stage = { slot, identity: identityForSlot(effectiveUser(), uidMap, slot), folder, capsuleFolder: path.join(folder, 'capsule') };
    await makeEnterable(folder, stage.identity);
    await mkdir(stage.capsuleFolder, 0o700);
    await makeEnterable(stage.capsuleFolder, stage.identity);
    return stage;
  }
}

export async function removeStage(stage: { readonly folder: string }): Promise<void> {
  await rm(stage.folder, { recursive: true, force: true });
}

/** Lays out the capsule's files. Returns the path of the first whose content is not what its digest says. */
export async function layOut(stage: Stage, files: readonly CapsuleFile[]): Promise<string | undefined> {
  const folders = new Set<string>();
  for (const file of files) {
    await makeFolders(stage, file.path, folders);
    const target = path.join(stage.capsuleFolder, file.path);
    await placeFile(stage, file, target);
    if (file.digest !== undefined && !equal(await fileDigest(target), file.digest)) return file.path;
  }
  return undefined;
}

/** A copy of an interpreter that the capsule's user can reach; one for each content, made once. */
export async function stageInterpreter(root: StageRoot, interpreter: string, digest: Uint8Array): Promise<string> {
  const folder = path.join(root.folder, 'runtimes', digest.toHex());
  const target = path.join(folder, path.basename(interpreter));
  if (await isThere(target)) return target;
  await makeOwnFolder(folder, 0o711);
  const fresh = `${target}.${process.pid}`;
  await copyFile(interpreter, fresh, constants.COPYFILE_FICLONE);
  await chmod(fresh, 0o555);
  if (!equal(await fileDigest(fresh), digest)) throw stageError(`${interpreter} changed since its digest was taken; start the agent again`);
  await rename(fresh, target);
  return target;
}

/** Name of a workspace's limit group: agents of different users share the hierarchy, not the slots. */
export function groupName({ slot }: { readonly slot: number }): string {
  return `${effectiveUser()}-${slot}`;
}

/** Workspaces whose agent is gone. */
export async function staleStages(root: StageRoot): Promise<StaleStage[]> {
  const slots = (await readdir(root.folder)).filter((name) => /^\d+$/.test(name));
  const stages = slots.map((name) => ({ slot: Number(name), folder: path.join(root.folder, name) }));
  const states = await Promise.all(stages.map((stage) => isStale(stage.folder)));
  return stages.filter((_, index) => states[index]);
}

const systemFiles = {
  passwd: 'capsule:x:1000:1000:capsule:/tmp:/bin/sh\nnobody:x:65534:65534:nobody:/nonexistent:/usr/sbin/nologin\n',
  group: 'capsule:x:1000:\nnogroup:x:65534:\n',
  hosts: '127.0.0.1 localhost\n::1 localhost\n',
};

function effectiveUser(): number {
  return process.geteuid?.() ?? 0;
}

function stageError(message: string): Error {
  return Object.assign(new Error(message), { code: 'ESTAGE' });
}

async function tryMakeFolder(folder: string): Promise<boolean> {
  try {
    await mkdir(folder, 0o700);
    return true;
  } catch (error) {
    if (error instanceof Error && 'code' in error && error.code === 'EEXIST') return false;
    throw error;
  }
}

async function makeOwnFolder(folder: string, mode: number): Promise<void> {
  if (await tryMakeFolder(folder)) await chmod(folder, mode);
  const found = await lstat(folder);
  if (!found.isDirectory() || found.uid !== effectiveUser() || (found.mode & 0o022) !== 0) {
    throw stageError(`${folder} must be a folder of user ${effectiveUser()} that nobody else can write to; remove it`);
  }
}

async function putFile(target: string, content: string): Promise<void> {
  const fresh = `${target}.${process.pid}`;
  await writeFile(fresh, content, { mode: 0o644 });
  await rename(fresh, target);
}

async function makeEnterable(target: string, identity: Identity): Promise<void> {
  if (identity.kind === 'own') return;
  await chown(target, 0, identity.gid);
  await chmod(target, 0o750);
}

async function makeFolders(stage: Stage, file: string, made: Set<string>): Promise<void> {
  const segments = file.split('/').slice(0, -1);
  for (let depth = 1; depth <= segments.length; depth += 1) {
    const folder = path.join(stage.capsuleFolder, ...segments.slice(0, depth));
    if (made.has(folder)) continue;
    await mkdir(folder, 0o700);
    await makeEnterable(folder, stage.identity);
    made.add(folder);
  }
}

/** A link where the blob is readable as it is, else a copy: no capsule may change what others will run. */
async function placeFile(stage: Stage, file: CapsuleFile, target: string): Promise<void> {
  const isReadable = file.executable !== true && ((await stat(file.source)).mode & 0o004) !== 0;
  if (isReadable && (await tryLink(file.source, target))) return;
  await copyFile(file.source, target, constants.COPYFILE_FICLONE);
  if (stage.identity.kind === 'lent') await chown(target, 0, stage.identity.gid);
  await chmod(target, file.executable === true ? 0o550 : 0o440);
}

async function tryLink(source: string, target: string): Promise<boolean> {
  try {
    await link(source, target);
    return true;
  } catch {
    return false; // another file system, or one without links: it is copied
  }
}

async function isThere(target: string): Promise<boolean> {
  return lstat(target).then(
    () => true,
    () => false,
  );
}

async function fileDigest(target: string): Promise<Uint8Array> {
  const hash = createHash('sha256');
  await pipeline(createReadStream(target, { highWaterMark: 1 << 20 }), hash);
  return hash.digest();
}

function equal(left: Uint8Array, right: Uint8Array): boolean {
  return Buffer.compare(left, right) === 0;
}

/** A process id alone is given again after a while; with its start time it is not, until the machine restarts. */
function ownerNote(pid: number): string {
  return `${pid} ${startTicks(pid)} ${readFileSync('/proc/sys/kernel/random/boot_id', 'utf8').trim()}`;
}

/** Field 22 of /proc/<pid>/stat (proc(5)); the command in field 2 may contain anything but ends with the last ")". */
function startTicks(pid: number): string {
  const status = readFileSync(`/proc/${pid}/stat`, 'utf8');
  return status.slice(status.lastIndexOf(')') + 2).split(' ')[19] ?? '';
}

async function isStale(folder: string): Promise<boolean> {
  const note = await readFile(path.join(folder, 'owner'), 'utf8').catch(() => '');
  if (note === '') return isOld(folder);
  try {
    return ownerNote(Number(note.split(' ')[0])) !== note;
  } catch {
    return true; // no such process
  }
}

async function isOld(folder: string): Promise<boolean> {
  const found = await stat(folder).catch(() => undefined);
  return found !== undefined && Date.now() - found.mtimeMs > ownerlessStageMs;
}
