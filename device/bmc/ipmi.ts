/** A box's BMC over IPMI 2.0: what is asked of ipmitool, and in which order. Specification §16.5. */
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { PowerVerb, SensorDefinition } from '../board/ports.ts';
import { readPassword } from '../password-file.ts';
import { BmcFailed, INTRUSION, noAccess, type Bmc, type BmcState, type BmcValue } from './bmc.ts';
import { readChassisStatus, readDcmiPower, readSensors, WrongOutput, type IpmiSensor } from './ipmi-output.ts';
import { runIpmitool, type IpmiAccess, type IpmiCommand } from './ipmitool.ts';
import { BMC_LIMITS } from './limits.ts';
import { assumedAccuracy, noValue, samplePeriodMs, sensorNames } from './sensor-facts.ts';
import { wholeBoxFirst } from './whole-box.ts';

export interface IpmiRequest extends IpmiAccess {
  /** The sensor, by its name here, that measures the whole box: it comes first. Absent: DCMI's, where there is one. */
  readonly powerSensor?: string | undefined;
  /** What plays ipmitool in a test. */
  readonly program?: string | undefined;
}

const WORD: Partial<Record<PowerVerb, string>> = { on: 'on', 'soft-off': 'soft', 'hard-off': 'off', reset: 'reset' };
const DCMI = 'power';

/** Asks the BMC what there is. @throws BmcFailed */
export async function openIpmi(request: IpmiRequest): Promise<Bmc> {
  const ask: Ask = (words, timeoutMs = BMC_LIMITS.commandMs, overtaken) => {
    readPassword(request.passwordFile, BMC_LIMITS.ipmiPasswordBytesMax, noAccess);
    const command: IpmiCommand = { words, timeoutMs, overtaken, program: request.program };
    return runIpmitool(request, command);
  };
  const { isOpen } = readAs(readChassisStatus, await ask(['chassis', 'status']));
  const folder = await mkdtemp(join(tmpdir(), 'capstan-ipmi-'));
  try {
    const repository = join(folder, 'sensors');
    await ask(['sdr', 'dump', repository], BMC_LIMITS.repositoryMs);
    const bmc = new IpmiBmc({ ask, folder, repository, sensesIntrusion: isOpen !== undefined, hasDcmi: await findsDcmi(ask) });
    await bmc.learn(request.powerSensor);
    return bmc;
  } catch (error) {
    await rm(folder, { recursive: true, force: true });
    throw error;
  }
}

type Ask = (words: readonly string[], timeoutMs?: number, overtaken?: AbortSignal) => Promise<string>;

interface Found {
  readonly ask: Ask;
  readonly folder: string;
  /** The BMC's descriptions of its sensors: reading them each time takes seconds. */
  readonly repository: string;
  readonly sensesIntrusion: boolean;
  readonly hasDcmi: boolean;
}

class IpmiBmc implements Bmc {
  readonly source = 'ipmi';
  readonly verbs = Object.keys(WORD) as PowerVerb[];
  readonly sensesIntrusion: boolean;
  sensors: readonly SensorDefinition[] = [];
  readonly #found: Found;

  constructor(found: Found) {
    this.#found = found;
    this.sensesIntrusion = found.sensesIntrusion;
  }

  /** @throws BmcFailed when there is no sensor of the name that measures the whole box */
  async learn(powerSensor: string | undefined): Promise<void> {
    const begunAtMs = performance.now();
    const listed = this.#named(await this.#list());
    const periodMs = samplePeriodMs(performance.now() - begunAtMs);
    const all = [...(this.#found.hasDcmi ? [{ name: DCMI, quantity: 'power' } as const] : []), ...listed];
    const definitions = all.map(({ name, quantity, ...rest }) => ({
      ...{ name, quantity, accuracy: assumedAccuracy(quantity), periodMs },
      ...('limits' in rest && { limits: rest.limits }),
    }));
    this.sensors = wholeBoxFirst(definitions, powerSensor);
  }

  async state(): Promise<BmcState> {
    return readAs(readChassisStatus, await this.#found.ask(['chassis', 'status']));
  }

  async values(overtaken: AbortSignal): Promise<ReadonlyMap<string, BmcValue>> {
    const listed = this.#named(await this.#list(overtaken)).map(({ name, value }) => [name, value] as const);
    return new Map(this.#found.hasDcmi ? [...listed, [DCMI, await this.#dcmi(overtaken)]] : listed);
  }

  async order(verb: PowerVerb): Promise<void> {
    await this.#found.ask(['chassis', 'power', WORD[verb] ?? 'status']);
  }

  /** Many a BMC has no DCMI while its box is off. */
  async sensesMore(): Promise<boolean> {
    return !this.#found.hasDcmi && findsDcmi(this.#found.ask);
  }

  async close(): Promise<void> {
    await rm(this.#found.folder, { recursive: true, force: true });
  }

  async #list(overtaken?: AbortSignal): Promise<IpmiSensor[]> {
    const words = ['-S', this.#found.repository, '-c', 'sdr', 'elist', 'full'];
    const sensors = readAs(readSensors, await this.#found.ask(words, BMC_LIMITS.sensorsMs, overtaken));
    return sensors.slice(0, BMC_LIMITS.sensorsMax);
  }

  #named(sensors: readonly IpmiSensor[]): IpmiSensor[] {
    const names = sensorNames(
      sensors.map(({ name }) => name),
      [DCMI, INTRUSION],
    );
    return sensors.map((sensor, index) => ({ ...sensor, name: names[index] ?? sensor.name }));
  }

  async #dcmi(overtaken: AbortSignal): Promise<BmcValue> {
    const value = readAs(readDcmiPower, await this.#found.ask(DCMI_WORDS, undefined, overtaken));
    return value === undefined ? noValue('the BMC says that its power measurement is deactivated') : { value, quality: 'good' };
  }
}

const DCMI_WORDS = ['dcmi', 'power', 'reading'];

/** The state was told before: whatever else than silence comes is a BMC without DCMI, or one that keeps it from operators. */
async function findsDcmi(ask: Ask): Promise<boolean> {
  try {
    readDcmiPower(await ask(DCMI_WORDS));
    return true;
  } catch (error) {
    if (error instanceof WrongOutput || (error instanceof BmcFailed && error.reason !== 'no-answer')) return false;
    throw error;
  }
}

function readAs<T>(read: (printed: string) => T, printed: string): T {
  try {
    return read(printed);
  } catch (error) {
    if (error instanceof WrongOutput) throw new BmcFailed('hardware', `ipmitool is not understood: ${error.message}`);
    throw error;
  }
}
