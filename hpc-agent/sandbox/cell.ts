/**
 * A place in which one capsule will run, made before the capsule is known: its user, its folder, its pipes, its limit
 * group, and a shell that waits inside that group to become bubblewrap. Joining a group takes the kernel up to 20 ms
 * (it waits for all processors), so it is done ahead; one cell is kept in reserve.
 */
import assert from 'node:assert/strict';
import { spawn, type ChildProcess } from 'node:child_process';
import { chownSync, closeSync, openSync, writeFileSync } from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import { Readable, Writable } from 'node:stream';
import { commandLine, descriptors, hiddenOptions, programs, type SandboxPlan } from './bubblewrap.ts';
import type { Hierarchy } from './cgroup.ts';
import { makeChannels, openGate, openInlet, type Gate, type Inlet } from './channels.ts';
import { inheritableDescriptors } from './descriptors.ts';
import { makeMeter, type Meter } from './meter.ts';
import { claimStage, groupName, removeStage, type Stage, type StageRoot } from './stage.ts';
import type { Ending } from './verdict.ts';

export interface Cell {
  readonly stage: Stage;
  readonly meter: Meter;
  readonly inlets: Inlets;
  readonly gate: Gate;
  /** The shell, and bubblewrap after `begin`. */
  readonly child: ChildProcess;
  /** What bubblewrap tells about its first process. */
  readonly information: Readable;
  /** Resolves when the child is gone and every process that held a pipe open, too. */
  readonly ended: Promise<CellEnding>;
  /** Bounds the group and turns the shell into a sandbox, which sets itself up and waits at the gate. */
  begin(plan: SandboxPlan): void;
  /** After the end: removes group and folder. */
  remove(): Promise<void>;
}

export type CellEnding = Ending & { readonly error?: string };

export interface CellGround {
  readonly root: StageRoot;
  readonly hierarchy: Hierarchy | undefined;
  /** File with the filter on system calls. */
  readonly filterFile: string;
}

/** @throws Error with `code` when the disk or the system fails; nothing is left then */
export async function makeCell(ground: CellGround): Promise<Cell> {
  const stage = await claimStage(ground.root);
  try {
    await makeChannels(stage.folder, stage.identity);
    return await furnish(stage, ground);
  } catch (error) {
    await ground.hierarchy?.clear(groupName(stage));
    await removeStage(stage);
    throw error;
  }
}

type Inlets = Readonly<Record<'stdout' | 'stderr' | 'progress', Inlet>>;

async function furnish(stage: Stage, { hierarchy, filterFile }: CellGround): Promise<Cell> {
  const meter = makeMeter(hierarchy, groupName(stage));
  const inlets = {
    stdout: openInlet(stage.folder, 'stdout'),
    stderr: openInlet(stage.folder, 'stderr'),
    progress: openInlet(stage.folder, 'progress'),
  };
  const gate = openGate(stage.folder);
  const { child, information, go } = startShell(stage, inlets, gate, filterFile);
  const ended = endOf(child, Object.values(inlets));
  if (child.pid !== undefined) await meter.join(child.pid);
  return {
    stage,
    meter,
    inlets,
    gate,
    child,
    information,
    ended,
    begin: (plan) => {
      meter.bound(plan.limits);
      writePlan(stage, plan);
      go.end('go\n');
    },
    remove: async () => {
      await meter.remove();
      await removeStage(stage);
    },
  };
}

/** The agent's death closes the ninth descriptor, and a shell that still waits ends. */
const waitThenBecome = 'read -r go <&8 && exec 8<&- && . "$0"';

function startShell(
  stage: Stage,
  inlets: Inlets,
  gate: Gate,
  filterFile: string,
): { child: ChildProcess; information: Readable; go: Writable } {
  const optionsFile = path.join(stage.folder, 'options');
  writeFileSync(optionsFile, '', { mode: 0o600 });
  const files = [openSync(filterFile, 'r'), openSync(optionsFile, 'r'), openSync('/dev/null', 'r')] as const;
  const [filter, options, nothing] = files;
  const stdio = [
    nothing,
    inlets.stdout.writeDescriptor,
    inlets.stderr.writeDescriptor,
    inlets.progress.writeDescriptor,
    filter,
    gate.descriptor,
    'pipe' as const,
    options,
    'pipe' as const,
    ...covers(inheritableDescriptors(), nothing),
  ];
  const user = stage.identity.kind === 'lent' ? { uid: stage.identity.uid, gid: stage.identity.gid } : {};
  const child = spawn(programs.shell, ['-c', waitThenBecome, path.join(stage.folder, 'start')], { ...user, stdio, env: {}, cwd: '/' });
  for (const inlet of Object.values(inlets)) inlet.release();
  for (const descriptor of files) closeSync(descriptor);
  const [information, go] = [descriptors.information, descriptors.go].map((number) => (child.stdio as readonly unknown[])[number]);
  assert(information instanceof Readable && go instanceof Writable);
  go.on('error', () => undefined); // the shell is gone, which `ended` tells
  return { child, information, go };
}

/** Node can't close what this process inherited open, so the sandbox gets /dev/null in those places. */
function covers(inherited: readonly number[], nothing: number): (number | 'ignore')[] {
  const own = descriptors.go + 1;
  const highest = inherited.at(-1) ?? 0;
  return Array.from({ length: Math.max(0, highest + 1 - own) }, (_, index) => (inherited.includes(own + index) ? nothing : 'ignore'));
}

function writePlan(stage: Stage, plan: SandboxPlan): void {
  writeFileSync(path.join(stage.folder, 'options'), hiddenOptions(plan.environment));
  const start = path.join(stage.folder, 'start');
  writeFileSync(start, `exec ${[programs.bubblewrap, ...commandLine(plan)].map(quote).join(' ')}\n`, { mode: 0o640 });
  if (stage.identity.kind === 'lent') chownSync(start, 0, stage.identity.gid);
}

/** One word of the POSIX shell, whatever is in it (IEEE 1003.1 Shell Command Language 2.2.2). */
function quote(word: string): string {
  return `'${word.replaceAll("'", "'\\''")}'`;
}

async function endOf(child: ChildProcess, inlets: readonly Inlet[]): Promise<CellEnding> {
  const exit = new Promise<CellEnding>((resolve) => {
    child.on('error', (error) => {
      resolve({ code: 1, error: error.message });
    });
    child.on('exit', (code, signal) => {
      resolve(endingOf(code, signal));
    });
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
