/** The energy of the runs that are on one box, and the levels of its power. Specification §17.4-17.5. */
import type { RunEnergy, SensedBy } from '#protocol/run-energy.ts';
import type { BoxHardware, Reading, SensorDefinition } from '../board/ports.ts';
import { learnLevels, NOTHING_LEARNED, type PowerLevels } from './contradiction.ts';
import { energyUntil, meterRead, meterShared, startMeter, type Meter } from './energy.ts';
import type { MeterMemory } from './meter-memory.ts';
import type { RunAtWork } from './ports.ts';

export interface PowerNow {
  readonly run: string;
  readonly source: SensedBy;
  readonly milliwatts: number;
  readonly millijoules: number;
}

export class RunMeters {
  readonly #given: PowerLevels;
  readonly #memory: MeterMemory;
  readonly #runs = new Map<string, Meter>();
  #learned = NOTHING_LEARNED;
  #sensor: SensorDefinition | undefined;
  #source: SensedBy = 'wires';
  #last: Reading | undefined;
  #atWork: readonly RunAtWork[] = [];

  /** @param given levels that the configuration names */
  constructor(given: PowerLevels, memory: MeterMemory) {
    this.#given = given;
    this.#memory = memory;
  }

  /** The first power sensor is the one of the whole box. */
  wired({ sensors, source }: BoxHardware): void {
    this.#sensor = sensors.find(({ quantity }) => quantity === 'power');
    this.#source = source;
    this.#begin();
  }

  /** @param isUp whether the box is up, so that its power is a level of it */
  read(reading: Reading, isUp: boolean): void {
    if (reading.sensor !== this.#sensor?.name) return;
    this.#last = reading;
    this.#learned = learnLevels(this.#learned, reading, isUp);
    for (const [run, meter] of this.#runs) this.#runs.set(run, meterRead(meter, reading));
  }

  levels(): PowerLevels {
    const { idle, full } = this.#learned;
    return { ...(idle === undefined ? {} : { idle }), ...(full === undefined ? {} : { full }), ...this.#given };
  }

  runsChanged(runs: readonly RunAtWork[]): void {
    for (const run of this.#runs.keys()) if (!runs.some((now) => now.run === run)) this.#runs.delete(run);
    this.#atWork = runs;
    this.#begin();
  }

  /** To be called each second. */
  keep(atMs: number): void {
    this.#memory.keep(this.#runs, this.#source, atMs);
  }

  /**
   * From the time at which the device gave the run, or from what an earlier program has counted of it: what passed since without a
   * reading, as with a device that was away, is a gap.
   */
  #begin(): void {
    const sensor = this.#sensor;
    if (!sensor) return;
    for (const { run, givenAtMs } of this.#atWork) {
      if (givenAtMs === undefined || this.#runs.has(run)) continue;
      this.#runs.set(run, this.#memory.meterOf(run, sensor, givenAtMs, this.#source) ?? startMeter(sensor, givenAtMs, this.#last));
    }
    for (const [run, meter] of this.#runs) this.#runs.set(run, meterShared(meter, this.#atWork.length - 1));
  }

  powerNow(atMs: number): PowerNow[] {
    const last = this.#last;
    if (last?.quality !== 'good') return [];
    const running = new Set(this.#atWork.filter(({ isRunning }) => isRunning).map(({ run }) => run));
    return [...this.#runs]
      .filter(([run]) => running.has(run))
      .map(([run, meter]) => {
        const { source, millijoules } = energyUntil(meter, atMs, this.#source);
        return { run, source, milliwatts: Math.max(0, last.value), millijoules };
      });
  }

  /** The account of a run that is over; there is none where no power is sensed. */
  close(run: string, atMs: number): RunEnergy | undefined {
    const meter = this.#runs.get(run);
    this.#runs.delete(run);
    return meter && energyUntil(meter, atMs, this.#source);
  }
}
