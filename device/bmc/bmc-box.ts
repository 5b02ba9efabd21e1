/**
 * A box that is held by its BMC: makes the hardware port of any BMC, IPMI or Redfish. Specification §16.5.
 *
 * It takes turns, reads sensors anew where an order came in between, asks for the state before each order, asks for power and
 * intrusion every two seconds, and leaves a BMC alone for a minute that refuses the password.
 */
import { setTimeout as sleep } from 'node:timers/promises';
import type {
  BoxHardware,
  HardwareChange,
  PowerOutcome,
  PowerRefusal,
  PowerState,
  PowerVerb,
  Reading,
  SensorDefinition,
} from '../board/ports.ts';
import { INTRUSION, BmcFailed, type Bmc, type BmcState, type BmcValue } from './bmc.ts';
import { BMC_LIMITS } from './limits.ts';
import { assumedAccuracy, noValue } from './sensor-facts.ts';
import { Overtaken, Turns } from './turns.ts';

export function holdByBmc(bmc: Bmc): BoxHardware {
  return new BmcBox(bmc);
}

class BmcBox implements BoxHardware {
  readonly source: BoxHardware['source'];
  readonly sensors: readonly SensorDefinition[];
  readonly verbs: readonly PowerVerb[];
  readonly #bmc: Bmc;
  readonly #turns = new Turns();
  readonly #listeners = new Set<(change: HardwareChange) => void>();
  #state: BmcState = { power: 'unknown' };
  #problem: BmcFailed | undefined;
  #restUntilMs = 0;
  #isOrdering = false;
  #wasOff = false;
  /** How often it is still asked whether it senses more than before. */
  #looksForMore = 0;
  #sampling: Promise<readonly Reading[]> | undefined;
  #poll: NodeJS.Timeout | undefined;
  #closing: Promise<void> | undefined;

  constructor(bmc: Bmc) {
    this.#bmc = bmc;
    this.source = bmc.source;
    this.sensors = bmc.sensesIntrusion ? [...bmc.sensors, intrusionSensor(bmc.sensors)] : bmc.sensors;
    this.verbs = bmc.verbs;
    this.#pollAfter(0);
  }

  async power(verb: PowerVerb, begun?: () => void): Promise<PowerOutcome> {
    if (this.#closing) return { status: 'failed', reason: 'closed', detail: 'the way to the BMC was closed' };
    if (!this.verbs.includes(verb)) return refused('not-wired', `this BMC does not do ${verb}; it does ${this.verbs.join(', ')}`);
    if (this.#isOrdering) return refused('busy', 'another order to this BMC is under way');
    this.#isOrdering = true;
    try {
      return await this.#turns.take('order', () => this.#order(verb, begun));
    } catch (error) {
      const { reason, message } = this.#failure(error);
      return { status: 'failed', reason, detail: message };
    } finally {
      this.#isOrdering = false;
    }
  }

  powerState(): PowerState {
    return this.#state.power;
  }

  sample(): Promise<readonly Reading[]> {
    this.#sampling ??= this.#sample().finally(() => (this.#sampling = undefined));
    return this.#sampling;
  }

  onChange(listener: (change: HardwareChange) => void): () => void {
    this.#listeners.add(listener);
    return () => void this.#listeners.delete(listener);
  }

  async show(): Promise<void> {
    // A BMC has no display of ours.
  }

  async signal(): Promise<void> {
    // Nor a light.
  }

  /** What is under way is waited for, but not for long: the BMC may be away. */
  close(): Promise<void> {
    clearTimeout(this.#poll);
    const closed = (this.#closing ??= this.#turns.take('order', () => this.#bmc.close()));
    return Promise.race([closed, sleep(BMC_LIMITS.closeMs, undefined, { ref: false })]);
  }

  async #order(verb: PowerVerb, begun?: () => void): Promise<PowerOutcome> {
    const { power } = await this.#sense();
    if (power === 'unknown') return refused('unknown-state', 'the BMC does not say whether the box is on');
    if (verb === 'on' && power === 'on') return refused('already-on', 'the BMC says that the box is on');
    if (verb !== 'on' && power === 'off') return refused('already-off', 'the BMC says that the box is off');
    begun?.();
    await this.#bmc.order(verb);
    this.#pollAfter(0);
    return { status: 'done' };
  }

  async #sample(): Promise<readonly Reading[]> {
    const values = await this.#values();
    const atMs = Date.now();
    return this.sensors.map(({ name, quantity }) => {
      const given = values.get(name) ?? noValue('the BMC gave nothing for it');
      return { sensor: name, quantity, atMs, ...given };
    });
  }

  async #values(): Promise<ReadonlyMap<string, BmcValue>> {
    try {
      this.#requireOpen();
      if (this.#bmc.sensesIntrusion) await this.#turns.take('other', () => this.#sense());
      const values = await this.#read();
      if (this.#looksForMore > 0) await this.#turns.take('other', () => this.#lookForMore());
      return new Map([...values, [INTRUSION, intrusionOf(this.#state)]]);
    } catch (error) {
      const { message } = this.#failure(error);
      return new Map(this.sensors.map(({ name }) => [name, noValue(message)]));
    }
  }

  async #read(): Promise<ReadonlyMap<string, BmcValue>> {
    for (;;)
      try {
        return await this.#turns.take('other', async (overtaken) => {
          this.#requireOpen();
          return this.#bmc.values(overtaken);
        });
      } catch (error) {
        if (!(error instanceof Overtaken)) throw error;
      }
  }

  async #lookForMore(): Promise<void> {
    this.#looksForMore -= 1;
    if (!(await this.#bmc.sensesMore())) return;
    this.#looksForMore = 0;
    this.#tell({ kind: 'outgrown' });
  }

  /** @throws BmcFailed when nothing may be asked now */
  #requireOpen(): void {
    if (this.#closing) throw new BmcFailed('closed', 'the way to the BMC was closed');
    if (this.#problem && performance.now() < this.#restUntilMs) throw this.#problem;
  }

  #pollAfter(waitMs: number): void {
    clearTimeout(this.#poll);
    if (this.#closing) return;
    this.#poll = setTimeout(() => {
      this.#turns
        .take('other', () => this.#sense())
        .catch((error: unknown) => this.#failure(error))
        .finally(() => this.#pollAfter(Math.max(BMC_LIMITS.pollMs, this.#restUntilMs - performance.now())));
    }, waitMs).unref();
  }

  /** Asks, and tells what is another than before. */
  async #sense(): Promise<BmcState> {
    if (this.#closing) throw new BmcFailed('closed', 'the way to the BMC was closed');
    try {
      const state = await this.#bmc.state();
      this.#problem = undefined;
      this.#note(state);
      return state;
    } catch (error) {
      this.#note({ ...this.#state, power: 'unknown' });
      throw error;
    }
  }

  #note(state: BmcState): void {
    const before = this.#state;
    this.#state = state;
    if (state.power === 'on' && this.#wasOff) this.#looksForMore = BMC_LIMITS.looksForMore;
    if (state.power !== 'unknown') this.#wasOff = state.power === 'off';
    const atMs = Date.now();
    if (state.power !== before.power) this.#tell({ kind: 'power', state: state.power, atMs });
    if (state.isOpen === undefined || state.isOpen === (before.isOpen ?? false)) return;
    this.#tell({ kind: 'reading', reading: { sensor: INTRUSION, quantity: 'intrusion', atMs, ...intrusionOf(state) } });
  }

  #tell(change: HardwareChange): void {
    for (const listener of this.#listeners) listener(change);
  }

  #failure(error: unknown): BmcFailed {
    const failure = error instanceof BmcFailed ? error : new BmcFailed('hardware', error instanceof Error ? error.message : String(error));
    if (failure.reason === 'no-access' && failure !== this.#problem) {
      this.#problem = failure;
      this.#restUntilMs = performance.now() + BMC_LIMITS.accessRestMs;
    }
    return failure;
  }
}

/** Its edges come by the state; a sample of it is worth as much as the others. */
function intrusionSensor([first]: readonly SensorDefinition[]): SensorDefinition {
  const periodMs = first?.periodMs ?? BMC_LIMITS.samplePeriodMs;
  return { name: INTRUSION, quantity: 'intrusion', accuracy: assumedAccuracy('intrusion'), periodMs };
}

function intrusionOf({ isOpen }: BmcState): BmcValue {
  return isOpen === undefined ? noValue('the BMC does not say whether the chassis is open') : { value: isOpen ? 1 : 0, quality: 'good' };
}

function refused(reason: PowerRefusal, detail: string): PowerOutcome {
  return { status: 'refused', reason, detail };
}
