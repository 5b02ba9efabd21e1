/** Control with everything around it in memory: hardware whose sensors a test sets, a clock that it moves, runs that it counts. */
import type { Hello, SoftwareState } from '#protocol/box-messages.ts';
import { decodeJson } from '#protocol/codec.ts';
import { BoxStateNews, SensorNews } from '#protocol/control-messages.ts';
import type { Topic } from '#protocol/topics.ts';
import type {
  BoxHardware,
  HardwareChange,
  PowerOutcome,
  PowerState,
  PowerVerb,
  Reading,
  SensorDefinition,
} from '../../../device/board/ports.ts';
import type { ControlRules } from '../../../device/control/control-configuration.ts';
import { Control } from '../../../device/control/host.ts';
import type { Challenged, JobsOfBoxes, NamedBox } from '../../../device/control/ports.ts';
import type { Publisher } from '../../../device/ports.ts';
import type { Store } from '../../../device/store/store.ts';

export const BOX = 'box-1';
/** As it is paired. */
export const NAMED: NamedBox = { name: BOX, signingKey: new Uint8Array(32).fill(1) };

export const feed: SensorDefinition = {
  ...{ name: 'feed', quantity: 'power', accuracy: { permille: 10, absolute: 0 }, periodMs: 1_000, limits: { max: 400_000 } },
};
const sensors: readonly SensorDefinition[] = [
  feed,
  { name: 'case', quantity: 'intrusion', accuracy: { permille: 0, absolute: 0 }, periodMs: 1_000 },
];

export const software: SoftwareState = {
  ...{ agent: new Uint8Array(32), kernel: '6.1', commandLine: new Uint8Array(32), packages: new Uint8Array(32), bootId: 'boot-1' },
  ...{ runtimes: [], isolation: [] },
};

/** The second implementation of the port: a test is its physics. */
export class MemoryHardware implements BoxHardware {
  readonly source: BoxHardware['source'];
  readonly sensors = sensors;
  readonly verbs = ['on', 'hard-off', 'reset'] as const;
  readonly pressed: PowerVerb[] = [];
  readonly shown: (readonly string[])[] = [];
  isClosed = false;
  /** Of any order. */
  refusal: PowerOutcome | undefined;
  /** How long an order takes. */
  press: Promise<void> = Promise.resolve();
  #power: PowerState;
  readonly #listeners = new Set<(change: HardwareChange) => void>();
  readonly #now: () => number;

  constructor(now: () => number, { source = 'wires', power = 'on' }: WorldOptions = {}) {
    this.#now = now;
    this.source = source;
    this.#power = power;
  }

  power(verb: PowerVerb, begun?: () => void): Promise<PowerOutcome> {
    if (this.refusal) return Promise.resolve(this.refusal);
    this.pressed.push(verb);
    begun?.();
    return this.press.then(() => ({ status: 'done' }));
  }

  powerState(): PowerState {
    return this.#power;
  }

  sample(): Promise<readonly Reading[]> {
    return Promise.resolve([]);
  }

  onChange(listener: (change: HardwareChange) => void): () => void {
    this.#listeners.add(listener);
    return () => this.#listeners.delete(listener);
  }

  show(lines: readonly string[]): Promise<void> {
    this.shown.push(lines);
    return Promise.resolve();
  }

  signal(): Promise<void> {
    return Promise.resolve();
  }

  close(): Promise<void> {
    this.isClosed = true;
    return Promise.resolve();
  }

  switched(state: PowerState): void {
    this.#power = state;
    this.#tell({ kind: 'power', state, atMs: this.#now() });
  }

  reads(sensor: 'feed' | 'case', value: number, quality: Reading['quality'] = 'good'): void {
    const quantity = sensor === 'feed' ? 'power' : 'intrusion';
    this.#tell({ kind: 'reading', reading: { sensor, quantity, value, atMs: this.#now(), quality } });
  }

  outgrows(): void {
    this.#tell({ kind: 'outgrown' });
  }

  #tell(change: HardwareChange): void {
    for (const listener of this.#listeners) listener(change);
  }
}

export interface WorldOptions {
  readonly rules?: ControlRules;
  readonly source?: BoxHardware['source'];
  readonly memory?: Map<string, Uint8Array>;
  readonly wired?: boolean;
  /** As the device finds it. */
  readonly power?: PowerState;
  readonly publisher?: Publisher;
}

export class ControlWorld {
  nowMs = 1_000_000;
  readonly hardware: MemoryHardware;
  readonly control: Control;
  readonly memory: Map<string, Uint8Array>;
  /** What was done, in words. */
  readonly done: string[] = [];
  readonly log: string[] = [];
  /** The last on each topic. */
  readonly retained = new Map<string, string>();
  publications = 0;
  /** What the broker has taken, and why it takes nothing more. */
  fenced: readonly string[] = [];
  brokerProblem: string | undefined;
  /** Why nothing can be stored, the end of a run included. */
  diskProblem: string | undefined;
  asked: { readonly run: string; readonly challenged: Challenged } | undefined;
  /** Runs that its challenges have named. */
  readonly challenges: string[] = [];

  constructor(options: WorldOptions = {}) {
    this.memory = options.memory ?? new Map<string, Uint8Array>();
    this.hardware = new MemoryHardware(() => this.nowMs, options);
    this.control = new Control({
      device: 'alpha',
      rules: options.rules ?? {},
      store: {
        memory: (name: string) => this.memory.get(name),
        setMemory: (name: string, value: Uint8Array) => {
          this.#needDisk();
          this.memory.set(name, value);
        },
      } as unknown as Store,
      publisher: options.publisher ?? { publish: (topic, payload) => this.#published(topic, payload), publishTo: () => undefined },
      now: () => this.nowMs,
      random: (bytes) => new Uint8Array(bytes).fill(this.nowMs % 251),
      log: (event, fields) => void this.log.push(`${event} ${JSON.stringify(fields ?? {})}`),
      open: () => (options.wired === false ? undefined : Promise.resolve(this.hardware)),
      onFenced: (boxes) => {
        if (this.brokerProblem !== undefined) return Promise.reject(new Error(this.brokerProblem));
        this.fenced = boxes;
        return Promise.resolve();
      },
    });
    this.control.start(this.#jobs());
  }

  /** A box that is on, attested and ready. */
  static async ready(options: WorldOptions = {}): Promise<ControlWorld> {
    const world = new ControlWorld(options);
    world.control.boxesPaired([NAMED]);
    await Promise.resolve();
    world.says();
    world.proves();
    return world;
  }

  /** As often as it wants while time goes on: the box says hello every 15 s. */
  passes(ms: number, how: { silent?: boolean } = {}): void {
    const endMs = this.nowMs + ms;
    let helloMs = this.nowMs;
    while (this.nowMs < endMs) {
      this.nowMs = Math.min(endMs, this.nowMs + 1_000);
      if (!how.silent && this.nowMs - helloMs >= 15_000) {
        helloMs = this.nowMs;
        this.says();
      }
      this.control.timePassed();
    }
  }

  says(changes: Partial<Hello> = {}): void {
    this.control.heard(BOX);
    this.control.introduced(BOX, { software, processors: 8, memoryBytes: 1, runs: [], ...changes });
  }

  proves(): void {
    if (this.asked) this.control.attested(BOX, this.asked.run, software);
  }

  works(...runs: readonly string[]): void {
    this.control.runsChanged(
      BOX,
      runs.map((run) => ({ run, givenAtMs: this.nowMs, isRunning: true })),
    );
  }

  get state(): string {
    return this.control.boxes.get(BOX)?.standing.state ?? 'none';
  }

  get stateNews(): BoxStateNews {
    const words = this.retained.get(`box-state/${BOX}`) ?? '';
    const decoded = decodeJson(BoxStateNews, new TextEncoder().encode(words), 4_096);
    if (decoded.status === 'malformed') throw new Error(decoded.detail);
    return decoded.value;
  }

  get reading(): SensorNews {
    const decoded = decodeJson(SensorNews, new TextEncoder().encode(this.retained.get(`sensor/${BOX}/feed`) ?? ''), 4_096);
    if (decoded.status === 'malformed') throw new Error(decoded.detail);
    return decoded.value;
  }

  #needDisk(): void {
    if (this.diskProblem !== undefined) throw new Error(this.diskProblem);
  }

  #published(topic: Topic, payload: Uint8Array | string): void {
    if (topic.to !== 'sensor' && topic.to !== 'box-state') return;
    this.publications += 1;
    this.retained.set([topic.to, topic.box, ...(topic.to === 'sensor' ? [topic.sensor] : [])].join('/'), String(payload));
  }

  #jobs(): JobsOfBoxes {
    return {
      challenge: (_box, run, challenged) => {
        this.asked = { run, challenged };
        this.challenges.push(run);
      },
      endRuns: (_box, which, reason, detail) => {
        this.#needDisk();
        this.done.push(`end ${which}: ${reason}: ${detail}`);
        if (which === 'all') this.works();
      },
      dispute: (_box, { reason, detail }) => {
        this.#needDisk();
        this.done.push(`dispute: ${reason}: ${detail}`);
      },
      fitnessChanged: () => void this.done.push(`fitness ${this.control.fitnessOf(BOX)}`),
      powerNow: (run, { milliwatts }) => void this.done.push(`power ${run} ${milliwatts}`),
    };
  }
}
