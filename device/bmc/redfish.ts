/** A box's BMC over Redfish: finds the system, its chassis and their sensors, and what resets are allowed. Specification §16.5. */
import type { PowerVerb, SensorDefinition } from '../board/ports.ts';
import { BmcFailed, INTRUSION, type Bmc, type BmcState, type BmcValue } from './bmc.ts';
import { BMC_LIMITS } from './limits.ts';
import { RedfishConnection, type RedfishAccess } from './redfish-connection.ts';
import { linkField, listField, pathField, resourceField, textField, WrongResource, type Resource } from './redfish-fields.ts';
import { allowedIn, chosenResets, powerStateOf, resetOf } from './redfish-power.ts';
import { sensorsIn, type RedfishSensor, type SensorResource } from './redfish-sensors.ts';
import { samplePeriodMs, sensorNames } from './sensor-facts.ts';
import { wholeBoxFirst } from './whole-box.ts';

export interface RedfishRequest extends RedfishAccess {
  /** Id of the ComputerSystem; needed where the service has several. */
  readonly system?: string | undefined;
  /** The sensor, by its name here, that measures the whole box: it comes first. */
  readonly powerSensor?: string | undefined;
}

const ROOT = '/redfish/v1/';
const PAGES_MAX = 16;
const CHASSIS_MAX = 4;

/** Asks the service what there is. @throws BmcFailed */
export async function openRedfish(request: RedfishRequest): Promise<Bmc> {
  const connection = new RedfishConnection(request);
  try {
    return await understood(async () => {
      const bmc = new RedfishBmc(connection, await explore(connection, request.system));
      await bmc.learn(request.powerSensor);
      return bmc;
    });
  } catch (error) {
    await connection.close();
    throw error;
  }
}

/** A resource to read at each sample; a collection of sensors is read whole, or sensor by sensor. */
interface Source {
  readonly kind: SensorResource | 'Sensors';
  readonly path: string;
}

interface Explored {
  readonly system: string;
  readonly chassis: readonly string[];
  readonly sensesIntrusion: boolean;
  /** Where a reset is asked for, and the ResetType of each verb. */
  readonly resetTarget: string | undefined;
  readonly resets: ReadonlyMap<PowerVerb, string>;
  readonly sources: readonly Source[];
  /** Whether a collection comes with its members on request. */
  readonly canExpand: boolean;
}

class RedfishBmc implements Bmc {
  readonly source = 'redfish';
  readonly verbs: readonly PowerVerb[];
  readonly sensesIntrusion: boolean;
  sensors: readonly SensorDefinition[] = [];
  readonly #connection: RedfishConnection;
  readonly #explored: Explored;
  #nameOfKey: ReadonlyMap<string, string> = new Map();

  constructor(connection: RedfishConnection, explored: Explored) {
    this.#connection = connection;
    this.#explored = explored;
    this.verbs = [...explored.resets.keys()];
    this.sensesIntrusion = explored.sensesIntrusion;
  }

  /** @throws BmcFailed when there is no sensor of the name that measures the whole box */
  async learn(powerSensor: string | undefined): Promise<void> {
    const begunAtMs = performance.now();
    const found = new Map((await this.#read()).map((sensor) => [sensor.key, sensor]));
    const listed = [...found.values()].sort((a, b) => Number(b.name === 'power') - Number(a.name === 'power'));
    const names = sensorNames(
      listed.map(({ name }) => name),
      [INTRUSION],
    );
    this.#nameOfKey = new Map(listed.map(({ key }, index) => [key, names[index] ?? key]));
    const periodMs = samplePeriodMs(performance.now() - begunAtMs);
    const definitions = listed.map(({ key, quantity, accuracy, limits }) => ({
      ...{ name: this.#nameOfKey.get(key) ?? key, quantity, accuracy, periodMs },
      ...(limits && { limits }),
    }));
    this.sensors = wholeBoxFirst(definitions, powerSensor);
  }

  state(): Promise<BmcState> {
    return understood(async () => {
      const power = powerStateOf(await this.#connection.get(this.#explored.system));
      if (!this.sensesIntrusion) return { power };
      const chassis = this.#explored.chassis[0] ?? ROOT;
      const isOpen = intrusionOf(await this.#connection.get(chassis));
      return { power, ...(isOpen !== undefined && { isOpen }) };
    });
  }

  /** Between two requests it ends for an order. */
  values(overtaken: AbortSignal): Promise<ReadonlyMap<string, BmcValue>> {
    return understood(async () => {
      const values = new Map<string, BmcValue>();
      for (const { key, value } of await this.#read(overtaken)) {
        const name = this.#nameOfKey.get(key);
        if (name !== undefined) values.set(name, value);
      }
      return values;
    });
  }

  async order(verb: PowerVerb): Promise<void> {
    const { resetTarget, resets } = this.#explored;
    const word = resets.get(verb);
    if (resetTarget === undefined || word === undefined) throw new BmcFailed('hardware', `the service does not allow ${verb}`);
    await this.#connection.post(resetTarget, { ResetType: word });
  }

  sensesMore(): Promise<boolean> {
    return Promise.resolve(false);
  }

  close(): Promise<void> {
    return this.#connection.close();
  }

  async #read(overtaken?: AbortSignal): Promise<RedfishSensor[]> {
    const sensors: RedfishSensor[] = [];
    const until = performance.now() + BMC_LIMITS.sensorsMs;
    for (const { kind, path } of this.#explored.sources) {
      overtaken?.throwIfAborted();
      if (performance.now() > until) throw new BmcFailed('no-answer', `the sensors took more than ${BMC_LIMITS.sensorsMs / 1_000} s`);
      if (kind === 'Sensors') sensors.push(...(await this.#readSensors(path, until, overtaken)));
      else sensors.push(...sensorsIn(kind, await this.#connection.get(path)));
    }
    return sensors.slice(0, BMC_LIMITS.sensorsMax);
  }

  async #readSensors(path: string, until: number, overtaken?: AbortSignal): Promise<RedfishSensor[]> {
    const sensors: RedfishSensor[] = [];
    for (const member of await membersOf(this.#connection, this.#explored.canExpand ? `${path}?$expand=.` : path)) {
      if (sensors.length >= BMC_LIMITS.sensorsMax || performance.now() > until) break;
      overtaken?.throwIfAborted();
      sensors.push(...sensorsIn('Sensor', await this.#whole(member)));
    }
    return sensors;
  }

  /** A member as it came with the collection, or what its link leads to. */
  async #whole(member: Resource): Promise<Resource> {
    const path = pathField(member, '@odata.id');
    return path === undefined || Object.keys(member).length > 1 ? member : this.#connection.get(path);
  }
}

async function explore(connection: RedfishConnection, wanted: string | undefined): Promise<Explored> {
  const root = await connection.get(ROOT, 'anybody');
  connection.useSessions(linkField(resourceField(root, 'Links') ?? {}, 'Sessions'));
  const systems = linkField(root, 'Systems');
  if (systems === undefined) throw new WrongResource('the service root has no Systems');
  const system = await chosenSystem(connection, systems, wanted);
  const found = await connection.get(system);
  const chassis = listField(resourceField(found, 'Links') ?? {}, 'Chassis').flatMap((link) => pathField(link, '@odata.id') ?? []);
  const sources: Source[] = [];
  let sensesIntrusion = false;
  for (const path of chassis.slice(0, CHASSIS_MAX)) {
    const one = await connection.get(path);
    if (path === chassis[0]) sensesIntrusion = intrusionOf(one) !== undefined;
    sources.push(...(await sourcesOf(connection, one)));
  }
  const features = resourceField(resourceField(root, 'ProtocolFeaturesSupported') ?? {}, 'ExpandQuery') ?? {};
  const canExpand = features['NoLinks'] === true;
  return { system, chassis, sensesIntrusion, sources, canExpand, ...(await resetsOf(connection, found)) };
}

async function resetsOf(connection: RedfishConnection, system: Resource): Promise<Pick<Explored, 'resetTarget' | 'resets'>> {
  const reset = resetOf(system);
  if (!reset) return { resetTarget: undefined, resets: new Map() };
  const { target, actionInfo } = reset;
  const allowed = reset.allowed ?? (actionInfo === undefined ? undefined : allowedIn(await connection.get(actionInfo)));
  return { resetTarget: target, resets: chosenResets(allowed) };
}

async function chosenSystem(connection: RedfishConnection, path: string, wanted: string | undefined): Promise<string> {
  const paths = (await membersOf(connection, path)).flatMap((member) => pathField(member, '@odata.id') ?? []);
  const ids = paths.map((one) => one.replace(/\/$/, '').split('/').at(-1) ?? one);
  const index = wanted === undefined ? 0 : ids.indexOf(wanted);
  const found = paths[index];
  if (found !== undefined && (wanted !== undefined || paths.length === 1)) return found;
  throw new BmcFailed(
    'hardware',
    wanted === undefined
      ? `the service has ${ids.length} systems (${ids.join(', ')}); say which one is the box by "system"`
      : `the service has no system "${wanted}"; it has ${ids.join(', ') || 'none'}`,
  );
}

/** Where a chassis keeps its readings: in the resources since 2020 (DSP2046), else in Power and Thermal, which these replace. */
async function sourcesOf(connection: RedfishConnection, chassis: Resource): Promise<Source[]> {
  const source = (kind: Source['kind'], link: string, from = chassis): Source[] => {
    const path = linkField(from, link);
    return path === undefined ? [] : [{ kind, path }];
  };
  const environment = source('EnvironmentMetrics', 'EnvironmentMetrics');
  const sensors = source('Sensors', 'Sensors');
  if (sensors.length > 0) return [...environment, ...sensors];
  const subsystem = linkField(chassis, 'ThermalSubsystem');
  const metrics = subsystem === undefined ? [] : source('ThermalMetrics', 'ThermalMetrics', await connection.get(subsystem));
  const former = [...(environment.length > 0 ? [] : source('Power', 'Power')), ...(metrics.length > 0 ? [] : source('Thermal', 'Thermal'))];
  return [...environment, ...metrics, ...former];
}

/** Of a collection, over its pages. */
async function membersOf(connection: RedfishConnection, first: string): Promise<Resource[]> {
  const members: Resource[] = [];
  let path: string | undefined = first;
  for (let page = 0; path !== undefined && page < PAGES_MAX; page += 1) {
    const collection: Resource = await connection.get(path);
    members.push(...listField(collection, 'Members'));
    path = textField(collection, 'Members@odata.nextLink');
  }
  return members;
}

/** PhysicalSecurity.IntrusionSensor (DSP2046, Chassis); undefined where there is none. */
function intrusionOf(chassis: Resource): boolean | undefined {
  const word = textField(resourceField(chassis, 'PhysicalSecurity') ?? {}, 'IntrusionSensor');
  if (word === undefined) return undefined;
  if (word === 'Normal') return false;
  if (word === 'HardwareIntrusion' || word === 'TamperingDetected') return true;
  throw new WrongResource(`IntrusionSensor is "${word}"; it must be Normal, HardwareIntrusion or TamperingDetected`);
}

async function understood<T>(work: () => Promise<T>): Promise<T> {
  try {
    return await work();
  } catch (error) {
    if (error instanceof WrongResource) throw new BmcFailed('hardware', `the Redfish service is not understood: ${error.message}`);
    throw error;
  }
}
