/** A device that runs as a process of its own, boxes paired with it, and `npm run box` as a person types it. Specification §17.7. */
import { execFile, spawn, type ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import type { Connection } from '#protocol/mqtt-port.ts';
import { networkLabel } from '#protocol/network.ts';
import { parseTopic } from '#protocol/topics.ts';
import { readConfiguration, writeConfiguration, type DeviceConfiguration } from '../../../device/configuration.ts';
import { connect } from '../../../device/mqtt/connection.ts';
import { NODE_FLAGS, nodeEnvironment } from '../../../scripts/grid/node-process.ts';
import { pairHere } from '../../../scripts/pair/holder.ts';
import { foundDevices, type DeviceBench } from '../consensus/device-bench.ts';

const firmware = fileURLToPath(new URL('../../../device/main.ts', import.meta.url));
const command = fileURLToPath(new URL('../../../scripts/box.ts', import.meta.url));

export interface Ended {
  readonly status: number | null;
  readonly stdout: string;
  readonly stderr: string;
}

export class OperatedDevice {
  readonly state: string;
  /** Of the firmware's log. */
  readonly lines: string[] = [];
  /** The last on each topic of boxes, as JSON: `BOX/state` and `BOX/SENSOR`. */
  readonly topics = new Map<string, Record<string, unknown>>();
  readonly #bench: DeviceBench;
  #firmware: ChildProcess | undefined;
  #ear: Connection | undefined;

  private constructor(bench: DeviceBench, state: string) {
    this.#bench = bench;
    this.state = state;
  }

  /** Founds a network of three, of which this one alone is started: a device needs no other for its boxes. */
  static async found(): Promise<OperatedDevice> {
    const bench = await foundDevices(['alpha', 'bravo', 'charlie'], { targetIntervalMs: 1_000, minimumWaitMs: 100, epochHeights: 1_000 });
    const [alpha] = bench.devices;
    if (!alpha) throw new Error('nothing was founded');
    return new OperatedDevice(bench, alpha.state);
  }

  get processId(): number {
    const id = this.#firmware?.pid;
    if (id === undefined) throw new Error('it does not run');
    return id;
  }

  configure(changes: Partial<DeviceConfiguration>): void {
    writeConfiguration(this.state, { ...readConfiguration(this.state), ...changes });
  }

  async start(): Promise<void> {
    const started = spawn(process.execPath, [...NODE_FLAGS, firmware, 'run', '--state', this.state], {
      stdio: ['ignore', 'ignore', 'pipe'],
      env: nodeEnvironment(firmware),
    });
    this.#firmware = started;
    let rest = '';
    started.stderr.setEncoding('utf8').on('data', (said: string) => {
      const parts = (rest + said).split('\n');
      rest = parts.pop() ?? '';
      this.lines.push(...parts);
    });
    const from = this.lines.length;
    await this.until('the firmware starts', () => this.lines.slice(from).some((line) => line.includes(' deviceStarted ')));
  }

  async listen(): Promise<void> {
    const label = networkLabel(this.#bench.network);
    this.#ear = connect({ socket: join(this.state, 'broker', 'firmware.sock') });
    await this.#ear.subscribe(`capstan/1/${label}/alpha/#`, ({ topic, payload }) => {
      const parsed = parseTopic(label, topic);
      if (parsed?.to !== 'sensor' && parsed?.to !== 'box-state') return;
      const name = `${parsed.box}/${parsed.to === 'sensor' ? parsed.sensor : 'state'}`;
      if (payload.length > 0) this.topics.set(name, JSON.parse(new TextDecoder().decode(payload)) as Record<string, unknown>);
    });
  }

  async pair(box: string): Promise<void> {
    await pairHere(this.state, 'box', box, join(this.state, 'holders', box));
  }

  /** `npm run box -- …`, without npm's own time. */
  box(...line: string[]): Promise<Ended> {
    return new Promise((resolve) => {
      const options = { timeout: 90_000, env: { ...process.env, NO_COLOR: '1' } };
      execFile(process.execPath, [command, ...line, '--state', this.state], options, (error, stdout, stderr) =>
        resolve({ status: error === null ? 0 : typeof error.code === 'number' ? error.code : null, stdout, stderr }),
      );
    });
  }

  /** The same, to be interrupted. */
  spawnBox(...line: string[]): ChildProcess {
    return spawn(process.execPath, [command, ...line, '--state', this.state], { stdio: ['ignore', 'pipe', 'pipe'] });
  }

  async until(what: string, holds: () => boolean | Promise<boolean>, patienceMs = 60_000): Promise<void> {
    for (const end = performance.now() + patienceMs; !(await holds()); await sleep(50))
      if (performance.now() > end)
        throw new Error(`${what}: not within ${patienceMs} ms; ${this.lines.slice(-5).join(' | ')}; ${JSON.stringify([...this.topics])}`);
  }

  logged(words: RegExp): string[] {
    return this.lines.filter((line) => words.test(line));
  }

  /** In order, or by SIGKILL as a power cut would. */
  async end(signal: 'SIGTERM' | 'SIGKILL' = 'SIGTERM'): Promise<void> {
    const running = this.#firmware;
    this.#firmware = undefined;
    if (!running || running.exitCode !== null) return;
    running.kill(signal);
    await once(running, 'exit');
  }

  async stop(): Promise<void> {
    await this.#ear?.close();
    await this.end();
    await this.#bench.stop();
  }
}
