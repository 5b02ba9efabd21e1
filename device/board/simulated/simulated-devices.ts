/**
 * The chip and the bus of a simulated board: what linux-devices.ts takes from the kernel is here at the other end of the wires,
 * so that everything above it is the same. Specification §16.4.
 */
import type { Bus, Chip, Devices, Edge, Level, Line, LineRequest } from '../devices.ts';
import { WIRE_LIMITS } from '../../limits.ts';
import { WireConnection, type Edges, type WireListener } from './wire-connection.ts';

/** As the definition of the board names them. */
export const SIMULATED_CHIP = 'rack';
export const SIMULATED_BUS = 0;

const NS_PER_US = 1_000n;

/**
 * Chip and bus share one connection, so that what is read comes after what was pressed.
 * @param socketPath of a box of the rack
 * @param consumer names whoever holds a line, to others who want it
 */
export function simulatedDevices(socketPath: string, consumer: string): Devices {
  const shared = new SharedWires(() => WireConnection.join(socketPath, consumer));
  return {
    source: 'simulated',
    async openChip(label) {
      if (label !== SIMULATED_CHIP) throw new Error(`there is no GPIO chip labelled "${label}"; a simulated board has "${SIMULATED_CHIP}"`);
      return new SimulatedChip(await shared.take(), () => shared.giveBack());
    },
    async openBus(number) {
      if (number !== SIMULATED_BUS) throw new Error(`there is no I2C bus ${number}; a simulated board has ${SIMULATED_BUS}`);
      return new SimulatedBus(await shared.take(), () => shared.giveBack());
    },
    readHwmon: ({ driver, input }) => Promise.reject(new Error(`a simulated board has no drivers of the kernel: no ${driver} ${input}`)),
  };
}

/** Joined for the first who wants them, let go by the last. */
class SharedWires {
  readonly #join: () => Promise<WireConnection>;
  #joined: Promise<WireConnection> | undefined;
  #users = 0;

  constructor(join: () => Promise<WireConnection>) {
    this.#join = join;
  }

  async take(): Promise<WireConnection> {
    this.#users += 1;
    this.#joined ??= this.#join();
    try {
      return await this.#joined;
    } catch (error) {
      this.#users -= 1;
      this.#joined = undefined;
      throw error;
    }
  }

  giveBack(): void {
    this.#users -= 1;
    if (this.#users > 0) return;
    void this.#joined?.then((wires) => wires.close());
    this.#joined = undefined;
  }
}

class SimulatedChip implements Chip, WireListener {
  readonly lines = WIRE_LIMITS.linesMax;
  readonly #wires: WireConnection;
  readonly #held = new Map<number, SimulatedLine>();
  readonly #letGo: () => void;

  constructor(wires: WireConnection, letGo: () => void) {
    this.#wires = wires;
    this.#letGo = letGo;
    wires.listen(this);
  }

  async request(request: LineRequest): Promise<Line> {
    if (this.#held.has(request.offset)) throw new Error(`line ${request.offset} is held by this program already`);
    const line = new SimulatedLine(this.#wires, request, () => this.#held.delete(request.offset));
    this.#held.set(request.offset, line);
    try {
      await line.claim();
    } catch (error) {
      this.#held.delete(request.offset);
      throw error;
    }
    return line;
  }

  close(): void {
    for (const line of [...this.#held.values()]) line.close();
    this.#letGo();
  }

  edges(edges: Edges): void {
    this.#held.get(edges.line)?.hear(edges);
  }

  broken(error: Error): void {
    for (const line of this.#held.values()) line.lose(error);
  }

  joinedAgain(): void {
    for (const line of this.#held.values()) void line.claimAgain();
  }
}

class SimulatedLine implements Line {
  readonly #wires: WireConnection;
  readonly #request: LineRequest;
  readonly #forget: () => void;
  /** As sensed or driven last, in the sense of the definition: 1 is active. Absent while the wires are broken. */
  #level: Level | undefined;
  #lastLevel: Level = 0;
  /** What a sign was told to be, also while the wires are broken. */
  #shown: Level = 0;
  #sequence = 0;
  #say: ((edge: Edge) => void) | undefined;
  #onFailure: ((error: Error) => void) | undefined;

  constructor(wires: WireConnection, request: LineRequest, forget: () => void) {
    this.#wires = wires;
    this.#request = request;
    this.#forget = forget;
  }

  async claim(level: Level = this.#request.level ?? 0): Promise<void> {
    const { offset: line, direction } = this.#request;
    const wanted = direction === 'output' ? { level: this.#electrical(level) } : {};
    const answer = await this.#wires.ask({ say: 'claim', line, direction, ...wanted });
    this.#level = this.#lastLevel = this.#electrical(answer.level ?? 0);
  }

  /** After a break an output is inactive, whatever it was: a press does not go on by itself. A sign shows what it was told to. */
  async claimAgain(): Promise<void> {
    const before = this.#lastLevel;
    try {
      await this.claim(this.#request.isSign === true ? this.#shown : undefined);
    } catch (error) {
      return this.#onFailure?.(error as Error);
    }
    if (this.#request.direction === 'input' && this.#lastLevel !== before) this.#tell(this.#lastLevel, process.hrtime.bigint());
  }

  read(): Level {
    if (this.#level === undefined) throw new Error('the wires to the box are broken');
    return this.#level;
  }

  write(level: Level): void {
    const { offset: line, direction } = this.#request;
    if (direction !== 'output') throw new Error(`line ${line} is an input; it is not driven`);
    this.#shown = level;
    // Broken wires have let it go already; so a board can be closed.
    if (this.#level === undefined && level === 0) return;
    this.#wires.say({ say: 'set', line, level: this.#electrical(level) });
    this.#level = this.#lastLevel = level;
  }

  setBias(): void {
    // Every line of the box is driven at its end: a pull-up changes nothing.
  }

  onEdge(say: (edge: Edge) => void, onFailure: (error: Error) => void): void {
    this.#say = say;
    this.#onFailure = onFailure;
  }

  /** Edges of a batch alternate and end with its level; they lie evenly in its span. */
  hear({ level, rising, falling, spanUs, endUs }: Edges): void {
    const count = rising + falling;
    this.#level = this.#lastLevel = this.#electrical(level);
    const endNs = BigInt(endUs) * NS_PER_US;
    const spanNs = BigInt(spanUs) * NS_PER_US;
    for (let index = 0; index < count; index += 1) {
      const electrical = (count - 1 - index) % 2 === 0 ? level : other(level);
      this.#tell(this.#electrical(electrical), endNs - (spanNs * BigInt(count - 1 - index)) / BigInt(count));
    }
  }

  lose(error: Error): void {
    this.#level = undefined;
    this.#onFailure?.(error);
  }

  close(): void {
    this.#say = this.#onFailure = undefined;
    this.#forget();
    if (this.#level === undefined) return;
    this.#level = undefined;
    this.#wires.say({ say: 'release', line: this.#request.offset });
  }

  #tell(level: Level, atNs: bigint): void {
    this.#sequence += 1;
    this.#say?.({ level, atNs, sequence: this.#sequence });
  }

  /** From electrical to active and back. */
  #electrical(level: Level): Level {
    return this.#request.activeLow === true ? other(level) : level;
  }
}

class SimulatedBus implements Bus {
  readonly #wires: WireConnection;
  readonly #letGo: () => void;

  constructor(wires: WireConnection, letGo: () => void) {
    this.#wires = wires;
    this.#letGo = letGo;
  }

  async read(address: number, register: number, count: number): Promise<Uint8Array> {
    const { bytes } = await this.#wires.ask({ say: 'transfer', address, register, count });
    if (bytes?.length !== count)
      throw new Error(`the rack gave ${bytes?.length ?? 0} bytes of 0x${address.toString(16)}; ${count} were asked for`);
    return bytes;
  }

  async write(address: number, register: number, bytes: Uint8Array): Promise<void> {
    await this.#wires.ask({ say: 'transfer', address, register, bytes });
  }

  close(): void {
    this.#letGo();
  }
}

function other(level: Level): Level {
  return level === 1 ? 0 : 1;
}
