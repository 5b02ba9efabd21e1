/** The agent of an HPC box: opens what pairing left, the sandbox and the connection, and serves its device. Specification §6. */
import path from 'node:path';
import { writeSync } from 'node:fs';
import { mkdir } from 'node:fs/promises';
import { nobleCrypto } from '#protocol/crypto-noble.ts';
import { readIdentity, type BrokerAccess } from './identity.ts';
import { lineLog, type Log } from './log.ts';
import { connect, type DeviceAddress } from './mqtt.ts';
import { otherAddress } from './other-broker.ts';
import { openRelayStream } from './relay-stream.ts';
import { detectRuntimes } from './runtimes.ts';
import { openSandbox, type SandboxExecutor, type SandboxReport } from './sandbox/sandbox.ts';
import { startService } from './service.ts';
import { claimStateFolder } from './single-agent.ts';
import { openSoftwareSource } from './software-state.ts';
import { openBoxTpm, type BoxTpm } from './tpm/box-tpm.ts';
import { readTpmConfiguration } from './tpm/configuration.ts';

export interface AgentOptions {
  /** Holds what pairing left (`pairing.ts`, HOLDER_FILES) and takes `runs/` and `blobs/`. One agent a folder. */
  readonly stateFolder: string;
  /** Default: lines on standard output. */
  readonly log?: Log;
}

export interface Agent {
  readonly device: string;
  readonly box: string;
  /** Ends all runs, reports them, closes the connection. May be called once. */
  stop(): Promise<void>;
}

/** No capsule can run on this machine; the message says why and what to do. */
export class SandboxUnavailable extends Error {
  readonly code = 'sandbox-unavailable';
}

/**
 * Returns when the agent serves, connected or not: it goes on trying.
 * @throws AlreadyRunning @throws NotPaired @throws OtherBrokerUnknown @throws SandboxUnavailable @throws Error with `code` when the disk fails
 */
export async function startAgent(options: AgentOptions): Promise<Agent> {
  const { stateFolder, log = lineLog(writeLine, Date.now) } = options;
  await mkdir(stateFolder, { recursive: true, mode: 0o700 });
  const freeStateFolder = await claimStateFolder(stateFolder);
  try {
    return await openAgent(path.resolve(stateFolder), log, freeStateFolder);
  } catch (error) {
    freeStateFolder();
    throw error;
  }
}

const STANDARD_OUTPUT = 1;

/** A line that can't be written, to a file on a full disk, is lost; a stream would be closed by it for good. */
function writeLine(line: string): void {
  try {
    writeSync(STANDARD_OUTPUT, `${line}\n`);
  } catch {
    // Nobody is left to tell.
  }
}

async function openAgent(stateFolder: string, log: Log, freeStateFolder: () => void): Promise<Agent> {
  const { identity, access } = await readIdentity(stateFolder);
  const address = await addressOf(access, stateFolder);
  const runtimes = await detectRuntimes();
  const executor = await requireSandbox(runtimes);
  const isolation = isolationWords(executor.report);
  const software = await openSoftwareSource(runtimes, isolation);
  const tpm = await boxTpm(stateFolder, log);
  const connection = connect(address);
  const service = await startService({
    stateFolder,
    identity,
    connection,
    executor,
    software,
    tpm,
    crypto: nobleCrypto,
    log,
    nowMs: Date.now,
  });
  const { device, box } = identity;
  log('agent-started', {
    device,
    box,
    network: identity.networkLabel,
    runtimes: runtimes.map(({ name }) => name).join(','),
    isolation: isolation.join(','),
  });
  return {
    device,
    box,
    async stop() {
      await service.stop();
      await connection.close();
      await executor.close();
      freeStateFolder();
      log('agent-stopped', { device, box });
    },
  };
}

/** The device itself, or through another broker (§5.7). */
async function addressOf({ through, ...device }: BrokerAccess, folder: string): Promise<DeviceAddress> {
  if (!through) return device;
  const way = { other: await otherAddress(through, folder), device: through.name };
  return { ...device, over: () => openRelayStream(way, 'boxes') };
}

/** A TPM that can't be used leaves a box that reports of itself; a device that knows the TPM refuses that. */
async function boxTpm(stateFolder: string, log: Log): Promise<BoxTpm | undefined> {
  const configuration = await readTpmConfiguration(stateFolder);
  if (!configuration) return undefined;
  try {
    const tpm = await openBoxTpm(configuration, path.join(stateFolder, 'tpm'), log);
    log('tpm-opened', { tcti: configuration.tcti });
    return tpm;
  } catch (error) {
    log('tpm-unusable', { tcti: configuration.tcti, reason: error instanceof Error ? error.message : String(error) });
    return undefined;
  }
}

async function requireSandbox(runtimes: Awaited<ReturnType<typeof detectRuntimes>>): Promise<SandboxExecutor> {
  const opening = await openSandbox({ runtimes });
  if (opening.status === 'unavailable') throw new SandboxUnavailable(`capsules can't be kept apart on this machine: ${opening.detail}`);
  return opening.executor;
}

/** How capsules are kept apart and held to their limits, for the box's evidence (§6.3). */
function isolationWords({ bubblewrap, mechanism, identity, closesNamespaces }: SandboxReport): string[] {
  return [
    `bubblewrap ${bubblewrap}`,
    mechanism,
    `user-${identity}`,
    closesNamespaces ? 'namespaces-closed' : 'namespaces-filtered',
    'seccomp',
  ];
}
