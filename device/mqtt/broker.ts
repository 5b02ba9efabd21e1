/**
 * A Mosquitto that lives as long as the firmware: started, watched, started again. Specification §5.3. Owner of the
 * `mosquitto` program, which `setpriv` and `prlimit` bind to the firmware's life and to its limits.
 */
import { spawn, type ChildProcess } from 'node:child_process';
import { mkdirSync, readFileSync, rmSync } from 'node:fs';
import { connect } from 'node:net';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { MQTT_LIMITS } from '../limits.ts';
import { oneAtATime } from '../one-at-a-time.ts';
import { withoutDescriptors } from '../own-descriptors.ts';
import { CONFIGURATION_FILE, type BrokerFiles } from './broker-configuration.ts';
import { writeWholeFile } from './whole-file.ts';

export type BrokerEvent =
  | { readonly event: 'brokerStarted'; readonly processId: number; readonly startMs: number }
  | { readonly event: 'brokerDied'; readonly detail: string; readonly restartMs: number }
  /** A certificate had more connections than it may; its oldest was ended. */
  | { readonly event: 'connectionSurplus'; readonly listener: string; readonly name: string; readonly clientId: string }
  /** A line of the broker's log; it may quote other people's text. */
  | { readonly event: 'brokerSpoke'; readonly line: string };

export interface BrokerOptions {
  /** Made when absent, 0700; the files are written into it, 0600. */
  readonly folder: string;
  readonly files: BrokerFiles;
  /** The Unix socket that the configuration names last. */
  readonly socket: string;
  /** Connections at all listeners together; the kernel holds the broker to it. */
  readonly connectionsMax: number;
  readonly onEvent: (event: BrokerEvent) => void;
}

export interface Broker {
  /** Writes the files and starts anew. Every connection has to show its certificate again. */
  restart(files: BrokerFiles): Promise<void>;
  /**
   * Writes the files and resolves once they are read, without ending a connection: enough for rights, which are looked at for each
   * message. Rejects with {@link BrokerFailed} when the broker does not say that it reads them.
   */
  reload(files: BrokerFiles): Promise<void>;
  /** Kills what runs but no longer serves, whence it is started again as after any death; `why` is told with it. */
  abandon(why: string): void;
  /** How long the process has been listening; 0 while there is none. */
  runningMs(): number;
  /** Memory that the process holds; 0 while there is none. */
  residentBytes(): number;
  stop(): Promise<void>;
}

/** The broker didn't come up: bad configuration, a port that is taken, or no `mosquitto` on this machine. */
export class BrokerFailed extends Error {
  readonly code = 'broker-failed';
}

/** Resolves when all listeners are open; rejects with {@link BrokerFailed} and Mosquitto's own reason. */
export async function startBroker(options: BrokerOptions): Promise<Broker> {
  mkdirSync(options.folder, { recursive: true, mode: 0o700 });
  // A revival never overtakes a restart.
  const inTurn = oneAtATime();
  let current: Listening | undefined;
  let failures = 0;

  const bringUp = async (files?: BrokerFiles): Promise<void> => {
    const launched = await start(options, files);
    current = launched;
    void launched.ended.then((detail) => {
      if (launched !== current) return;
      if (performance.now() - launched.listeningSince > MQTT_LIMITS.brokerSettledMs) failures = 0;
      void revive(launched, detail);
    });
  };
  const takeDown = async (): Promise<void> => {
    const launched = current;
    current = undefined;
    if (launched) await end(launched);
  };
  const revive = async (dead: Listening, detail: string): Promise<void> => {
    const restartMs = restartWaitMs(failures);
    failures += 1;
    options.onEvent({ event: 'brokerDied', detail, restartMs });
    await sleep(restartMs);
    await inTurn(async () => {
      if (current !== dead) return;
      await bringUp().catch((error: unknown) => void revive(dead, messageOf(error)));
    });
  };

  await bringUp(options.files);
  return {
    restart: (files) =>
      inTurn(async () => {
        await takeDown();
        await bringUp(files);
      }),
    reload: (files) =>
      inTurn(async () => {
        for (const [name, content] of files) writeWholeFile(join(options.folder, name), content, 0o600);
        if (current) await readAgain(current);
      }),
    abandon(why) {
      // It had come up well, so the next start need not wait long.
      failures = 0;
      if (current) abandon(current, why);
    },
    runningMs: () => (current && isRunning(current) ? performance.now() - current.listeningSince : 0),
    residentBytes: () => (current && isRunning(current) ? residentBytes(current) : 0),
    stop: () => inTurn(takeDown),
  };
}

function messageOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error);
}

function restartWaitMs(failures: number): number {
  return Math.min(MQTT_LIMITS.brokerRestartMinMs * 2 ** Math.min(failures, 16), MQTT_LIMITS.brokerRestartMaxMs);
}

interface Launched {
  readonly child: ChildProcess;
  /** Its last words, to which ours may be added. */
  readonly lastWords: string[];
  /** How often it has said that it reads its files again. */
  readonly readings: () => number;
  /** Why it ended, in Mosquitto's last words. */
  readonly ended: Promise<string>;
}

/** One whose listeners are open; the time is that of `performance.now()`. */
interface Listening extends Launched {
  readonly listeningSince: number;
}

async function start(options: BrokerOptions, files?: BrokerFiles): Promise<Listening> {
  const startedAt = performance.now();
  for (const [name, content] of files ?? []) writeWholeFile(join(options.folder, name), content, 0o600);
  rmSync(options.socket, { force: true });
  const launched = launch(options);
  await untilListening(launched, options.socket);
  options.onEvent({ event: 'brokerStarted', processId: launched.child.pid ?? 0, startMs: performance.now() - startedAt });
  return { ...launched, listeningSince: performance.now() };
}

/** `setpriv` has the kernel kill the broker when the firmware dies, however that happens. */
function launch(options: BrokerOptions): Launched {
  const descriptorsMax = options.connectionsMax + MQTT_LIMITS.brokerDescriptorsSpare;
  const { program, words } = withoutDescriptors([
    'prlimit',
    `--nofile=${descriptorsMax}:${descriptorsMax}`,
    'setpriv',
    '--pdeathsig',
    'KILL',
    'mosquitto',
    '-c',
    join(options.folder, CONFIGURATION_FILE),
  ]);
  const path = `${process.env['PATH'] ?? ''}:/usr/sbin:/usr/local/sbin`;
  const child = spawn(program, words, { stdio: ['ignore', 'ignore', 'pipe'], env: { PATH: path } });
  const lastWords: string[] = [];
  let readings = 0;
  readLines(child, (line) => {
    if (line === READS_AGAIN) readings += 1;
    lastWords.push(line);
    if (lastWords.length > MQTT_LIMITS.brokerLastWordsMax) lastWords.shift();
    options.onEvent({ event: 'brokerSpoke', line });
  });
  const ended = new Promise<string>((resolve) => {
    child.once('error', (error) => resolve(`bash could not be run: ${error.message}`));
    child.once('close', (code, signal) =>
      resolve(`it ended with ${signal ?? `status ${String(code)}`} after saying: ${lastWords.join(' | ') || 'nothing'}`),
    );
  });
  return { child, lastWords, readings: () => readings, ended };
}

const READS_AGAIN = 'Reloading config.';

/**
 * Mosquitto looks at its signal after up to 100 ms, and forgets one that comes while it reads: so it is signalled until it has said
 * that it reads. What it says of a signal too many must not be taken for the answer to the next one. A broker that dies reads its
 * files when it starts.
 */
async function readAgain(listening: Listening): Promise<void> {
  const before = listening.readings();
  for (let signals = 1; signals <= MQTT_LIMITS.brokerSignalsMax; signals += 1) {
    if (isRunning(listening)) listening.child.kill('SIGHUP');
    const giveUpAt = performance.now() + MQTT_LIMITS.brokerSignalMs;
    while (isRunning(listening) && listening.readings() === before && performance.now() < giveUpAt) await sleep(2);
    if (!isRunning(listening)) return;
    if (listening.readings() === before) continue;
    if (signals > 1) await sleep(MQTT_LIMITS.brokerSignalMs);
    return;
  }
  throw new BrokerFailed(`Mosquitto does not read its files again, after ${MQTT_LIMITS.brokerSignalsMax} signals`);
}

async function untilListening(launched: Launched, socket: string): Promise<void> {
  let detail: string | undefined;
  void launched.ended.then((words) => (detail = words));
  const giveUpAt = performance.now() + MQTT_LIMITS.brokerStartMs;
  while (!(await accepts(socket))) {
    if (detail !== undefined) throw new BrokerFailed(`Mosquitto did not start: ${detail}`);
    if (performance.now() > giveUpAt) {
      launched.child.kill('SIGKILL');
      throw new BrokerFailed(`Mosquitto did not listen within ${MQTT_LIMITS.brokerStartMs} ms: ${await launched.ended}`);
    }
    await sleep(2);
  }
}

function accepts(socket: string): Promise<boolean> {
  return new Promise((resolve) => {
    const attempt = connect(socket);
    attempt.once('connect', () => resolve(true)).once('error', () => resolve(false));
    attempt.once('connect', () => attempt.destroy());
  });
}

function abandon(launched: Launched, why: string): void {
  if (!isRunning(launched)) return;
  launched.lastWords.push(`killed by the firmware, because ${why}`);
  launched.child.kill('SIGKILL');
}

function isRunning({ child }: Launched): boolean {
  return child.pid !== undefined && child.exitCode === null && child.signalCode === null;
}

/** proc(5), `status`: `VmRSS` in KiB. */
function residentBytes({ child }: Launched): number {
  try {
    const status = readFileSync(`/proc/${String(child.pid)}/status`, 'utf8');
    return Number(/^VmRSS:\s+(\d+) kB$/m.exec(status)?.[1] ?? 0) * 1_024;
  } catch {
    return 0;
  }
}

async function end(launched: Launched): Promise<void> {
  launched.child.kill('SIGTERM');
  const hardly = setTimeout(() => launched.child.kill('SIGKILL'), MQTT_LIMITS.brokerStopMs);
  await launched.ended;
  clearTimeout(hardly);
}

/** Lines of the log, cut and cleaned: control characters in them would be somebody's attempt on a terminal. */
function readLines(child: ChildProcess, onLine: (line: string) => void): void {
  let rest = '';
  child.stderr?.setEncoding('utf8').on('data', (text: string) => {
    const lines = (rest + text).split('\n');
    rest = (lines.pop() ?? '').slice(0, MQTT_LIMITS.brokerLineCharactersMax);
    for (const line of lines) onLine(line.replaceAll(/\p{Cc}/gu, '?').slice(0, MQTT_LIMITS.brokerLineCharactersMax));
  });
}
