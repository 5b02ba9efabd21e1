/**
 * Lines of a GPIO chip through the kernel's character device, uAPI v2 (linux/gpio.h). Owner of /dev/gpiochipN.
 * Specification §16.2.
 *
 * A chip is found by its label, never by its number: a kernel update moved the header of a Raspberry Pi 5 from gpiochip4 to
 * gpiochip0.
 */
import { closeSync, openSync, readdirSync, readSync } from 'node:fs';
import { join } from 'node:path';
import { loadAddon } from '../addon.ts';
import type { Bias, Chip, Edge, Level, Line, LineRequest } from './devices.ts';
import type { KernelCalls } from './kernel-calls.ts';

/** Bits of enum gpio_v2_line_flag. */
const FLAG = { used: 1, activeLow: 2, input: 4, output: 8, rising: 16, falling: 32, pullUp: 256, pullDown: 512, noBias: 1024 } as const;
const BIAS_FLAG: Readonly<Record<Bias, number>> = { 'pull-up': FLAG.pullUp, 'pull-down': FLAG.pullDown, none: FLAG.noBias };

/** struct gpio_v2_line_event: timestamp_ns u64, id u32, offset u32, seqno u32, line_seqno u32, padding. */
const EVENT_BYTES = 48;
const EVENT_FALLING = 2;
const EVENTS_READ = 64; // a page at a time; the kernel keeps 256

/** @throws Error that names the labels there are */
export function openChip(label: string, devices = '/dev'): GpioChip {
  const kernel = loadAddon().kernel;
  const seen: string[] = [];
  for (const name of chipNames(devices)) {
    const file = openSync(join(devices, name), 'r+');
    const info = kernel.gpioChip(file);
    if (info.label === label) return new GpioChip(kernel, file, info.lines);
    seen.push(info.label);
    closeSync(file);
  }
  throw new Error(
    seen.length === 0
      ? `there is no GPIO chip: ${devices}/gpiochip* is empty; is this the board that board.yaml describes?`
      : `there is no GPIO chip labelled "${label}"; this machine has ${seen.map((one) => `"${one}"`).join(', ')}`,
  );
}

function chipNames(devices: string): string[] {
  return readdirSync(devices)
    .filter((name) => /^gpiochip\d+$/.test(name))
    .sort((a, b) => Number(a.slice(8)) - Number(b.slice(8)));
}

export class GpioChip implements Chip {
  readonly #kernel: KernelCalls;
  readonly #file: number;
  readonly lines: number;

  constructor(kernel: KernelCalls, file: number, lines: number) {
    this.#kernel = kernel;
    this.#file = file;
    this.lines = lines;
  }

  /** @throws Error that says who holds the line, when it is taken */
  request(request: LineRequest): GpioLine {
    const { offset } = request;
    if (offset >= this.lines) throw new Error(`line ${offset} is not on this chip, which has lines 0 to ${this.lines - 1}`);
    try {
      const file = this.#kernel.gpioRequest(this.#file, offset, flagsOf(request), request.level ?? 0, request.debounceUs ?? 0);
      return new GpioLine(this.#kernel, file, request);
    } catch (error) {
      if (!(error instanceof Error && 'code' in error && error.code === 'EBUSY')) throw error;
      const { consumer } = this.#kernel.gpioLine(this.#file, offset);
      throw new Error(`line ${offset} is held by "${consumer || 'another program'}"; stop that first`, { cause: error });
    }
  }

  close(): void {
    closeSync(this.#file);
  }
}

export class GpioLine implements Line {
  readonly #kernel: KernelCalls;
  readonly #file: number;
  #request: LineRequest;
  #isOpen = true;
  #stopWatching: (() => void) | undefined;

  constructor(kernel: KernelCalls, file: number, request: LineRequest) {
    this.#kernel = kernel;
    this.#file = file;
    this.#request = request;
  }

  get direction(): LineRequest['direction'] {
    return this.#request.direction;
  }

  read(): Level {
    return this.#kernel.gpioRead(this.#file);
  }

  write(level: Level): void {
    if (this.#request.direction !== 'output') throw new Error(`line ${this.#request.offset} is an input; it is not driven`);
    this.#kernel.gpioWrite(this.#file, level);
  }

  setBias(bias: Bias): void {
    this.#request = { ...this.#request, bias };
    this.#kernel.gpioConfigure(this.#file, flagsOf(this.#request), this.#request.level ?? 0, this.#request.debounceUs ?? 0);
  }

  /** Nothing is polled. */
  onEdge(say: (edge: Edge) => void, onFailure: (error: Error) => void): void {
    this.#stopWatching?.();
    const stop = this.#kernel.watchReadable(this.#file, (problem) => {
      const edges = problem ?? this.#readEdges();
      if (edges instanceof Error) {
        stop(); // a chip that was pulled out would be readable for ever
        return onFailure(edges);
      }
      for (const edge of edges) say(edge);
    });
    this.#stopWatching = stop;
  }

  close(): void {
    if (!this.#isOpen) return;
    this.#isOpen = false;
    this.#stopWatching?.();
    closeSync(this.#file);
  }

  #readEdges(): Edge[] | Error {
    const edges: Edge[] = [];
    const page = new Uint8Array(EVENT_BYTES * EVENTS_READ);
    try {
      for (let length = page.length; length === page.length;) {
        length = readNow(this.#file, page);
        for (let at = 0; at + EVENT_BYTES <= length; at += EVENT_BYTES) edges.push(edgeAt(page, at));
      }
      return edges;
    } catch (error) {
      return error as Error;
    }
  }
}

function flagsOf({ direction, activeLow = false, bias }: LineRequest): number {
  const way = direction === 'output' ? FLAG.output : FLAG.input | FLAG.rising | FLAG.falling;
  return way | (activeLow ? FLAG.activeLow : 0) | (bias === undefined ? 0 : BIAS_FLAG[bias]);
}

function edgeAt(page: Uint8Array, at: number): Edge {
  const view = new DataView(page.buffer, at, EVENT_BYTES);
  const littleEndian = true; // of every machine that Node 26 is built for, s390x aside, which has no GPIO header
  return {
    level: view.getUint32(8, littleEndian) === EVENT_FALLING ? 0 : 1,
    atNs: view.getBigUint64(0, littleEndian),
    sequence: view.getUint32(20, littleEndian),
  };
}

/** @returns how many bytes there were; 0 for none */
function readNow(file: number, page: Uint8Array): number {
  try {
    return readSync(file, page);
  } catch (error) {
    if (error instanceof Error && 'code' in error && error.code === 'EAGAIN') return 0;
    throw error;
  }
}
