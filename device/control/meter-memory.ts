/** What the meters of a box have counted, over the end of the program: of each run all but the last seconds. Specification §17.4. */
import { decodeStrict, encodeStrict } from '#protocol/codec.ts';
import { SensedBy } from '#protocol/run-energy.ts';
import { integer, list, optional, struct, text, type Infer } from '#protocol/schema.ts';
import type { SensorDefinition } from '../board/ports.ts';
import type { Store } from '../store/store.ts';
import type { Meter } from './energy.ts';
import { CONTROL_LIMITS } from './limits.ts';

const Whole = integer({ min: 0, max: Number.MAX_SAFE_INTEGER });

const KeptMeters = struct({
  source: SensedBy,
  meters: list(
    struct({
      run: text({ min: 1, max: 64 }),
      sensor: text({ min: 1, max: 64 }),
      last: optional(struct({ value: Whole, atMs: Whole })),
      ...{ fromMs: Whole, doneMs: Whole, doubled: Whole, doubledError: Whole, unobservedMs: Whole, samples: Whole, sharedWith: Whole },
    }),
    { max: CONTROL_LIMITS.metersKeptMax },
  ),
});
type KeptMeters = Infer<typeof KeptMeters>;

/** 64 meters of 200 bytes, many times over. */
const BYTES_MAX = 64 * 1_024;

export class MeterMemory {
  readonly #store: Pick<Store, 'memory' | 'setMemory'>;
  readonly #name: string;
  readonly #before: KeptMeters | undefined;
  /** Which meters were kept last, and when. */
  #kept = { words: '', atMs: -Infinity };

  constructor(store: Pick<Store, 'memory' | 'setMemory'>, box: string) {
    this.#store = store;
    this.#name = `meters/${box}`;
    const memory = store.memory(this.#name);
    const decoded = memory ? decodeStrict(KeptMeters, memory, BYTES_MAX) : undefined;
    this.#before = decoded?.status === 'decoded' ? decoded.value : undefined;
  }

  /** The meter of a run as an earlier program left it; undefined where it counted by another sensor, or another beginning. */
  meterOf(run: string, sensor: SensorDefinition, fromMs: number, source: SensedBy): Meter | undefined {
    const kept = this.#before?.meters.find((meter) => meter.run === run && meter.sensor === sensor.name && meter.fromMs === fromMs);
    if (!kept || this.#before?.source !== source) return undefined;
    const { run: _run, last, ...counted } = kept;
    return { ...counted, sensor, last };
  }

  /**
   * To be called each second: writes every ten, and when there are other runs or more of them. What the disk does not take is lost, and
   * so is a count beyond 2^53.
   */
  keep(meters: ReadonlyMap<string, Meter>, source: SensedBy, atMs: number): void {
    const words = [...meters].map(([run, { sharedWith }]) => `${run} ${sharedWith}`).join();
    const isDue = meters.size > 0 && Math.abs(atMs - this.#kept.atMs) >= CONTROL_LIMITS.metersKeptEveryMs;
    if (words === this.#kept.words && !isDue) return;
    this.#kept = { words, atMs };
    const kept = [...meters].slice(0, CONTROL_LIMITS.metersKeptMax).map(([run, { sensor, last, ...counted }]) => ({
      ...{ run, sensor: sensor.name, ...counted },
      ...(last ? { last } : {}),
    }));
    try {
      this.#store.setMemory(this.#name, encodeStrict(KeptMeters, { source, meters: kept }));
    } catch {
      return;
    }
  }
}
