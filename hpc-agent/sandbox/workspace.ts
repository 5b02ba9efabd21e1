/**
 * One run of one capsule: starts the sandbox, holds it at its gate until it is bounded and watched, opens the gate, and
 * reports how it ended. The tree dies with bubblewrap's first process, and that one with the agent.
 */
import assert from 'node:assert/strict';
import { spawn, type ChildProcess } from 'node:child_process';
import { closeSync, constants, openSync, readFileSync, statfsSync, writeFileSync, writeSync } from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import { Readable } from 'node:stream';
import type { LogStream, Outcome, Outputs, RunEvents, StopReason, Usage, Workspace } from '../executor.ts';
import { complaintBytesMax, progressBytesMax, sampleMs, sandboxStartMs } from '../limits.ts';
import { commandLine, descriptors, hiddenOptions, programs, type SandboxPlan } from './bubblewrap.ts';
import { openGate, openInlet, type Gate, type Inlet } from './channels.ts';
import { inheritableDescriptors } from './descriptors.ts';
import type { Meter } from './meter.ts';
import { collectOutputs, weighOutputs } from './outputs.ts';
import { LineSplitter, parseProgress } from './progress.ts';
import { removeStage, type Stage } from './stage.ts';
import { judgeEnd, reasonToKill, type Ending, type Fullness, type Kill, type Reading } from './verdict.ts';

export interface WorkspaceParts {
  readonly stage: Stage;
  readonly plan: SandboxPlan;
  readonly meter: Meter;
  /** File with the filter on system calls. */
  readonly filterFile: string;
  onDisposed(): void;
}

type Phase = 'new' | 'starting' | 'running' | 'ended' | 'disposed';

export class SandboxWorkspace implements Workspace {
  readonly #parts: WorkspaceParts;
  #phase: Phase = 'new';
  #child: ChildProcess | undefined;
  /** The first process inside: with it the kernel ends all others. */
  #first: number | undefined;
  #kill: Kill | undefined;
  #ended: Promise<Outcome> | undefined;
  #folders: { readonly out: number; readonly scratch: number } | undefined;
  #processesMax = 0;

  constructor(parts: WorkspaceParts) {
    this.#parts = parts;
  }

  run(events: RunEvents): Promise<Outcome> {
    if (this.#phase !== 'new') throw new Error(`a workspace runs once; this one is ${this.#phase}`);
    this.#phase = 'starting';
    this.#ended = this.#run(events).finally(() => { this.#phase = 'ended'; });
    return this.#ended;
  }

  async stop(reason: StopReason): Promise<void> {
    this.#end({ reason, detail: reason === 'cancelled' ? 'the run was cancelled' : 'the run was stopped for its time' });
    await this.#ended?.catch(() => undefined);
  }

  outputs(): Promise<Outputs> {
    if (this.#phase !== 'ended') throw new Error(`outputs are there once the run has ended; this one is ${this.#phase}`);
    return this.#folders === undefined ? Promise.resolve({ files: [], ignored: [] }) : collectOutputs(descriptorPath(this.#folders.out), this.#parts.plan.limits.outputBytes);
  }

  async dispose(): Promise<void> {
    if (this.#phase === 'disposed') return;
    await this.stop('cancelled');
    this.#phase = 'disposed';
    if (this.#folders !== undefined) for (const descriptor of Object.values(this.#folders)) closeSync(descriptor);
    await this.#parts.meter.remove();
    await removeStage(this.#parts.stage);
    this.#parts.onDisposed();
  }

  async #run(events: RunEvents): Promise<Outcome> {
    if (this.#kill !== undefined) return { status: 'killed', ...this.#kill, usage: noUsage };
    const launch = this.#launch();
    const taps = this.#listen(launch, events);
    const start = await this.#awaitStart(launch);
    if (start.status === 'failed') {
      await launch.ended;
      return { status: 'failed', reason: 'sandbox-unavailable', detail: taps.complaint() || start.detail, usage: noUsage };
    }
    const startedAt = performance.now();
    taps.passOn();
    const ending = await this.#watch(launch);
    return this.#report(ending, performance.now() - startedAt);
  }

  #launch(): Launch {
    const { stage, plan, filterFile } = this.#parts;
    const optionsFile = path.join(stage.folder, 'options');
    writeFileSync(optionsFile, hiddenOptions(plan.environment), { mode: 0o600 });
    const inlets = { stdout: openInlet(stage.folder, 'stdout'), stderr: openInlet(stage.folder, 'stderr'), progress: openInlet(stage.folder, 'progress') };
    const gate = openGate(stage.folder);
    const files = [openSync(filterFile, 'r'), openSync(optionsFile, 'r'), openSync('/dev/null', 'r')] as const;
    const launch = startSandbox(this.#parts, inlets, gate, files);
    for (const inlet of Object.values(inlets)) inlet.release();
    for (const descriptor of files) closeSync(descriptor);
    this.#child = launch.child;
    return launch;
  }

  #listen(launch: Launch, events: RunEvents): Taps {
    const splitter = new LineSplitter();
    const early: Buffer[] = [];
    let isRunning = false;
    let logBytes = 0;
    let progressBytes = 0;
    const { logBytes: logBytesMax } = this.#parts.plan.limits;
    const log = (stream: LogStream) => (bytes: Buffer) => {
      if (!isRunning) {
        early.push(bytes);
        return;
      }
      const room = logBytesMax - logBytes;
      logBytes += bytes.length;
      if (room > 0) events.onLog(stream, bytes.subarray(0, room));
      if (bytes.length > room) this.#end({ reason: 'log-flood', detail: `the log is longer than ${logBytesMax} bytes` });
    };
    launch.inlets.stdout.stream.on('data', log('stdout'));
    launch.inlets.stderr.stream.on('data', log('stderr'));
    launch.inlets.progress.stream.on('data', (bytes: Buffer) => {
      progressBytes += bytes.length;
      if (progressBytes > progressBytesMax) this.#end({ reason: 'log-flood', detail: `the progress channel carried more than ${progressBytesMax} bytes` });
      else for (const value of splitter.push(bytes).map(parseProgress)) if (value !== undefined) events.onProgress(value);
    });
    return {
      passOn: () => { isRunning = true; },
      complaint: () => Buffer.concat(early).subarray(0, complaintBytesMax).toString().trim(),
    };
  }

  /** Bounds the sandbox while it waits at its gate, then opens the gate. */
  async #awaitStart(launch: Launch): Promise<Start> {
    const timer = setTimeout(() => { this.#killTree(); }, sandboxStartMs);
    const pid = await Promise.race([firstProcess(launch.information), launch.ended.then(() => undefined)]);
    if (pid !== undefined) {
      this.#first = pid;
      this.#parts.meter.attach(pid);
      this.#folders = await this.#openFolders(launch, pid);
    }
    clearTimeout(timer);
    if (this.#folders === undefined) {
      closeSync(launch.gate.descriptor);
      const ending = await launch.ended;
      return { status: 'failed', detail: ending.error ?? `bubblewrap ended with ${ending.code} before the capsule started` };
    }
    this.#phase = 'running';
    if (this.#kill === undefined) writeSync(launch.gate.descriptor, 'x');
    else this.#killTree();
    closeSync(launch.gate.descriptor);
    return { status: 'started' };
  }

  /**
   * /out and /tmp of the sandbox, which only its own root folder leads to. It takes that root a few milliseconds after
   * its first process is there, and no event tells.
   */
  async #openFolders(launch: Launch, pid: number): Promise<{ out: number; scratch: number } | undefined> {
    const state = { isEnded: false };
    void launch.ended.then(() => { state.isEnded = true; });
    for (;;) {
      const out = tryOpenMemoryFolder(`/proc/${pid}/root/out`);
      if (out !== undefined) return { out, scratch: openSync(`/proc/${pid}/root/tmp`, folderFlags) };
      if (state.isEnded) return undefined;
      await new Promise((resolve) => setTimeout(resolve, 1));
    }
  }

  async #watch(launch: Launch): Promise<Ending> {
    const { limits } = this.#parts.plan;
    const wall = setTimeout(() => {
      this.#end({ reason: 'wall-time', detail: `the capsule ran longer than ${limits.wallMs} ms` });
    }, limits.wallMs);
    const sampling = setInterval(() => {
      const kill = reasonToKill(limits, this.#read());
      if (kill !== undefined) this.#end(kill);
    }, sampleMs);
    const ending = await launch.ended;
    clearTimeout(wall);
    clearInterval(sampling);
    return ending;
  }

  async #report(ending: Ending, wallMs: number): Promise<Outcome> {
    const { limits } = this.#parts.plan;
    const reading = this.#read();
    const weight = this.#folders === undefined ? { bytes: 0, files: 0 } : await weighOutputs(descriptorPath(this.#folders.out));
    const { cpuMs, memoryBytesMax } = reading.tree;
    const usage: Usage = { wallMs: Math.round(wallMs), cpuMs: Math.round(cpuMs), memoryBytesMax, processesMax: this.#processesMax };
    return { ...judgeEnd(limits, ending, this.#kill, reading, weight), usage };
  }

  #read(): Reading {
    const tree = this.#parts.meter.sample();
    this.#processesMax = Math.max(this.#processesMax, tree.processes);
    const folders = this.#folders;
    if (folders === undefined) throw new Error('a sandbox is measured once it has started');
    return { tree, out: fullness(folders.out), scratch: fullness(folders.scratch) };
  }

  /** A sandbox that is not set up yet is killed at its gate, once its first process is known. */
  #end(kill: Kill): void {
    this.#kill ??= kill;
    if (this.#phase === 'running') this.#killTree();
  }

  /**
   * bubblewrap's death signal is armed only after the gate (a change of credentials clears it, prctl(2)), so the first
   * process is killed by itself. It cannot have become another's while its parent, our child, is there.
   */
  #killTree(): void {
    const child = this.#child;
    if (child?.pid === undefined || child.exitCode !== null || child.signalCode !== null) return;
    if (this.#first !== undefined && parentOf(this.#first) === child.pid) process.kill(this.#first, 'SIGKILL');
    child.kill('SIGKILL');
  }
}

const noUsage: Usage = { wallMs: 0, cpuMs: 0, memoryBytesMax: 0, processesMax: 0 };

type Start = { readonly status: 'started' } | { readonly status: 'failed'; readonly detail: string };

interface Taps {
  /** From here on, what arrives is the capsule's. */
  passOn(): void;
  /** What the sandbox itself said before. */
  complaint(): string;
}

interface Launch {
  readonly child: ChildProcess;
  readonly inlets: Readonly<Record<LogStream | 'progress', Inlet>>;
  readonly gate: Gate;
  readonly information: Readable;
  /** Resolves when bubblewrap is gone and every process that held a log open, too. */
  readonly ended: Promise<Ending & { readonly error?: string }>;
}

function startSandbox({ stage, plan }: WorkspaceParts, inlets: Launch['inlets'], gate: Gate, [filter, options, nothing]: readonly [number, number, number]): Launch {
  const inherited = inheritableDescriptors();
  const stdio = [
    nothing, inlets.stdout.writeDescriptor, inlets.stderr.writeDescriptor, inlets.progress.writeDescriptor,
    filter, gate.descriptor, 'pipe' as const, options,
    ...covers(inherited, nothing),
  ];
  const user = stage.identity.kind === 'lent' ? { uid: stage.identity.uid, gid: stage.identity.gid } : {};
  const child = spawn(programs.bubblewrap, commandLine(plan), { ...user, stdio, env: {}, cwd: '/' });
  const information = (child.stdio as readonly unknown[])[descriptors.information];
  assert(information instanceof Readable);
  return { child, inlets, gate, information, ended: endOf(child, Object.values(inlets)) };
}

/** Node can't close what this process inherited open, so the sandbox gets /dev/null in those places. */
function covers(inherited: readonly number[], nothing: number): (number | 'ignore')[] {
  const own = descriptors.options + 1;
  const highest = inherited.at(-1) ?? 0;
  return Array.from({ length: Math.max(0, highest + 1 - own) }, (_, index) => (inherited.includes(own + index) ? nothing : 'ignore'));
}

async function endOf(child: ChildProcess, inlets: readonly Inlet[]): Promise<Ending & { readonly error?: string }> {
  const exit = new Promise<Ending & { readonly error?: string }>((resolve) => {
    child.on('error', (error) => { resolve({ code: 1, error: error.message }); });
    child.on('exit', (code, signal) => { resolve(endingOf(code, signal)); });
  });
  const closed = inlets.map(({ stream }) => new Promise((resolve) => stream.on('close', resolve)));
  const [ending] = await Promise.all([exit, ...closed]);
  return ending;
}

/** A capsule that exits with 128 + n by itself cannot be told from one that signal n ended. */
function endingOf(code: number | null, signal: NodeJS.Signals | null): Ending {
  const number = code === null ? undefined : code - 128;
  const name = signal ?? Object.entries(os.constants.signals).find(([, value]) => value === number)?.[0];
  return { code: code ?? 1, ...(name === undefined ? {} : { signal: name }) };
}

function firstProcess(information: Readable): Promise<number | undefined> {
  return new Promise((resolve) => {
    let text = '';
    information.on('data', (bytes: Buffer) => {
      text += bytes.toString();
      const pid = /"child-pid":\s*(\d+)/.exec(text)?.[1];
      if (pid !== undefined && text.includes('}')) resolve(Number(pid));
    });
    information.on('error', () => { resolve(undefined); });
    information.on('end', () => { resolve(undefined); });
  });
}

/** Field 4 of /proc/<pid>/stat (proc(5)); undefined once the process is gone. */
function parentOf(pid: number): number | undefined {
  try {
    const status = readFileSync(`/proc/${pid}/stat`, 'utf8');
    return Number(status.slice(status.lastIndexOf(')') + 2).split(' ')[1]);
  } catch {
    return undefined;
  }
}

const folderFlags = constants.O_RDONLY | constants.O_DIRECTORY;
const memoryFileSystem = 0x01021994; // TMPFS_MAGIC of linux/magic.h

/** Undefined until the sandbox has its own root; a host that has an /out shows another file system there before. */
function tryOpenMemoryFolder(folder: string): number | undefined {
  try {
    const descriptor = openSync(folder, folderFlags);
    if (statfsSync(descriptorPath(descriptor)).type === memoryFileSystem) return descriptor;
    closeSync(descriptor);
  } catch {
    return undefined; // not yet, or no longer
  }
  return undefined;
}

function descriptorPath(descriptor: number): string {
  return `/proc/self/fd/${descriptor}`;
}

function fullness(descriptor: number): Fullness {
  const { bavail, bsize, files, ffree } = statfsSync(descriptorPath(descriptor));
  return { bytesFree: bavail * bsize, entries: files - ffree };
}
