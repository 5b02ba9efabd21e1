/**
 * The software TPM: the program swtpm and its tools. Their owner: nobody else starts them.
 *
 * It plays a TPM for development, tests and networks whose genesis allows it; its keys and its time are worth no more than
 * the machine it runs on. Everything it needs, its own certificate authority too, stands in the folder it is given, so it
 * needs no rights and reads nothing of the system's configuration.
 */
import { spawn, type ChildProcess } from 'node:child_process';
import { X509Certificate } from 'node:crypto';
import { once } from 'node:events';
import { existsSync } from 'node:fs';
import { mkdir, mkdtemp, readdir, readFile, rm, writeFile } from 'node:fs/promises';
import { connect } from 'node:net';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { getuid } from 'node:process';
import { setTimeout as sleep } from 'node:timers/promises';

import type { TpmHash } from '#protocol/tpm/algorithm.ts';
import { withoutDescriptors } from '../own-descriptors.ts';

export interface SoftwareTpmRequest {
  /** Folder of this one TPM; made where it is missing. */
  readonly folder: string;
  /** Folder of the certificate authority, for several TPMs to share; `<folder>/authority` by default. */
  readonly authorityFolder?: string;
  /** Banks that a new TPM keeps; SHA-256 alone by default. */
  readonly banks?: readonly TpmHash[];
}

export interface SoftwareTpm {
  /** How to reach it: `swtpm:path=…`; also in the file `<folder>/tcti` while it runs. */
  readonly tcti: string;
  /** Its socket: beside its state, or in a short folder of its own where that path would be too long for a socket. */
  readonly socket: string;
  /** Certificates (DER) of the authority that signed its endorsement key's certificate, root and issuer. */
  readonly caCertificates: readonly Uint8Array[];
  readonly pid: number;
  /** Resolves when the program has ended, however. */
  readonly ended: Promise<void>;
  /** Ends it in order. Who wants an orderly reset afterwards sends TPM2_Shutdown first (`shutdownTpm`). */
  readonly stop: () => Promise<void>;
  /** Ends it at once, as a power cut would. */
  readonly kill: () => Promise<void>;
}

/** sun_path is 108 bytes with its end; ".ctrl" is added to the socket's path. */
const socketPathBytesMax = 107 - '.ctrl'.length;
const startMsMax = 15_000; // a loaded Raspberry Pi takes seconds
const stopMsMax = 5_000;
const diagnosisMsMax = 2_000;
const pollMs = 10;
const messageCharactersMax = 2_000;

/** Makes the TPM where there is none yet, and starts it. It dies with this process. */
export async function startSoftwareTpm(request: SoftwareTpmRequest): Promise<SoftwareTpm> {
  const folder = resolve(request.folder);
  const authorityFolder = resolve(request.authorityFolder ?? join(folder, 'authority'));
  if (!existsSync(join(folder, 'state', 'tpm2-00.permall'))) await manufacture(folder, authorityFolder, request.banks ?? ['sha256']);
  const socketFolder = await socketFolderFor(folder);
  const socket = join(socketFolder, 'socket');
  const program = startProgram(folder, socket, 'unheard');
  if ((await beginsToListen(program, socket)) !== 'listening')
    throw new Error(`swtpm does not start: ${await reasonOfFailure(folder, socket)}`);
  // It ends with this process, so it needs not keep it alive.
  program.child.unref();
  return running(program, { folder, socketFolder, caCertificates: await readAuthority(authorityFolder) });
}

interface Program {
  readonly child: ChildProcess;
  readonly ended: Promise<void>;
  readonly said: () => string;
}

async function running(
  program: Program,
  { folder, socketFolder, caCertificates }: { folder: string; socketFolder: string; caCertificates: Uint8Array[] },
): Promise<SoftwareTpm> {
  const socket = join(socketFolder, 'socket');
  const tcti = `swtpm:path=${socket}`;
  const tctiFile = join(folder, 'tcti');
  await writeFile(tctiFile, `${tcti}\n`, { mode: 0o600 });
  const end = async (signal: 'SIGTERM' | 'SIGKILL'): Promise<void> => {
    await endProgram(program, signal);
    await rm(tctiFile, { force: true });
    if (socketFolder !== folder) await rm(socketFolder, { recursive: true, force: true });
  };
  return {
    tcti,
    socket,
    caCertificates,
    pid: program.child.pid ?? 0,
    ended: program.ended,
    stop: () => end('SIGTERM'),
    kill: () => end('SIGKILL'),
  };
}

/** Manufacture: endorsement keys, their certificates, the platform certificate. */
async function manufacture(folder: string, authorityFolder: string, banks: readonly TpmHash[]): Promise<void> {
  const state = join(folder, 'state');
  for (const path of [state, authorityFolder]) await mkdir(path, { recursive: true, mode: 0o700 });
  const config = await writeConfiguration(folder, authorityFolder);
  const unchangedUser = getuid?.() === 0 ? ['--runas', 'root'] : [];
  await runTool('swtpm_setup', [
    '--tpm2',
    '--tpmstate',
    state,
    '--config',
    config,
    '--create-ek-cert',
    '--create-platform-cert',
    '--pcr-banks',
    banks.join(','),
    '--not-overwrite',
    ...unchangedUser,
  ]);
}

/** @returns the path of the configuration for swtpm_setup */
async function writeConfiguration(folder: string, authorityFolder: string): Promise<string> {
  const [setup, authority, options] = ['setup.conf', 'authority.conf', 'authority.options'].map((name) => join(folder, name)) as [
    string,
    string,
    string,
  ];
  await writeFile(
    setup,
    `create_certs_tool=${await pathOf('swtpm_localca')}\ncreate_certs_tool_config=${authority}\ncreate_certs_tool_options=${options}\n`,
  );
  await writeFile(
    authority,
    `statedir = ${authorityFolder}\nsigningkey = ${join(authorityFolder, 'issuer-key.pem')}\n` +
      `issuercert = ${join(authorityFolder, 'issuer-certificate.pem')}\ncertserial = ${join(authorityFolder, 'serial')}\n`,
  );
  await writeFile(options, '--platform-manufacturer Capstan\n--platform-version 1\n--platform-model software\n');
  return setup;
}

async function pathOf(program: string): Promise<string> {
  const found = (process.env['PATH'] ?? '/usr/bin')
    .split(':')
    .map((folder) => join(folder, program))
    .find((path) => existsSync(path));
  if (found === undefined) throw new Error(`The program ${program} is missing; on Debian: sudo apt install swtpm swtpm-tools`);
  return found;
}

async function runTool(name: string, args: readonly string[]): Promise<void> {
  const program = watch(spawn(await pathOf(name), args, { stdio: ['ignore', 'pipe', 'pipe'] }));
  await program.ended;
  if (program.child.exitCode !== 0) throw new Error(`${name} could not make a software TPM: ${program.said()}`);
}

/** Sockets have short paths: a long one gets a folder of its own under the system's temporary folder. */
async function socketFolderFor(folder: string): Promise<string> {
  const path = join(folder, 'socket');
  return Buffer.byteLength(path) <= socketPathBytesMax ? folder : mkdtemp(join(tmpdir(), 'capstan-tpm-'));
}

/**
 * libtss2 reaches a socket S only when its control socket is S.ctrl. The kernel kills the child when its parent ends; a
 * group of its own keeps a Ctrl-C for the parent from ending the TPM before those who use it. swtpm says "Data client
 * disconnected" after every command and stops when nobody reads that, so it is heard only to learn why it does not start.
 */
function startProgram(folder: string, socket: string, hearing: 'heard' | 'unheard'): Program {
  const { program, words } = withoutDescriptors([
    'setpriv',
    '--pdeathsig',
    'KILL',
    'swtpm',
    'socket',
    '--tpm2',
    '--tpmstate',
    `dir=${join(folder, 'state')},mode=0600`,
    '--server',
    `type=unixio,path=${socket},mode=0600`,
    '--ctrl',
    `type=unixio,path=${socket}.ctrl,mode=0600`,
    '--flags',
    'not-need-init,startup-clear',
  ]);
  const child = spawn(program, words, { stdio: hearing === 'heard' ? ['ignore', 'pipe', 'pipe'] : 'ignore', detached: true });
  return watch(child);
}

/** What it says when it is started again in the same way. */
async function reasonOfFailure(folder: string, socket: string): Promise<string> {
  const program = startProgram(folder, socket, 'heard');
  const timer = setTimeout(() => program.child.kill('SIGKILL'), diagnosisMsMax);
  await program.ended;
  clearTimeout(timer);
  return program.said() || 'it gives no reason';
}

function watch(child: ChildProcess): Program {
  let said = '';
  const hear = (chunk: Buffer): void => {
    said = (said + chunk.toString()).slice(-messageCharactersMax);
  };
  child.stdout?.on('data', hear);
  child.stderr?.on('data', hear);
  const ended = new Promise<void>((resolveEnded) => {
    child.once('close', () => resolveEnded());
    child.once('error', (error) => {
      said += error.message;
      resolveEnded();
    });
  });
  return { child, ended, said: () => said.trim() };
}

async function beginsToListen(program: Program, socket: string): Promise<'listening' | 'ended' | 'late'> {
  const deadline = performance.now() + startMsMax;
  while (!(await accepts(`${socket}.ctrl`)) || !existsSync(socket)) {
    if (program.child.exitCode !== null || program.child.signalCode !== null || program.child.pid === undefined) return 'ended';
    if (performance.now() > deadline) {
      await endProgram(program, 'SIGKILL');
      return 'late';
    }
    await sleep(pollMs);
  }
  return 'listening';
}

async function accepts(path: string): Promise<boolean> {
  const socket = connect(path);
  try {
    await once(socket, 'connect');
    return true;
  } catch {
    return false;
  } finally {
    socket.destroy();
  }
}

async function endProgram({ child, ended }: Program, signal: 'SIGTERM' | 'SIGKILL'): Promise<void> {
  child.kill(signal);
  const late = new AbortController();
  const timer = sleep(stopMsMax, undefined, { signal: late.signal }).then(
    () => child.kill('SIGKILL'),
    () => false,
  );
  await ended;
  late.abort();
  await timer;
}

async function readAuthority(folder: string): Promise<Uint8Array[]> {
  const files = (await readdir(folder)).filter((name) => name.endsWith('.pem') && name.includes('cert')).sort();
  return Promise.all(files.map(async (name) => new Uint8Array(new X509Certificate(await readFile(join(folder, name))).raw)));
}
