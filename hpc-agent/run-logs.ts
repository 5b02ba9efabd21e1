/**
 * What one capsule writes to its standard output and error: whole in two files, and piece by piece to the device.
 * Sending reads the files again at its own pace, so a slow line costs no memory. Specification §6.4.
 */
import { closeSync, mkdirSync, openSync, rmSync, writeSync } from 'node:fs';
import { open } from 'node:fs/promises';
import path from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { LIMITS } from '#protocol/limits.ts';
import type { LogStream } from './executor.ts';
import { logIntervalMs } from './limits.ts';
import type { BoxVoice, Said } from './voice.ts';

export interface RunLogsSettings {
  readonly run: string;
  readonly folder: string;
  /** Of both streams together. */
  readonly bytesMax: number;
  readonly voice: BoxVoice;
}

interface Stream {
  readonly file: string;
  readonly descriptor: number;
  bytes: number;
  sent: number;
}

const streams = ['stdout', 'stderr'] as const;

export class RunLogs {
  readonly #settings: RunLogsSettings;
  readonly #streams: Readonly<Record<LogStream, Stream>>;
  #state: 'open' | 'closed' | 'silent' = 'open';
  #sending = false;

  /** @throws Error with `code`, such as ENOSPC */
  constructor(settings: RunLogsSettings) {
    this.#settings = settings;
    mkdirSync(settings.folder, { recursive: true, mode: 0o700 });
    this.#streams = { stdout: begin(settings.folder, 'stdout'), stderr: begin(settings.folder, 'stderr') };
  }

  /** Beyond the bound nothing is kept; the executor ends such a capsule. @throws Error with `code`, such as ENOSPC */
  append(name: LogStream, content: Uint8Array): void {
    if (this.#state !== 'open') return;
    const left = this.#settings.bytesMax - this.#streams.stdout.bytes - this.#streams.stderr.bytes;
    writeWhole(this.#streams[name], content.subarray(0, left));
    this.send();
  }

  /** Sends what has not been sent, unless that is under way; it gives up when nobody hears it, until it is called again. */
  send(): void {
    if (this.#sending) return;
    this.#sending = true;
    void this.#sendAll();
  }

  /** No more is written; sending goes on. */
  close(): void {
    if (this.#state !== 'open') return;
    this.#state = 'closed';
    for (const name of streams) closeSync(this.#streams[name].descriptor);
  }

  /** No more is sent: the device has the whole log. */
  silence(): void {
    this.close();
    this.#state = 'silent';
  }

  /** The disk has no room for it. */
  discard(): void {
    this.silence();
    for (const name of streams) rmSync(this.#streams[name].file, { force: true });
  }

  fileOf(name: LogStream): string {
    return this.#streams[name].file;
  }

  async #sendAll(): Promise<void> {
    try {
      for (let next = this.#nextUnsent(); next !== undefined; next = this.#nextUnsent()) {
        const said = await this.#sendPiece(next);
        if (said === 'unsaid') return;
        if (said === 'whole-chunk') continue;
        await sleep(logIntervalMs);
      }
    } finally {
      this.#sending = false;
    }
  }

  async #sendPiece(name: LogStream): Promise<Said | 'whole-chunk'> {
    const stream = this.#streams[name];
    const content = await readPiece(stream);
    if (content === undefined) return 'unsaid';
    const said = await this.#settings.voice.log({ run: this.#settings.run, stream: name, offset: stream.sent, content });
    if (said === 'said') stream.sent += content.length;
    return said === 'said' && content.length === LIMITS.logChunkBytesMax ? 'whole-chunk' : said;
  }

  #nextUnsent(): LogStream | undefined {
    if (this.#state === 'silent') return undefined;
    return streams.find((name) => this.#streams[name].sent < this.#streams[name].bytes);
  }
}

function begin(folder: string, name: LogStream): Stream {
  const file = path.join(folder, name);
  return { file, descriptor: openSync(file, 'w', 0o600), bytes: 0, sent: 0 };
}

function writeWhole(stream: Stream, content: Uint8Array): void {
  for (let written = 0; written < content.length;) {
    const count = writeSync(stream.descriptor, content, written);
    written += count;
    stream.bytes += count;
  }
}

/** Undefined when the file is gone. */
async function readPiece({ file, sent, bytes }: Stream): Promise<Uint8Array | undefined> {
  const handle = await open(file, 'r').catch(() => undefined);
  if (handle === undefined) return undefined;
  try {
    const piece = new Uint8Array(Math.min(bytes - sent, LIMITS.logChunkBytesMax));
    const { bytesRead } = await handle.read(piece, 0, piece.length, sent);
    return bytesRead === 0 ? undefined : piece.subarray(0, bytesRead);
  } finally {
    await handle.close();
  }
}
