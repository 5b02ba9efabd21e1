/**
 * The work of one run: fetch the capsule's files, start the executor, keep what it left. Specification §6.4.
 * It decides nothing about the run; it says how each part went.
 */
import type { Outcome } from '#protocol/box-messages.ts';
import type { EndReason } from '#protocol/capsule.ts';
import { readPlain } from '#protocol/codec.ts';
import { LIMITS } from '#protocol/limits.ts';
import { CapsulePath, type Manifest } from '#protocol/manifest.ts';
import { errorCode, isDiskFull } from './atomic-file.ts';
import type { BlobFetcher, FetchVerdict } from './blob-fetcher.ts';
import type { BlobStore } from './blobs.ts';
import type { Executor, Outcome as Execution, OutputFile, PreparedJob, RefusalReason, Workspace } from './executor.ts';
import { filesKeptAtOnce, scratchBytes } from './limits.ts';
import type { Log } from './log.ts';
import { NOTHING_LEFT, type Ending } from './run.ts';
import { RunLogs } from './run-logs.ts';
import { RunProgressTeller } from './run-progress.ts';
import { plainNote, type BoxVoice } from './voice.ts';

export interface WorkParts {
  readonly store: BlobStore;
  readonly fetcher: BlobFetcher;
  readonly executor: Executor;
  readonly voice: BoxVoice;
  readonly log: Log;
}

export interface WorkOrder {
  readonly run: string;
  readonly manifest: Manifest;
  /** For the log files. */
  readonly folder: string;
}

export type InputVerdict = { readonly status: 'fetched' } | { readonly status: 'refused'; readonly outcome: Outcome };

export class RunWork {
  readonly #order: WorkOrder;
  readonly #parts: WorkParts;
  readonly #stopping = new AbortController();
  #workspace: Workspace | undefined;
  #logs: RunLogs | undefined;
  #diskFull = false;
  readonly #inputs: Uint8Array[] = [];

  constructor(order: WorkOrder, parts: WorkParts) {
    this.#order = order;
    this.#parts = parts;
  }

  /** Holds every file of the capsule in the store, or says why it can't. */
  async fetch(): Promise<InputVerdict> {
    const verdicts = await Promise.all(this.#order.manifest.files.map((file) => this.#fetchFile(file)));
    const failure =
      verdicts.find((verdict) => verdict.status === 'failed' && verdict.reason !== 'aborted') ??
      verdicts.find((verdict) => verdict.status === 'failed');
    if (failure?.status !== 'failed') return { status: 'fetched' };
    const reason = failure.reason === 'aborted' ? 'cancelled-by-client' : failure.reason;
    return { status: 'refused', outcome: failedWith(reason, failure.detail) };
  }

  /** Runs the capsule. The store holds the outputs and logs of the ending. */
  async execute(): Promise<Ending> {
    try {
      return await this.#executeIn();
    } catch (error) {
      this.#parts.log('run-failed', { run: this.#order.run, reason: String(error) });
      if (isDiskFull(error)) this.#logs?.discard();
      return { ...NOTHING_LEFT, outcome: worldFailure(error) };
    } finally {
      this.#logs?.close();
    }
  }

  /** Ends the fetch or the capsule. */
  stop(): void {
    this.#stopping.abort();
    void this.#workspace?.stop('cancelled');
  }

  /** The device can be heard again: goes on with the log. */
  connected(): void {
    this.#logs?.send();
  }

  /** Lets go of the capsule's files. */
  releaseInputs(): void {
    for (const digest of this.#inputs.splice(0)) this.#parts.store.release(digest);
  }

  /** The device has the whole log. */
  silence(): void {
    this.#logs?.silence();
  }

  async #fetchFile(file: { digest: Uint8Array; bytes: number }): Promise<FetchVerdict> {
    let verdict = await this.#parts.fetcher.fetch(file, this.#stopping.signal);
    if (verdict.status === 'failed' && verdict.reason === 'disk-full') {
      await this.#parts.store.clear();
      verdict = await this.#parts.fetcher.fetch(file, this.#stopping.signal);
    }
    if (verdict.status === 'fetched') this.#inputs.push(file.digest);
    else this.#stopping.abort();
    return verdict;
  }

  async #executeIn(): Promise<Ending> {
    const { run, manifest, folder } = this.#order;
    this.#logs = new RunLogs({ run, folder, bytesMax: manifest.limits.logBytes, voice: this.#parts.voice });
    const preparation = await this.#parts.executor.prepare(jobFrom(run, manifest, this.#parts.store));
    if (preparation.status === 'refused') return this.#refused(preparation);
    this.#workspace = preparation.workspace;
    try {
      return await this.#runIn(preparation.workspace, this.#logs);
    } finally {
      await preparation.workspace.dispose();
    }
  }

  async #runIn(workspace: Workspace, logs: RunLogs): Promise<Ending> {
    if (this.#stopping.signal.aborted) await workspace.stop('cancelled');
    const progress = new RunProgressTeller(this.#order.run, this.#parts.voice);
    const execution = await workspace.run({
      onLog: (stream, content) => {
        this.#logWritten(workspace, logs, () => {
          logs.append(stream, content);
        });
      },
      onProgress: (value) => {
        progress.made(value);
      },
    });
    progress.finish();
    logs.close();
    return this.#keep(execution, workspace, logs);
  }

  #logWritten(workspace: Workspace, logs: RunLogs, write: () => void): void {
    try {
      write();
    } catch (error) {
      if (!this.#diskFull) this.#parts.log('log-unwritten', { run: this.#order.run, reason: errorCode(error) ?? String(error) });
      this.#diskFull = true;
      logs.close();
      void workspace.stop('cancelled');
    }
  }

  async #keep(execution: Execution, workspace: Workspace, logs: RunLogs): Promise<Ending> {
    const { wallMs, cpuMs, memoryBytesMax } = execution.usage;
    const usage = { wallMs: Math.round(wallMs), cpuMs: Math.round(cpuMs), memoryBytesMax: Math.round(memoryBytesMax) };
    if (this.#diskFull) {
      logs.discard();
      return { ...NOTHING_LEFT, usage, outcome: failedWith('disk-full', "the box's disk is full: the log could not be stored") };
    }
    const stdout = await this.#keepFile(logs.fileOf('stdout'));
    const stderr = await this.#keepFile(logs.fileOf('stderr'));
    const ending = { outcome: outcomeOf(execution), usage, stdout, stderr, outputs: [] };
    const kept = execution.status === 'exited' ? await this.#keepOutputs(workspace, ending) : ending;
    await this.#parts.store.sync();
    return kept;
  }

  /** Only a capsule that came to its own end has outputs: what a killed one left may be half written. */
  async #keepOutputs(workspace: Workspace, ending: Ending): Promise<Ending> {
    const { files, ignored } = await workspace.outputs();
    for (const { path, reason } of ignored) this.#parts.log('output-ignored', { run: this.#order.run, path, reason });
    const fit = files.filter((file) => readPlain(CapsulePath, file.path).status === 'decoded');
    if (fit.length < files.length)
      this.#parts.log('output-ignored', { run: this.#order.run, files: files.length - fit.length, reason: 'name-refused' });
    if (fit.length > LIMITS.outputFilesMax) {
      return {
        ...ending,
        outcome: failedWith('output-files', `it left ${fit.length} files; at most ${LIMITS.outputFilesMax} are accepted`),
      };
    }
    const outputs: Ending['outputs'] = [];
    for (let index = 0; index < fit.length; index += filesKeptAtOnce) {
      outputs.push(...(await Promise.all(fit.slice(index, index + filesKeptAtOnce).map((file) => this.#keepOutput(file)))));
    }
    return { ...ending, outputs };
  }

  async #keepOutput({ path, source }: OutputFile): Promise<Ending['outputs'][number]> {
    return { path, ...(await this.#keepFile(source)) };
  }

  /** A full disk is tried once more without the cache. */
  async #keepFile(source: string): Promise<{ digest: Uint8Array; bytes: number }> {
    try {
      return await this.#parts.store.keep(source);
    } catch (error) {
      if (!isDiskFull(error)) throw error;
      await this.#parts.store.clear();
      return this.#parts.store.keep(source);
    }
  }

  /** A blob that the disk has changed since it was fetched goes, so that the next attempt fetches it again. */
  async #refused({ reason, detail }: { reason: RefusalReason; detail: string }): Promise<Ending> {
    if (reason === 'digest-mismatch') {
      this.releaseInputs();
      for (const { digest } of this.#order.manifest.files) await this.#parts.store.remove(digest);
    }
    return { ...NOTHING_LEFT, outcome: failedWith(refusals[reason], detail) };
  }
}

const refusals: Readonly<Record<RefusalReason, EndReason>> = {
  'runtime-missing': 'runtime-missing',
  'entry-missing': 'entry-missing',
  'entry-not-executable': 'entry-missing',
  'digest-mismatch': 'blob-wrong',
  'path-refused': 'sandbox-unavailable',
  'limits-refused': 'sandbox-unavailable',
  'arguments-refused': 'sandbox-unavailable',
  'environment-refused': 'sandbox-unavailable',
};

function failedWith(reason: EndReason, detail: string): Outcome {
  return { outcome: 'failed', reason, detail: plainNote(detail) };
}

function worldFailure(error: unknown): Outcome {
  if (isDiskFull(error)) return failedWith('disk-full', "the box's disk is full: what the run left could not be stored");
  return failedWith('sandbox-unavailable', `the box could not run it: ${errorCode(error) ?? 'an unexpected failure, see its log'}`);
}

function outcomeOf(execution: Execution): Outcome {
  switch (execution.status) {
    case 'exited':
      return { outcome: 'exited', status: execution.code };
    case 'failed':
      return failedWith(execution.reason, execution.detail);
    case 'killed':
      return killedBy(execution);
  }
}

/** `cancelled` is the agent's own doing: the run knows the cause and says it. */
function killedBy({ reason, detail, signal }: Execution & { status: 'killed' }): Outcome {
  if (reason === 'cancelled') return { outcome: 'killed', reason: 'cancelled-by-client' };
  if (reason === 'scratch-full') return failedWith('output-size', detail);
  return { outcome: 'killed', reason, ...(signal === undefined ? {} : { signal }) };
}

function jobFrom(run: string, manifest: Manifest, store: BlobStore): PreparedJob {
  return {
    id: run,
    runtime: manifest.runtime,
    entry: manifest.entry,
    arguments: manifest.arguments,
    environment: manifest.environment,
    files: manifest.files.map(({ path, digest, executable }) => ({
      path,
      source: store.pathOf(digest),
      digest,
      ...(executable === undefined ? {} : { executable }),
    })),
    limits: { ...manifest.limits, scratchBytes },
  };
}
