/**
 * The boxes of a device under its control: their wires opened and sampled, their states told and kept, their runs watched, the
 * broker's rights of those that are fenced. Specification §17.
 */
import type { Hello, Report, SoftwareState } from '#protocol/box-messages.ts';
import { sameBytes } from '#protocol/codec.ts';
import type { ControlOutcome, PowerCommand } from '#protocol/control-messages.ts';
import type { RunEnergy } from '#protocol/run-energy.ts';
import type { BoxHardware, PowerFailure } from '../board/ports.ts';
import type { Clock, Log, Publisher, Random } from '../ports.ts';
import type { Store } from '../store/store.ts';
import type { BoxStanding } from './box-state.ts';
import { Commands } from './commands.ts';
import { rulesOf, type ControlRules } from './control-configuration.ts';
import { CutOff } from './cut-off.ts';
import { HeldBox } from './held-box.ts';
import { CONTROL_LIMITS } from './limits.ts';
import { MeterMemory } from './meter-memory.ts';
import type { BoxFitness, BoxWatch, Challenged, JobsOfBoxes, NamedBox, RunAtWork } from './ports.ts';
import { startSampler, type Sampler } from './sampler.ts';
import { SensorTopics } from './sensor-topics.ts';
import { forgetStanding, isMemorable, remember, rememberedStanding } from './standing-memory.ts';

export interface ControlParts {
  readonly device: string;
  readonly rules: ControlRules;
  readonly store: Store;
  readonly publisher: Publisher;
  readonly now: Clock;
  readonly random: Random;
  readonly log: Log;
  /** The hardware by which a box is held; undefined where nothing is wired to it. */
  readonly open: (box: string) => Promise<BoxHardware> | undefined;
  /** The broker shall give these names the rights of fenced boxes, and no others. */
  readonly onFenced: (boxes: readonly string[]) => Promise<void>;
  /** Boxes, their wires or their states are others. */
  readonly onChange?: (boxes: ReadonlyMap<string, HeldBox>) => void;
}

interface Wired {
  readonly hardware: BoxHardware;
  readonly sampler: Sampler;
}

export class Control implements BoxWatch {
  readonly commands: Commands;
  readonly #parts: ControlParts;
  readonly #topics: SensorTopics;
  readonly #boxes = new Map<string, HeldBox>();
  readonly #wired = new Map<string, Wired>();
  /** Boxes of which the hardware is being opened, or let go of. */
  readonly #opening = new Set<string>();
  readonly #closing = new Set<string>();
  /** Boxes of which the disk has not taken where they stand. */
  readonly #unkept = new Set<HeldBox>();
  /** Those of which the room of jobs could not store what became of their runs. */
  readonly #untold = new Set<string>();
  #jobs: JobsOfBoxes | undefined;
  readonly #cutOff: CutOff;
  #lookedAtMs: number;
  #timer: NodeJS.Timeout | undefined;
  #isClosed = false;

  constructor(parts: ControlParts) {
    this.#parts = parts;
    this.#topics = new SensorTopics(parts.publisher, parts.device);
    this.#lookedAtMs = parts.now();
    const { rules, now, log } = parts;
    this.#cutOff = new CutOff(parts.onFenced, log);
    const cutOff = (): Promise<string | undefined> => this.#cutOff.settle();
    this.commands = new Commands({ rules, now, log, find: (box) => this.#boxes.get(box), jobs: this.#late(), cutOff });
  }

  /** Begins to look at what time brings. @param jobs the room of jobs, which was made after this */
  start(jobs: JobsOfBoxes): void {
    this.#jobs = jobs;
    this.#timer = setInterval(() => this.timePassed(), CONTROL_LIMITS.lookEveryMs);
  }

  get boxes(): ReadonlyMap<string, HeldBox> {
    return this.#boxes;
  }

  fitnessOf(box: string): BoxFitness {
    return this.#boxes.get(box)?.fitness() ?? 'waiting';
  }

  /** A box that was paired anew with another key begins anew: nothing of its predecessor speaks for it, or against it. */
  boxesPaired(paired: readonly NamedBox[]): void {
    for (const box of [...this.#boxes.values()]) if (!paired.some((named) => isSameBox(named, box))) this.#letGo(box);
    for (const named of paired) if (!this.#boxes.has(named.name)) this.#take(named);
    this.#look();
  }

  heard(box: string): void {
    this.#boxes.get(box)?.heard();
  }

  introduced(box: string, hello: Hello): void {
    this.#boxes.get(box)?.introduced(hello);
  }

  challengeOf(box: string, run: string): Challenged | undefined {
    return this.#boxes.get(box)?.challengeOf(run);
  }

  attested(box: string, run: string, software: SoftwareState): void {
    this.#boxes.get(box)?.attested(run, software);
  }

  askNow(box: string): void {
    this.#boxes.get(box)?.askNow();
  }

  refused(box: string, detail: string): void {
    this.#boxes.get(box)?.refused(detail);
  }

  runsChanged(box: string, runs: readonly RunAtWork[]): void {
    this.#boxes.get(box)?.runsChanged(runs);
  }

  energyOf(run: string): RunEnergy | undefined {
    return [...this.#boxes.values()].map((box) => box.energyOf(run)).find((energy) => energy !== undefined);
  }

  reported(box: string, report: Report, energy: RunEnergy | undefined): void {
    this.#boxes.get(box)?.reported(report, energy);
  }

  command(client: string, command: PowerCommand): Promise<ControlOutcome> {
    return this.commands.ofClient(client, command);
  }

  /** The broker has lost what it retained. */
  republish(): void {
    this.#topics.forgetSaid();
    for (const box of this.#boxes.values()) this.#topics.standing(box.name, box.standing, box.hardware?.source);
  }

  /** To be called every second, which `start` does. */
  timePassed(): void {
    void this.#cutOff.settle();
    for (const box of this.#unkept) this.#keep(box);
    const atMs = this.#parts.now();
    const lateMs = atMs - this.#lookedAtMs - CONTROL_LIMITS.lookEveryMs;
    this.#lookedAtMs = atMs;
    for (const box of this.#boxes.values()) {
      box.timePassed(lateMs > CONTROL_LIMITS.standstillMs ? lateMs : 0);
      if (!this.#wired.has(box.name)) this.#open(box);
    }
  }

  async close(): Promise<void> {
    this.#isClosed = true;
    clearInterval(this.#timer);
    await Promise.all([...this.#wired.keys()].map((box) => this.#unwire(box)));
  }

  #take(named: NamedBox): void {
    const { name, signingKey } = named;
    const { rules, now, random, log, store } = this.#parts;
    const { keepOn = false, policy = {}, idleMilliwatts: idle, fullMilliwatts: full, processors = Infinity } = rulesOf(name, rules);
    const levels = { ...(idle === undefined ? {} : { idle }), ...(full === undefined ? {} : { full }) };
    const box = new HeldBox(
      {
        ...{ name, signingKey, keepOn, policy, levels, now, random, log, jobs: this.#late() },
        ...{ processorsMax: processors, meters: new MeterMemory(store, name) },
        changed: (changed, before) => this.#changed(changed, before),
      },
      rememberedStanding(store, named, now()),
    );
    this.#boxes.set(name, box);
    this.#topics.standing(name, box.standing, undefined);
    this.#open(box);
  }

  #letGo(box: HeldBox): void {
    const { name, hardware } = box;
    this.#boxes.delete(name);
    this.#unkept.delete(box);
    this.#late().endRuns(name, 'all', 'box-lost', `box ${name} is not paired any more, or with another key`);
    forgetStanding(this.#parts.store, box);
    this.#topics.forget(name, hardware?.sensors ?? []);
    void this.#unwire(name);
  }

  /** What can't be opened is tried again: a BMC may be away. A reason is logged once, not at each try. */
  #open(box: HeldBox): void {
    const { name } = box;
    if (this.#opening.has(name) || this.#closing.has(name) || this.#wired.has(name)) return;
    const opening = this.#parts.open(name);
    if (!opening) return;
    this.#opening.add(name);
    if (box.problem === undefined) box.notWired('it has not answered yet');
    opening.then(
      (hardware) => {
        this.#opening.delete(name);
        if (this.#isClosed || this.#boxes.get(name) !== box) return this.#close(name, hardware);
        return this.#wire(box, hardware);
      },
      (error: unknown) => {
        const problem = wordsOf(error);
        if (problem !== box.problem) this.#parts.log('boxNotWired', { box: name, error: problem });
        box.notOpened(problem);
        setTimeout(() => this.#opening.delete(name), openAgainMs(error)).unref();
      },
    );
  }

  #wire(box: HeldBox, hardware: BoxHardware): void {
    const { name } = box;
    const sampler = startSampler(
      hardware,
      (readings) => {
        for (const reading of readings) {
          const definition = hardware.sensors.find(({ name: sensor }) => sensor === reading.sensor);
          if (definition && box.read(reading)) this.#topics.reading(name, reading, definition, hardware.source);
        }
      },
      (change) => {
        // The next look opens it again.
        if (change.kind === 'outgrown') return void this.#unwire(name);
        const definition = change.kind === 'reading' && hardware.sensors.find(({ name: sensor }) => sensor === change.reading.sensor);
        if (change.kind === 'reading' && definition) this.#topics.reading(name, change.reading, definition, hardware.source);
        box.sensed(change);
      },
    );
    this.#wired.set(name, { hardware, sampler });
    sampler.pace(box.standing.runs > 0);
    this.#parts.log('boxWired', { box: name, source: hardware.source, sensors: hardware.sensors.length, verbs: hardware.verbs.join(' ') });
    box.wired(hardware);
    this.#topics.standing(name, box.standing, hardware.source);
    this.#look();
  }

  async #unwire(name: string): Promise<void> {
    const wired = this.#wired.get(name);
    this.#wired.delete(name);
    wired?.sampler.stop();
    if (wired) await this.#close(name, wired.hardware);
  }

  /** Until it is let go of, nobody else has it: a box of the same name is wired after that. */
  async #close(name: string, hardware: BoxHardware): Promise<void> {
    this.#closing.add(name);
    await hardware.close();
    this.#closing.delete(name);
  }

  #changed(box: HeldBox, before: BoxStanding): void {
    const { standing, name, hardware } = box;
    // A fence waits for no disk: the broker first, the memory after.
    this.#look();
    if (isMemorable(before, standing)) this.#keep(box);
    this.#wired.get(name)?.sampler.pace(standing.runs > 0);
    const { state, cause, detail } = standing;
    if (state !== before.state) this.#parts.log('boxState', { box: name, from: before.state, to: state, cause, detail });
    if (state !== before.state || detail !== before.detail || standing.power !== before.power)
      this.#topics.standing(name, standing, hardware?.source);
    this.#show(box);
  }

  /** Again each second until the disk has taken it; one line for a box, not one for a try. */
  #keep(box: HeldBox): void {
    try {
      remember(this.#parts.store, box, box.standing);
      this.#unkept.delete(box);
    } catch (error) {
      if (!this.#unkept.has(box)) this.#parts.log('boxStandingUnkept', { box: box.name, error: wordsOf(error) });
      this.#unkept.add(box);
    }
  }

  #show({ name, standing: { state, detail }, hardware }: HeldBox): void {
    if (!hardware) return;
    void hardware.show([name, state, ...(state === 'fenced' || state === 'suspect' ? [detail] : [])]);
    void hardware.signal(
      state === 'ready' || state === 'working' ? state : state === 'fenced' || state === 'suspect' ? 'attention' : 'none',
    );
  }

  #look(): void {
    const fenced = [...this.#boxes.values()].filter((box) => box.standing.state === 'fenced').map(({ name }) => name);
    this.#cutOff.want(fenced);
    this.#parts.onChange?.(this.#boxes);
  }

  /** What befalls a box befalls it whether or not the room of jobs can store what becomes of its runs. */
  #tellOf(box: string, tell: () => void): void {
    try {
      tell();
      this.#untold.delete(box);
    } catch (error) {
      if (!this.#untold.has(box)) this.#parts.log('boxRunsUntold', { box, error: wordsOf(error) });
      this.#untold.add(box);
    }
  }

  /** The room of jobs, once it is there: before, no box has a run. */
  #late(): JobsOfBoxes {
    return {
      challenge: (...said) => this.#jobs?.challenge(...said),
      endRuns: (box, ...said) => this.#tellOf(box, () => this.#jobs?.endRuns(box, ...said)),
      dispute: (box, ...said) => this.#tellOf(box, () => this.#jobs?.dispute(box, ...said)),
      fitnessChanged: () => this.#jobs?.fitnessChanged(),
      powerNow: (...said) => this.#jobs?.powerNow(...said),
    };
  }
}

function wordsOf(error: unknown): string {
  return error instanceof Error ? error.message : 'unknown';
}

function isSameBox(left: NamedBox, right: NamedBox): boolean {
  return left.name === right.name && sameBytes(left.signingKey, right.signingKey);
}

/** A way that refuses the device is left alone for longer. */
function openAgainMs(error: unknown): number {
  const isRefused = error instanceof Error && 'reason' in error && error.reason === ('no-access' satisfies PowerFailure);
  return isRefused ? CONTROL_LIMITS.openRefusedAgainMs : CONTROL_LIMITS.openAgainMs;
}
