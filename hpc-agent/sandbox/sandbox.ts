/**
 * The executor for programs in any language: each capsule in a bubblewrap sandbox of its own, without network, with
 * limits, as a user that owns nothing (protocol/README.md §7.1). Layout inside: `bubblewrap.ts`; outside: `stage.ts`.
 */
import { closeSync, readdirSync, readFileSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import type { Executor, PreparedJob, Preparation } from '../executor.ts';
import { commandFor, configurationOf, type Runtime } from '../runtimes.ts';
import { defaultEnvironment, type SandboxPlan } from './bubblewrap.ts';
import { makeCell, type Cell, type CellGround } from './cell.ts';
import { findHierarchy, type Hierarchy } from './cgroup.ts';
import type { Identity } from './identity.ts';
import { judgeJob } from './job.ts';
import type { Mechanism } from './meter.ts';
import { bubblewrapVersion, explainFailure, judgeVersion, missingProgram, readNamespaceSettings, type Unavailable } from './probe.ts';
import { seccompFilter } from './seccomp.ts';
import { groupName, layOut, openStageRoot, removeStage, staleStages, stageInterpreter, type StageRoot } from './stage.ts';
import { SandboxWorkspace } from './workspace.ts';

export interface SandboxOptions {
  /** What `detectRuntimes` found. */
  readonly runtimes: readonly Runtime[];
  /** Folder in which every user may make folders and that programs may be started from. Default: /var/tmp. */
  readonly stageParent?: string;
  /** `polled` leaves control groups alone. Default: the best that this machine has. */
  readonly metering?: 'best' | 'polled';
}

/** What holds capsules on this machine, for the box's report. */
export interface SandboxReport {
  readonly bubblewrap: string;
  /** What bounds memory and processes and counts processor time. */
  readonly mechanism: Mechanism;
  /** Whether capsules run as a user of their own or as the agent's. */
  readonly identity: Identity['kind'];
  /** Whether user namespaces are closed inside by a count, besides the filter. */
  readonly closesNamespaces: boolean;
}

export interface SandboxExecutor extends Executor {
  readonly report: SandboxReport;
  /** Ends all that still runs and removes it. */
  close(): Promise<void>;
}

export type Opening = { readonly status: 'open'; readonly executor: SandboxExecutor } | Unavailable;

/** Clears what a crashed agent left, and tries a sandbox out. @throws Error with `code` when the disk or the system fails */
export async function openSandbox(options: SandboxOptions): Promise<Opening> {
  const filter = seccompFilter(process.arch);
  if (filter === undefined)
    return {
      status: 'unavailable',
      reason: 'processor-unknown',
      detail: `there is no filter for ${process.arch}; x64 and arm64 are supported`,
    };
  const missing = missingProgram();
  if (missing !== undefined) return missing;
  const version = await bubblewrapVersion();
  const tooOld = judgeVersion(version);
  if (tooOld !== undefined) return tooOld;
  const root = await openStageRoot(options.stageParent ?? '/var/tmp');
  const filterFile = path.join(root.systemFolder, 'filter.bpf');
  writeFileSync(filterFile, filter, { mode: 0o644 });
  const hierarchy = options.metering === 'polled' ? undefined : findHierarchy();
  await clearStale(root, findHierarchy());
  return tryOut({ root, filterFile, hierarchy, runtimes: options.runtimes, version });
}

interface Ground extends CellGround {
  readonly runtimes: readonly Runtime[];
  readonly version: string;
}

async function tryOut(ground: Ground): Promise<Opening> {
  let complaint = '';
  for (const closesNamespaces of [true, false]) {
    const executor = new BubblewrapExecutor(ground, closesNamespaces);
    const failure = await executor.trial();
    if (failure === undefined) return { status: 'open', executor };
    complaint ||= failure;
  }
  return explainFailure(complaint, readNamespaceSettings());
}

class BubblewrapExecutor implements SandboxExecutor {
  readonly name = 'sandbox';
  readonly report: SandboxReport;
  readonly #ground: Ground;
  readonly #workspaces = new Set<SandboxWorkspace>();
  #spare: Promise<Cell> | undefined;
  #isClosed = false;

  constructor(ground: Ground, closesNamespaces: boolean) {
    this.#ground = ground;
    this.report = {
      bubblewrap: ground.version,
      mechanism: ground.hierarchy?.kind ?? 'polled',
      identity: process.geteuid?.() === 0 ? 'lent' : 'own',
      closesNamespaces,
    };
  }

  async prepare(job: PreparedJob): Promise<Preparation> {
    const verdict = judgeJob(job);
    if (verdict.status === 'refused') return verdict;
    const runtime = this.#ground.runtimes.find(({ name }) => name === job.runtime);
    if (runtime === undefined) {
      const names = this.#ground.runtimes.map(({ name }) => name).join(', ');
      return { status: 'refused', reason: 'runtime-missing', detail: `this box has no such runtime; it has ${names}` };
    }
    const interpreter = await this.#interpreterFor(runtime);
    return this.#prepareIn(await this.#takeCell(), job, runtime, interpreter);
  }

  async close(): Promise<void> {
    this.#isClosed = true;
    await Promise.all([...this.#workspaces].map((workspace) => workspace.dispose()));
    const spare = await this.#spare?.catch(() => undefined);
    if (spare !== undefined) await discardCell(spare);
  }

  /** Runs a program that does nothing; returns what went wrong. */
  async trial(): Promise<string | undefined> {
    const workspace = this.#furnish(await this.#takeCell(), trialJob, { command: ['/usr/bin/true'], configuration: [] });
    const outcome = await workspace.run({ onLog: () => undefined, onProgress: () => undefined });
    const isWell = outcome.status === 'exited' && outcome.code === 0;
    this.#isClosed = !isWell;
    await workspace.dispose();
    if (isWell) return undefined;
    return outcome.status === 'exited' ? `a trial ended with ${outcome.code}` : outcome.detail;
  }

  /** The files are laid out while the sandbox sets itself up: it shows their folder, whatever comes to lie in it. */
  async #prepareIn(cell: Cell, job: PreparedJob, runtime: Runtime, interpreter: SandboxPlan['interpreter']): Promise<Preparation> {
    const command = commandFor(runtime.name, interpreter?.target ?? runtime.path, `/capsule/${job.entry}`, job.arguments);
    const configuration = configurationOf(runtime.name);
    const workspace = this.#furnish(cell, job, { command, configuration, ...(interpreter ? { interpreter } : {}) });
    try {
      const wrong = await layOut(cell.stage, job.files);
      if (wrong === undefined) return { status: 'prepared', workspace };
      await workspace.dispose();
      return { status: 'refused', reason: 'digest-mismatch', detail: `the content of ${wrong} is not what its digest says` };
    } catch (error) {
      await workspace.dispose();
      throw error;
    }
  }

  async #takeCell(): Promise<Cell> {
    const spare = await this.#spare?.catch(() => undefined);
    this.#spare = undefined;
    return spare ?? makeCell(this.#ground);
  }

  /** One cell ahead, made when the machine has just become free. Its failure is met when a cell is needed. */
  #keepSpare(): void {
    if (this.#isClosed) return;
    this.#spare ??= makeCell(this.#ground);
    this.#spare.catch(() => undefined);
  }

  /** /usr and its companions are there inside; any other interpreter is brought along. */
  async #interpreterFor({ path: interpreter, digest }: Runtime): Promise<SandboxPlan['interpreter']> {
    if (interpreter === '' || /^\/(usr|bin|sbin|lib|lib64)\//.test(interpreter)) return undefined;
    const source = await stageInterpreter(this.#ground.root, interpreter, digest);
    return { source, target: `/runtime/${path.basename(interpreter)}` };
  }

  #furnish(cell: Cell, job: PreparedJob, command: Pick<SandboxPlan, 'command' | 'configuration' | 'interpreter'>): SandboxWorkspace {
    const { root, hierarchy } = this.#ground;
    const plan: SandboxPlan = {
      ...command,
      capsuleFolder: cell.stage.capsuleFolder,
      systemFolder: root.systemFolder,
      limits: job.limits,
      canCloseNamespaces: this.report.closesNamespaces,
      bounding: hierarchy === undefined ? 'each-process' : 'group',
      environment: { ...defaultEnvironment, ...job.environment },
    };
    const workspace: SandboxWorkspace = new SandboxWorkspace(cell, plan, () => {
      this.#workspaces.delete(workspace);
      this.#keepSpare();
    });
    this.#workspaces.add(workspace);
    return workspace;
  }
}

async function discardCell(cell: Cell): Promise<void> {
  cell.child.kill('SIGKILL');
  for (const { stream } of Object.values(cell.inlets)) stream.resume();
  await cell.ended;
  closeSync(cell.gate.descriptor);
  await cell.remove();
}

const trialJob: PreparedJob = {
  id: 'trial',
  runtime: 'executable',
  entry: '',
  arguments: [],
  environment: {},
  files: [],
  limits: {
    wallMs: 10_000,
    cpuMs: 10_000,
    memoryBytes: 64 * 1024 * 1024,
    processes: 4,
    outputBytes: 4096,
    logBytes: 4096,
    scratchBytes: 4096,
  },
};

/** A sandbox dies with its agent; only one that was being set up at that instant can be left, and its folders. */
async function clearStale(root: StageRoot, hierarchy: Hierarchy | undefined): Promise<void> {
  for (const stage of await staleStages(root)) {
    killLeftovers(stage.folder);
    await hierarchy?.clear(groupName(stage));
    await removeStage(stage);
  }
}

/** The shell, bubblewrap and its first process inside carry the workspace's folder on their command lines. */
function killLeftovers(folder: string): void {
  for (const pid of readdirSync('/proc').filter((name) => /^\d+$/.test(name))) {
    if (commandOf(pid).some((word) => word.startsWith(`${folder}/`))) killIfThere(Number(pid));
  }
}

function commandOf(pid: string): string[] {
  try {
    return readFileSync(`/proc/${pid}/cmdline`, 'utf8').split('\0');
  } catch {
    return []; // gone meanwhile
  }
}

function killIfThere(pid: number): void {
  try {
    process.kill(pid, 'SIGKILL');
  } catch {
    return; // gone meanwhile
  }
}
