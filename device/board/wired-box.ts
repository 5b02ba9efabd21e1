/** A box on the wires of a board, real or simulated: its components put together behind one port. Specification §16.2, §16.3. */
import type { Clock } from '../ports.ts';
import { openBoardIo, type BoardIo } from './board-io.ts';
import { Buttons } from './buttons.ts';
import type { BoardDefinition, SensorChip } from './definition.ts';
import type { Bus, Devices } from './devices.ts';
import { Display } from './display.ts';
import { fan } from './fan.ts';
import { intrusion } from './intrusion.ts';
import type { Components } from './johnny-five.ts';
import { kernelSensor } from './kernel-sensor.ts';
import { mains } from './mains.ts';
import type { BoxHardware, HardwareChange, PowerOutcome, PowerState, PowerVerb, Reading, SensorDefinition, Sign } from './ports.ts';
import { PowerLed } from './power-led.ts';
import { powerMonitor } from './power-monitor.ts';
import type { Sensor } from './sensor.ts';
import { sensorDefinitions } from './sensor-definitions.ts';
import { SensorReader } from './sensor-reader.ts';
import { Signs } from './signs.ts';
import { thermometer } from './thermometer.ts';

/**
 * @param display where others show something, too; otherwise that of the board is the box's alone
 * @throws Error that names the line, chip or bus that is missing or held, and by whom
 */
export async function openWiredBox(
  definition: BoardDefinition,
  devices: Devices,
  now: Clock,
  display?: Pick<Display, 'show'>,
): Promise<BoxHardware> {
  const io = await openBoardIo(definition, devices);
  let bus: Bus | undefined;
  try {
    bus = definition.i2c && needsBus(definition) ? await devices.openBus(definition.i2c.bus) : undefined;
    // Components are loaded by a device that has wires, and by no other: they take 8 MB.
    const { openComponents } = await import('./johnny-five.ts');
    const shown = display ?? (definition.display && bus ? new Display(definition.display, bus) : undefined);
    return new WiredBox(definition, { io, bus, devices, now, display: shown, components: await openComponents(io) });
  } catch (error) {
    io.close();
    bus?.close();
    throw error;
  }
}

function needsBus({ sensors, display }: BoardDefinition): boolean {
  return display !== undefined || sensors.some((sensor) => 'address' in sensor);
}

interface WiredParts {
  readonly io: BoardIo;
  readonly bus: Bus | undefined;
  readonly devices: Devices;
  readonly now: Clock;
  readonly display: Pick<Display, 'show'> | undefined;
  readonly components: Components;
}

class WiredBox implements BoxHardware {
  readonly source: Devices['source'];
  readonly sensors: readonly SensorDefinition[];
  readonly verbs: readonly PowerVerb[];
  readonly #parts: WiredParts;
  readonly #listeners = new Set<(change: HardwareChange) => void>();
  readonly #readers: readonly SensorReader[];
  readonly #led: PowerLed | undefined;
  readonly #buttons: Buttons;
  readonly #mains: ReturnType<typeof mains> | undefined;
  readonly #signs: Signs;
  #isClosed = false;

  constructor(definition: BoardDefinition, parts: WiredParts) {
    const { io, components, devices } = parts;
    const { lines } = definition;
    this.#parts = parts;
    this.source = devices.source;
    const ledPin = io.pinOf('powerLed');
    this.#led = ledPin === undefined ? undefined : new PowerLed(io, ledPin, (state) => this.#powerChanged(state));
    const buttonPin = (role: 'powerButton' | 'resetButton'): ReturnType<Components['pin']> | undefined => {
      const pin = io.pinOf(role);
      return pin === undefined ? undefined : components.pin(pin);
    };
    const power = buttonPin('powerButton');
    const reset = buttonPin('resetButton');
    this.#buttons = new Buttons({
      pins: { ...(power ? { power } : {}), ...(reset ? { reset } : {}) },
      lengths: definition.press,
      power: () => this.powerState(),
    });
    const mainsPin = io.pinOf('mains');
    this.#mains = lines.mains && mainsPin !== undefined ? mains(lines.mains, mainsPin, components) : undefined;
    this.verbs = [
      ...(power ? (['on', 'soft-off', 'hard-off'] as const) : []),
      ...(reset ? (['reset'] as const) : []),
      ...(this.#mains ? (['cut-mains', 'restore-mains'] as const) : []),
    ];
    this.#signs = new Signs(components, { statusLed: io.pinOf('statusLed'), buzzer: io.pinOf('buzzer') });
    this.#readers = this.#sensorsOf(definition).map((sensor) => new SensorReader(sensor));
    this.sensors = this.#readers.flatMap(({ definitions }) => definitions);
  }

  async power(verb: PowerVerb, begun?: () => void): Promise<PowerOutcome> {
    if (verb === 'cut-mains' || verb === 'restore-mains') {
      if (this.#isClosed) return { status: 'failed', reason: 'closed', detail: 'the board has been closed' };
      if (!this.#mains) return { status: 'refused', reason: 'not-wired', detail: 'board.yaml has no lines.mains' };
      const refusal = this.#buttons.refusalOfMains();
      if (refusal) return { status: 'refused', ...refusal };
      begun?.();
      return this.#mains(verb);
    }
    return this.#buttons.press(verb, begun);
  }

  powerState(): PowerState {
    return this.#led?.state ?? 'unknown';
  }

  async sample(): Promise<readonly Reading[]> {
    const now = this.#parts.now();
    const power = this.powerState();
    return (await Promise.all(this.#readers.map((reader) => reader.read(now, power)))).flat();
  }

  onChange(listener: (change: HardwareChange) => void): () => void {
    this.#listeners.add(listener);
    return () => void this.#listeners.delete(listener);
  }

  async show(lines: readonly string[]): Promise<void> {
    // A display that does not answer is none; what it would have shown is in the log as well.
    await this.#parts.display?.show(lines).catch(() => undefined);
  }

  async signal(sign: Sign): Promise<void> {
    if (!this.#isClosed) this.#signs.show(sign);
  }

  async close(): Promise<void> {
    if (this.#isClosed) return;
    this.#isClosed = true;
    this.#listeners.clear();
    this.#buttons.close();
    this.#signs.close();
    this.#led?.close();
    this.#parts.io.close();
    this.#parts.bus?.close();
  }

  /** In the order of `sensorDefinitions`. */
  #sensorsOf(definition: BoardDefinition): Sensor[] {
    const { io, components } = this.#parts;
    const { lines } = definition;
    const described = (name: string): SensorDefinition | undefined => sensorDefinitions(definition).find((one) => one.name === name);
    const [lid, lidPin, disk, diskPin] = [described('intrusion'), io.pinOf('intrusion'), described('disk'), io.pinOf('diskLed')];
    return [
      ...definition.sensors.map((sensor) => this.#chip(sensor)),
      ...(lines.fans ?? []).flatMap((one, index) => {
        const pin = io.pinOf(`fans[${index}]`);
        return pin === undefined ? [] : [fan(one, io, pin)];
      }),
      ...(lines.intrusion && lid && lidPin !== undefined
        ? [intrusion(lines.intrusion, lid, { io, pin: lidPin, components, changed: (value) => this.#lidMoved(value) })]
        : []),
      ...(disk && diskPin !== undefined ? [diskActivity(disk, io, diskPin)] : []),
    ];
  }

  #chip(sensor: SensorChip): Sensor {
    const { bus, devices } = this.#parts;
    if (sensor.chip === 'hwmon') return kernelSensor(sensor, devices);
    if (!bus) throw new Error(`sensor ${sensor.name} is on no bus; name it as i2c in board.yaml`);
    return sensor.chip === 'tmp102' || sensor.chip === 'mcp9808' ? thermometer(sensor, bus) : powerMonitor(sensor, bus);
  }

  #powerChanged(state: PowerState): void {
    this.#tell({ kind: 'power', state, atMs: this.#parts.now() });
  }

  #lidMoved(value: 0 | 1): void {
    const atMs = this.#parts.now();
    this.#tell({ kind: 'reading', reading: { sensor: 'intrusion', quantity: 'intrusion', value, atMs, quality: 'good' } });
  }

  #tell(change: HardwareChange): void {
    for (const listener of [...this.#listeners]) listener(change);
  }
}

/** 1 when the disk was active since the reading before: its LED flickers faster than anybody samples. */
function diskActivity(definition: SensorDefinition, io: BoardIo, pin: number): Sensor {
  let wasActive = false;
  io.watch(pin, { edge: () => (wasActive = true), failed: () => undefined });
  return {
    definitions: [definition],
    read: async () => {
      const value = io.levelOf(pin) === 1 || wasActive ? 1 : 0;
      wasActive = false;
      return [{ value }];
    },
  };
}
