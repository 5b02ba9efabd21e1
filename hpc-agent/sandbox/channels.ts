/**
 * The pipes between the agent and a capsule, made as named pipes: Node's own are sockets, which a capsule cannot open
 * again as /dev/stdout. The names are gone before the capsule starts.
 */
import { spawn } from 'node:child_process';
import { chmodSync, chownSync, closeSync, constants, openSync, unlinkSync } from 'node:fs';
import { Socket } from 'node:net';
import path from 'node:path';
import { programs } from './bubblewrap.ts';
import type { Identity } from './identity.ts';

/** One pipe from the capsule to the agent. */
export interface Inlet {
  /** To be handed to the child, then closed here with `release`. */
  readonly writeDescriptor: number;
  readonly stream: Socket;
  /** Closes our copy of the writing end, so that the stream ends with the last process of the capsule. */
  release(): void;
}

/** Holds the sandbox before its first instruction. It is open both ways, so an agent that dies leaves it shut for ever. */
export interface Gate {
  readonly descriptor: number;
}

const names = ['stdout', 'stderr', 'progress', 'gate'] as const;
export type ChannelName = (typeof names)[number];

/** @throws Error when mkfifo fails */
export async function makeChannels(folder: string, identity: Identity): Promise<void> {
  const paths = names.map((name) => path.join(folder, name));
  await makeFifos(paths);
  if (identity.kind === 'own') return;
  for (const fifo of paths) {
    chownSync(fifo, 0, identity.gid);
    chmodSync(fifo, 0o620);
  }
}

export function openInlet(folder: string, name: Exclude<ChannelName, 'gate'>): Inlet {
  const fifo = path.join(folder, name);
  const readDescriptor = openSync(fifo, constants.O_RDONLY | constants.O_NONBLOCK);
  const writeDescriptor = openSync(fifo, constants.O_WRONLY);
  unlinkSync(fifo);
  const stream = new Socket({ fd: readDescriptor, readable: true, writable: false });
  return {
    writeDescriptor,
    stream,
    release: () => {
      closeSync(writeDescriptor);
    },
  };
}

export function openGate(folder: string): Gate {
  const fifo = path.join(folder, 'gate');
  const descriptor = openSync(fifo, constants.O_RDWR);
  unlinkSync(fifo);
  return { descriptor };
}

function makeFifos(paths: readonly string[]): Promise<void> {
  return new Promise((resolve, reject) => {
    const child = spawn(programs.pipeMaker, ['-m', '600', '--', ...paths], { stdio: 'ignore', env: {} });
    child.on('error', reject);
    child.on('exit', (code) => {
      if (code === 0) resolve();
      else reject(new Error(`mkfifo ended with ${String(code)}; the workspace folder must be on a file system that has named pipes`));
    });
  });
}
