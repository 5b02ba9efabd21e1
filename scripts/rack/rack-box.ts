/**
 * One box of the rack: its physics in real time, what hangs on its wires, and the agent that runs on it. Specification §16.4.
 */
import { BUS_CHIPS, readRegister, writeRegister, type Written } from './bus-chips.ts';
import { BoxSystem, type SystemProgram } from './box-system.ts';
import { BoxWires, type Level, type WiredEnd } from './box-wires.ts';
import { CharacterDisplay } from './character-display.ts';
import { RACK_LIMITS } from './limits.ts';
import { isLit, type AfterMains } from './mainboard.ts';
import { BENCH_BOX, mainsMw, newBox, step, tachometer, type BoxEvent, type BoxState } from './physics.ts';
import type { BoxStatus } from './rack-messages.ts';
import { sensed, SENSOR_NAMES, truth, type Fault, type SensorName } from './sensors.ts';

export type RackLog = (event: string, fields: Record<string, string | number>) => void;

export interface RackBoxRequest {
  readonly name: string;
  readonly wires: string;
  readonly system: SystemProgram;
  readonly bootMs: number;
  readonly afterMains: AfterMains;
  readonly log: RackLog;
}

/** Lines of a box (§16.4): what drives it, and what shows it. */
const BUTTONS = new Map<number, 'power-button' | 'reset-button' | 'mains-relay'>([
  [0, 'power-button'],
  [1, 'reset-button'],
  [2, 'mains-relay'],
]);
const SHOWN = new Map<number, SensorName>([
  [3, 'power-led'],
  [4, 'disk'],
  [5, 'intrusion'],
]);
const TACHOMETERS = new Map<number, SensorName>([
  [6, 'processor-fan'],
  [7, 'rear-fan'],
]);
/** The status LED and the buzzer are the board's own. */
const OWN = new Set([8, 9]);
const US_PER_MS = 1_000;
const NS_PER_US = 1_000n;

export class RackBox implements WiredEnd {
  readonly name: string;
  readonly #request: RackBoxRequest;
  readonly #system: BoxSystem;
  #wires: BoxWires | undefined;
  #state: BoxState;
  #atMs = Math.floor(performance.now());
  #faults: Partial<Record<SensorName, Fault>> = {};
  readonly #chips = new Map<number, Written>();
  readonly #display = new CharacterDisplay();
  /** Who presses what: a board by its wires, a person by hand. */
  readonly #hands = new Map<string, Set<'wires' | 'hand'>>();
  #shown = new Map<number, Level>();
  #tachometers = new Map<number, { rest: number; atMs: number }>();
  #load = { cpuMs: 0, diskBytes: 0, atMs: 0, processId: 0 };

  constructor(request: RackBoxRequest) {
    this.#request = request;
    this.name = request.name;
    this.#state = newBox(request);
    this.#system = new BoxSystem(request.system, {
      started: (agent) => request.log('agentStarted', { box: this.name, agent }),
      died: (how, ends) => request.log('agentEnded', { box: this.name, ends, how }),
      ended: () => this.happen({ kind: 'system-ended' }),
    });
  }

  async open(): Promise<void> {
    this.#wires = await BoxWires.listen(this.#request.wires, this, this.#request.log);
  }

  /** Cuts the power: everything ends at once. */
  close(): void {
    this.happen({ kind: 'mains', isThere: false });
    this.#wires?.close();
  }

  /** A rack that ends orderly asks its agents to, first. */
  askToEnd(): void {
    this.#system.obey('ask-to-end');
  }

  get processId(): number | undefined {
    return this.#system.processId;
  }

  get isPowered(): boolean {
    return isLit(this.#state.mainboard);
  }

  /** Time has passed; then `event` happens. */
  happen(event?: BoxEvent): void {
    const nowMs = Math.floor(performance.now());
    const before = this.#state.mainboard.phase;
    const { state, orders } = step(BENCH_BOX, this.#state, nowMs - this.#atMs, event);
    this.#atMs = nowMs;
    this.#state = state;
    for (const order of orders) this.#system.obey(order);
    if (state.mainboard.phase !== before) this.#request.log('boxPower', { box: this.name, from: before, phase: state.mainboard.phase });
    this.#tellLevels();
    this.#tellPulses();
  }

  measureLoad(): void {
    const usage = this.#system.usage();
    const processId = this.#system.processId ?? 0;
    const atMs = performance.now();
    const before = this.#load;
    this.#load = { cpuMs: usage?.cpuMs ?? 0, diskBytes: usage?.diskBytes ?? 0, atMs, processId };
    if (!usage || before.processId !== processId) return;
    const permille = Math.round((Math.max(0, usage.cpuMs - before.cpuMs) * 1_000) / (atMs - before.atMs));
    this.happen({ kind: 'load', permille, isDiskActive: usage.diskBytes > before.diskBytes });
  }

  hold(what: 'power-button' | 'reset-button' | 'mains-relay', by: 'wires' | 'hand', isHeld: boolean): void {
    const holders = this.#hands.get(what) ?? new Set();
    const wasHeld = holders.size > 0;
    if (isHeld) holders.add(by);
    else holders.delete(by);
    this.#hands.set(what, holders);
    if (wasHeld === holders.size > 0) return;
    if (what === 'mains-relay') this.happen({ kind: 'mains', isThere: wasHeld });
    else this.happen({ kind: what, isPressed: !wasHeld });
  }

  setFault(sensor: SensorName, kind: Fault['kind'] | 'none', permillePerMinute: number): void {
    this.happen();
    const { [sensor]: _, ...others } = this.#faults;
    if (kind === 'none') this.#faults = others;
    else if (kind === 'failed') this.#faults = { ...others, [sensor]: { kind } };
    else if (kind === 'stuck') this.#faults = { ...others, [sensor]: { kind, value: truth(BENCH_BOX, this.#state, sensor) } };
    else this.#faults = { ...others, [sensor]: { kind, permillePerMinute, sinceMs: this.#atMs } };
    this.#tellLevels();
  }

  status(): BoxStatus {
    this.happen();
    const { mainboard, loadPermille, isDoorOpen, fromMainsUj } = this.#state;
    return {
      box: this.name,
      phase: mainboard.phase,
      ...(this.processId !== undefined && { agent: this.processId }),
      ...{ loadPermille, isDoorOpen, fromMainsUj, mainsMw: mainsMw(BENCH_BOX, this.#state) },
      readings: SENSOR_NAMES.map((sensor) => {
        const value = this.#sensed(sensor);
        const fault = this.#faults[sensor]?.kind;
        return { sensor, ...(value !== undefined && { value }), ...(fault && { fault }) };
      }),
      display: this.#display.lines(),
    };
  }

  lineLevel(line: number): Level | undefined {
    if (BUTTONS.has(line) || OWN.has(line) || TACHOMETERS.has(line)) return 0;
    const sensor = SHOWN.get(line);
    return sensor && this.#levelOf(sensor);
  }

  drive(line: number, level: Level): void {
    const what = BUTTONS.get(line);
    if (what) this.hold(what, 'wires', level === 1);
  }

  read(address: number, register: number, count: number): Uint8Array | undefined {
    this.happen();
    const chip = BUS_CHIPS.get(address);
    if (!chip) return undefined;
    if (chip.model === 'display') return new Uint8Array(count);
    const value = this.#sensed(chip.sensor);
    if (value === undefined) return undefined;
    const word = readRegister(chip, this.#chips.get(address) ?? new Map(), Math.max(0, register), value) ?? 0;
    return Uint8Array.from({ length: count }, (_, index) => (index === 0 ? word >> 8 : index === 1 ? word & 0xff : 0));
  }

  write(address: number, register: number, bytes: Uint8Array): boolean {
    const chip = BUS_CHIPS.get(address);
    if (!chip || (chip.model !== 'display' && this.#sensed(chip.sensor) === undefined)) return false;
    const [high, low] = bytes;
    if (chip.model === 'display') bytes.forEach((port) => this.#display.write(port));
    if (chip.model === 'display' || high === undefined || low === undefined) return true;
    this.#chips.set(address, writeRegister(this.#chips.get(address) ?? new Map(), register, (high << 8) | low));
    return true;
  }

  #sensed(sensor: SensorName): number | undefined {
    return sensed(BENCH_BOX, this.#state, this.#faults, sensor, this.#atMs);
  }

  /** A line that gives nothing is low. */
  #levelOf(sensor: SensorName): Level {
    return (this.#sensed(sensor) ?? 0) > 0 ? 1 : 0;
  }

  #tellLevels(): void {
    for (const [line, sensor] of SHOWN) {
      const level = this.#levelOf(sensor);
      const before = this.#shown.get(line);
      this.#shown.set(line, level);
      if (before === undefined || before === level) continue; // the first level is no edge: a claim is answered with it
      this.#wires?.tell({ line, level, rising: level, falling: 1 - level, spanUs: 0, endUs: this.#nowUs() });
    }
  }

  /** Pulses since the last tick, each up and down; of fans that nobody senses nothing is counted. */
  #tellPulses(): void {
    for (const [line, sensor] of TACHOMETERS) {
      const { rest, atMs } = this.#tachometers.get(line) ?? { rest: 0, atMs: this.#atMs };
      const spanMs = this.#atMs - atMs;
      if (spanMs < RACK_LIMITS.tickMs && this.#tachometers.has(line)) continue;
      const turned = tachometer(rest, this.#sensed(sensor) ?? 0, spanMs);
      this.#tachometers.set(line, { rest: turned.rest, atMs: this.#atMs });
      if (turned.pulses === 0 || !this.#wires?.isSensed(line)) continue;
      const { pulses } = turned;
      this.#wires.tell({ line, level: 0, rising: pulses, falling: pulses, spanUs: spanMs * US_PER_MS, endUs: this.#nowUs() });
    }
  }

  /** CLOCK_MONOTONIC, which the board on this machine has as well. */
  #nowUs(): number {
    return Number(process.hrtime.bigint() / NS_PER_US);
  }
}
