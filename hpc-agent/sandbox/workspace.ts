/**
 * One run of one capsule: lets the sandbox set itself up, holds it at its gate until it is watched, opens the gate, and
 * reports how it ended. The tree dies with bubblewrap's first process, and that one with the agent.
 */
import { closeSync, constants, openSync, readFileSync, statfsSync, writeSync } from 'node:fs';
import type { Readable } from 'node:stream';
import type { LogStream, Outcome, Outputs, RunEvents, StopReason, Usage, Workspace } from '../executor.ts';
import { complaintBytesMax, progressBytesMax, sampleMs, sandboxEndMs, sandboxStartMs } from '../limits.ts';
import type { SandboxPlan } from './bubblewrap.ts';
import type { Cell, CellEnding } from './cell.ts';
import { collectOutputs, weighOutputs } from './outputs.ts';
import { LineSplitter, parseProgress } from './progress.ts';
import { judgeEnd, reasonToKill, type Ending, type Fullness, type Kill, type Reading } from './verdict.ts';

type Phase = 'prepared' | 'starting' | 'running' | 'ended' | 'disposed';

export class SandboxWorkspace implements Workspace {
  readonly #cell: Cell;
  readonly #plan: SandboxPlan;
  readonly #onDisposed: () => void;
  readonly #setUp: Promise<SetUp>;
  #phase: Phase = 'prepared';
  /** The first process inside: with it the kernel ends all others. */
  #first: number | undefined;
  #folders: Folders | undefined;
  #kill: Kill | undefined;
  #ended: Promise<Outcome> | undefined;
  #processesMax = 0;

  constructor(cell: Cell, plan: SandboxPlan, onDisposed: () => void) {
    this.#cell = cell;
    this.#plan = plan;
    this.#onDisposed = onDisposed;
    cell.begin(plan);
    this.#setUp = this.#awaitSetUp();
  }

  run(events: RunEvents): Promise<Outcome> {
    if (this.#phase !== 'prepared') throw new Error(`a workspace runs once; this one is ${this.#phase}`);
    this.#phase = 'starting';
    this.#ended = this.#run(events).finally(() => {
      this.#phase = 'ended';
    });
    return this.#ended;
  }

  async stop(reason: StopReason): Promise<void> {
    this.#end({ reason, detail: reason === 'cancelled' ? 'the run was cancelled' : 'the run was stopped for its time' });
    await this.#ended?.catch(() => undefined);
  }

  async outputs(): Promise<Outputs> {
    if (this.#phase !== 'ended') throw new Error(`outputs are there once the run has ended; this one is ${this.#phase}`);
    if (this.#folders === undefined) return { files: [], ignored: [] };
    return collectOutputs(descriptorPath(this.#folders.out), this.#plan.limits.outputBytes);
  }

  async dispose(): Promise<void> {
    if (this.#phase === 'disposed') return;
    await this.stop('cancelled');
    this.#phase = 'disposed';
    for (const { stream } of Object.values(this.#cell.inlets)) stream.resume();
    await this.#setUp;
    this.#killTree();
    await this.#cell.ended;
    if (this.#folders !== undefined) for (const descriptor of [this.#folders.out, this.#folders.scratch]) closeSync(descriptor);
    closeSync(this.#cell.gate.descriptor);
    await this.#cell.remove();
    this.#onDisposed();
  }

  async #run(events: RunEvents): Promise<Outcome> {
    const taps = this.#listen(events);
    const setUp = await this.#setUp;
    if (setUp.status === 'failed') {
      await this.#cell.ended;
      return { status: 'failed', reason: 'sandbox-unavailable', detail: taps.complaint() || setUp.detail, usage: noUsage };
    }
    const startedAt = performance.now();
    taps.passOn();
    this.#phase = 'running';
    if (this.#kill === undefined) writeSync(this.#cell.gate.descriptor, 'x');
    else this.#killTree();
    const ending = await this.#watch();
    return this.#report(ending, performance.now() - startedAt);
  }

  #listen(events: RunEvents): Taps {
    const splitter = new LineSplitter();
    const early: Buffer[] = [];
    let isRunning = false;
    let logBytes = 0;
    let progressBytes = 0;
    const { logBytes: logBytesMax } = this.#plan.limits;
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
    this.#cell.inlets.stdout.stream.on('data', log('stdout'));
    this.#cell.inlets.stderr.stream.on('data', log('stderr'));
    this.#cell.inlets.progress.stream.on('data', (bytes: Buffer) => {
      progressBytes += bytes.length;
      if (progressBytes > progressBytesMax)
        this.#end({ reason: 'log-flood', detail: `the progress channel carried more than ${progressBytesMax} bytes` });
      else for (const value of splitter.push(bytes).map(parseProgress)) if (value !== undefined) events.onProgress(value);
    });
    return {
      passOn: () => {
        isRunning = true;
      },
      complaint: () => Buffer.concat(early).subarray(0, complaintBytesMax).toString().trim(),
    };
  }

  /** Until the sandbox waits at its gate with its root in place. */
  async #awaitSetUp(): Promise<SetUp> {
    const timer = setTimeout(() => {
      this.#killTree();
    }, sandboxStartMs);
    const pid = await Promise.race([firstProcess(this.#cell.information), this.#cell.ended.then(() => undefined)]);
    if (pid !== undefined) {
      this.#first = pid;
      this.#cell.meter.watch(pid);
      this.#folders = await this.#openFolders(pid);
    }
    clearTimeout(timer);
    if (this.#folders !== undefined) return { status: 'ready' };
    const ending: CellEnding = await this.#cell.ended;
    return { status: 'failed', detail: ending.error ?? `bubblewrap ended with ${ending.code} before the capsule started` };
  }

  /**
   * /out and /tmp of the sandbox, which only its own root folder leads to. It takes that root a few milliseconds after
   * its first process is there, and no event tells.
   */
  async #openFolders(pid: number): Promise<Folders | undefined> {
    const { child } = this.#cell;
    while (child.exitCode === null && child.signalCode === null) {
      const out = tryOpenMemoryFolder(`/proc/${pid}/root/out`);
      if (out !== undefined) return { out, scratch: openSync(`/proc/${pid}/root/tmp`, folderFlags) };
      await new Promise((resolve) => setTimeout(resolve, 1));
    }
    return undefined;
  }

  async #watch(): Promise<Ending> {
    const { limits } = this.#plan;
    const wall = setTimeout(() => {
      this.#end({ reason: 'wall-time', detail: `the capsule ran longer than ${limits.wallMs} ms` });
    }, limits.wallMs);
    const sampling = setInterval(() => {
      const kill = reasonToKill(limits, this.#read());
      if (kill !== undefined) this.#end(kill);
    }, sampleMs);
    const ending = await this.#cell.ended;
    clearTimeout(wall);
    clearInterval(sampling);
    return ending;
  }

  async #report(ending: Ending, wallMs: number): Promise<Outcome> {
    const { limits } = this.#plan;
    const reading = this.#read();
    const weight = this.#folders === undefined ? { bytes: 0, files: 0 } : await weighOutputs(descriptorPath(this.#folders.out));
    const { cpuMs, memoryBytesMax } = reading.tree;
    const usage: Usage = { wallMs: Math.round(wallMs), cpuMs: Math.round(cpuMs), memoryBytesMax, processesMax: this.#processesMax };
    return { ...judgeEnd(limits, ending, this.#kill, reading, weight), usage };
  }

  #read(): Reading {
    const tree = this.#cell.meter.sample();
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
   * process is killed, and bubblewrap follows. It cannot have become another's while its parent, our child, is there.
   */
  #killTree(): void {
    const { child } = this.#cell;
    if (child.pid === undefined || child.exitCode !== null || child.signalCode !== null) return;
    if (this.#first === undefined || parentOf(this.#first) !== child.pid) child.kill('SIGKILL');
    else {
      process.kill(this.#first, 'SIGKILL');
      setTimeout(() => child.kill('SIGKILL'), sandboxEndMs).unref();
    }
  }
}

const noUsage: Usage = { wallMs: 0, cpuMs: 0, memoryBytesMax: 0, processesMax: 0 };

type SetUp = { readonly status: 'ready' } | { readonly status: 'failed'; readonly detail: string };

/** Descriptors of the sandbox's memory file systems; they keep them alive after its end. */
interface Folders {
  readonly out: number;
  readonly scratch: number;
}

interface Taps {
  /** From here on, what arrives is the capsule's. */
  passOn(): void;
  /** What the sandbox itself said before. */
  complaint(): string;
}

function firstProcess(information: Readable): Promise<number | undefined> {
  return new Promise((resolve) => {
    let text = '';
    information.on('data', (bytes: Buffer) => {
      text += bytes.toString();
      const pid = /"child-pid":\s*(\d+)/.exec(text)?.[1];
      if (pid !== undefined && text.includes('}')) resolve(Number(pid));
    });
    information.on('error', () => {
      resolve(undefined);
    });
    information.on('end', () => {
      resolve(undefined);
    });
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
