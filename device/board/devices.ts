/**
 * What a board asks of a machine: GPIO chips, I2C buses and sensors of the kernel. Declarations only: the kernel's own are in
 * linux-devices.ts, simulated ones in simulated/. Specification §16.2.
 */
export type Level = 0 | 1;
export type Bias = 'pull-up' | 'pull-down' | 'none';

export interface Edge {
  readonly level: Level;
  /** A monotonic clock, nanoseconds; the kernel's own time of the edge, exact however late it is read. */
  readonly atNs: bigint;
  /** Counts up by one an edge; a gap tells how many were dropped. */
  readonly sequence: number;
}

export interface LineRequest {
  readonly offset: number;
  readonly direction: 'input' | 'output';
  readonly activeLow?: boolean;
  readonly bias?: Bias;
  /** Of an output: what it has from the first moment on. Like every level here, 1 is active. */
  readonly level?: Level;
  /** Of an output that shows something and moves nothing: after a break of simulated wires it is as it was, any other is inactive. */
  readonly isSign?: boolean;
  /** Of an input. */
  readonly debounceUs?: number;
}

export interface Line {
  read(): Level;
  /** @throws Error for an input: what senses must never drive */
  write(level: Level): void;
  setBias(bias: Bias): void;
  /** Says every edge in order, also those that came while nobody read. A second call takes the place of the first. */
  onEdge(say: (edge: Edge) => void, onFailure: (error: Error) => void): void;
  close(): void;
}

export interface Chip {
  /** Offsets are 0 to lines - 1. */
  readonly lines: number;
  /** Throws or rejects with an Error that says who holds the line, when it is taken. */
  request(request: LineRequest): Line | Promise<Line>;
  close(): void;
}

/** One I2C bus; transfers asked for at once are made one after the other. */
export interface Bus {
  /** @param register -1 for a device that has none; then a single byte is read */
  read(address: number, register: number, count: number): Promise<Uint8Array>;
  write(address: number, register: number, bytes: Uint8Array): Promise<void>;
  close(): void;
}

/** A value that a driver of the kernel offers under /sys/class/hwmon. */
export interface HwmonInput {
  /** What the file `name` says: `ina219`, `w1_slave_temp`. */
  readonly driver: string;
  /** As in the kernel's names of files, without `_input`: `power1`, `temp1`. */
  readonly input: string;
  /** Where several have the same driver: the kernel's name of the device, `1-0041` or `28-0316a2795f3b`. */
  readonly device?: string;
}

export interface Devices {
  readonly source: 'wires' | 'simulated';
  /** Throws or rejects with an Error that names the labels there are. */
  openChip(label: string): Chip | Promise<Chip>;
  /** Throws or rejects with an Error that says how a missing bus is switched on. */
  openBus(number: number): Bus | Promise<Bus>;
  /** In the kernel's unit: m°C, mV, mA, µW, revolutions a minute. Rejects where there is no such sensor. */
  readHwmon(input: HwmonInput): Promise<number>;
}
