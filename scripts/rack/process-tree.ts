/** A process and all that it has started: their processor time, their disk, and their end. From proc(5). */
import { readFileSync } from 'node:fs';

interface Member {
  readonly id: number;
  /** In clock ticks after boot: tells a process from a later one with its number. */
  readonly start: string;
  /** Of it and of its children that have ended, user and system. */
  readonly ticks: number;
}

export interface TreeUsage {
  readonly cpuMs: number;
  readonly diskBytes: number;
}

/** USER_HZ of every architecture that Linux has kept is 100. */
const MS_PER_TICK = 10;

/** @returns zeros for a process that is gone */
export function usageOfTree(processId: number): TreeUsage {
  const members = treeOf(processId);
  return {
    cpuMs: members.reduce((sum, { ticks }) => sum + ticks, 0) * MS_PER_TICK,
    diskBytes: members.reduce((sum, { id }) => sum + diskBytesOf(id), 0),
  };
}

/** Sends a signal to each of them, sandboxes with sessions of their own included. */
export function signalTree(processId: number, signal: NodeJS.Signals): void {
  for (const { id, start } of treeOf(processId)) if (memberOf(id)?.start === start) send(id, signal);
}

function treeOf(processId: number): Member[] {
  const member = memberOf(processId);
  return member ? [member, ...childrenOf(processId).flatMap(treeOf)] : [];
}

function childrenOf(processId: number): number[] {
  const words = readText(`/proc/${processId}/task/${processId}/children`)?.trim() ?? '';
  return words === '' ? [] : words.split(' ').map(Number);
}

/** Fields 14 to 17 and 22 of proc_pid_stat(5); the second field may hold spaces and brackets. */
function memberOf(id: number): Member | undefined {
  const stat = readText(`/proc/${id}/stat`);
  if (stat === undefined) return undefined;
  const fields = stat.slice(stat.lastIndexOf(')') + 2).split(' ');
  const ticks = [11, 12, 13, 14].reduce((sum, index) => sum + Number(fields[index] ?? 0), 0);
  return { id, start: fields[19] ?? '', ticks };
}

/** 0 where the kernel does not tell: a sandbox of another user. */
function diskBytesOf(id: number): number {
  const io = readText(`/proc/${id}/io`) ?? '';
  return Number(/^read_bytes: (\d+)$/m.exec(io)?.[1] ?? 0) + Number(/^write_bytes: (\d+)$/m.exec(io)?.[1] ?? 0);
}

function send(id: number, signal: NodeJS.Signals): void {
  try {
    process.kill(id, signal);
  } catch {
    // It has ended meanwhile.
  }
}

function readText(file: string): string | undefined {
  try {
    return readFileSync(file, 'utf8');
  } catch {
    return undefined;
  }
}
