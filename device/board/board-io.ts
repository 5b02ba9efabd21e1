/**
 * The IO plugin through which johnny-five reaches a board, over the machine's own lines or simulated ones. Specification §16.2.
 *
 * Which way a line goes is the definition's to say: every line is requested at the start, outputs with their inactive level, and no
 * component can turn one round. A HIGH on an input is the library's word for a pull-up and never drives.
 */
import { EventEmitter } from 'node:events';
import type { Bias, Devices, Edge, Level, Line } from './devices.ts';
import type { BoardDefinition } from './definition.ts';

/** Of a line, in the words of board.yaml: `powerLed`, `fans[0]`. */
export type LineRole = string;

export interface PlacedLine {
  readonly role: LineRole;
  readonly chip: string;
  readonly offset: number;
  readonly direction: 'input' | 'output';
  readonly activeLow: boolean;
  readonly bias: Bias | undefined;
  readonly debounceMs: number;
}

interface OpenLine {
  readonly placed: PlacedLine;
  readonly line: Line;
  readonly listeners: Set<LineListener>;
  isWatched: boolean;
}

export interface LineListener {
  edge(edge: Edge): void;
  /** The line can't be read; it may come back. */
  failed(error: Error): void;
}

const outputs: ReadonlySet<string> = new Set(['powerButton', 'resetButton', 'mains', 'statusLed', 'buzzer']);
/** They blink by a component's timer, which has nobody to hear of an error; a sign that can't be given is none. */
const signs: ReadonlySet<string> = new Set(['statusLed', 'buzzer']);

/** A contact closes within some milliseconds; what is shorter is its bouncing. A tachometer is quicker, and is counted as it comes. */
const DEBOUNCE_MS: Readonly<Record<string, number>> = { powerLed: 5, intrusion: 5 };

/** The lines of a board, numbered from 0 as johnny-five's pins. */
export function placedLines({ lines, gpio }: BoardDefinition): PlacedLine[] {
  const { fans = [], ...single } = lines;
  const named = [...Object.entries(single), ...fans.map((fan, index) => [`fans[${index}]`, fan] as const)];
  return named.map(([role, line]) => ({
    role,
    chip: line.chip ?? gpio?.chip ?? '',
    offset: line.line,
    direction: outputs.has(role) ? 'output' : 'input',
    activeLow: line.activeLow ?? false,
    bias: 'bias' in line ? line.bias : undefined,
    debounceMs: ('debounceMs' in line ? line.debounceMs : undefined) ?? DEBOUNCE_MS[role] ?? 0,
  }));
}

/** @throws Error that names the line by its key, and says what is in the way */
export async function openBoardIo(definition: BoardDefinition, devices: Devices): Promise<BoardIo> {
  const placed = placedLines(definition);
  const closers: (() => void)[] = [];
  const close = (): void => {
    for (const one of closers.splice(0).reverse()) quietly(one);
  };
  try {
    const chips = new Map<string, Awaited<ReturnType<Devices['openChip']>>>();
    const lines: OpenLine[] = [];
    for (const one of placed) {
      const chip = chips.get(one.chip) ?? (await devices.openChip(one.chip));
      if (!chips.has(one.chip)) closers.push(() => chip.close());
      chips.set(one.chip, chip);
      const line = await named(one, () => chip.request(requestOf(one)));
      closers.push(() => line.close());
      lines.push({ placed: one, line, listeners: new Set(), isWatched: false });
    }
    return new BoardIo(lines, close);
  } catch (error) {
    close();
    throw error;
  }
}

function requestOf({ role, offset, direction, activeLow, bias, debounceMs }: PlacedLine): Parameters<BoardLineRequest>[0] {
  if (direction === 'output') return { offset, direction, activeLow, level: 0, isSign: signs.has(role) };
  return { offset, direction, activeLow, ...(bias === undefined ? {} : { bias }), debounceUs: debounceMs * 1_000 };
}

type BoardLineRequest = Awaited<ReturnType<Devices['openChip']>>['request'];

async function named<T>({ role, chip }: PlacedLine, request: () => T | Promise<T>): Promise<T> {
  try {
    return await request();
  } catch (error) {
    throw new Error(`lines.${role} on "${chip}": ${error instanceof Error ? error.message : String(error)}`, { cause: error });
  }
}

export class BoardIo extends EventEmitter {
  readonly name = 'capstan';
  readonly isReady = true;
  readonly HIGH = 1;
  readonly LOW = 0;
  readonly MODES = { INPUT: 0, OUTPUT: 1, ANALOG: 2, PWM: 3, SERVO: 4 } as const;
  readonly analogPins: readonly number[] = [];
  readonly pins: readonly object[];
  readonly #lines: readonly OpenLine[];
  readonly #close: () => void;
  #isOpen = true;

  constructor(lines: readonly OpenLine[], close: () => void) {
    super();
    this.#lines = lines;
    this.#close = close;
    this.pins = lines.map(({ placed }) => {
      const mode = placed.direction === 'output' ? this.MODES.OUTPUT : this.MODES.INPUT;
      return { supportedModes: [mode], mode, value: 0, report: 0, analogChannel: 127 };
    });
  }

  /** @returns the pin of a line, if the board has that line */
  pinOf(role: LineRole): number | undefined {
    const pin = this.#lines.findIndex(({ placed }) => placed.role === role);
    return pin < 0 ? undefined : pin;
  }

  normalize(pin: number): number {
    return pin;
  }

  /** @throws Error where a component wants a line to go the other way than board.yaml says */
  pinMode(pin: number, mode: number): void {
    const { placed } = this.#open(pin);
    const wanted = mode === this.MODES.OUTPUT ? 'output' : mode === this.MODES.INPUT ? 'input' : 'neither';
    if (wanted !== placed.direction) throw new Error(`lines.${placed.role} is an ${placed.direction}; it can't have mode ${mode}`);
  }

  digitalWrite(pin: number, value: number): void {
    const { placed, line } = this.#open(pin);
    const level: Level = value === this.LOW ? 0 : 1;
    if (signs.has(placed.role)) quietly(() => line.write(level));
    else if (placed.direction === 'output') line.write(level);
    else if (placed.bias === undefined) line.setBias(level === 1 ? 'pull-up' : 'none');
  }

  /** Says the level soon, never at once (a component's constructor is not done by then), and at each edge. */
  digitalRead(pin: number, say: (level: Level) => void): void {
    const { line } = this.#open(pin);
    queueMicrotask(() =>
      quietly(() => {
        if (this.#isOpen) say(line.read());
      }),
    );
    this.watch(pin, { edge: ({ level }) => say(level), failed: () => undefined });
  }

  /** @throws Error while a simulated wire is broken */
  levelOf(pin: number): Level {
    return this.#open(pin).line.read();
  }

  /** Edges with the kernel's time and count, which johnny-five has no word for. */
  watch(pin: number, listener: LineListener): void {
    const one = this.#open(pin);
    one.listeners.add(listener);
    if (one.isWatched) return;
    one.isWatched = true;
    one.line.onEdge(
      (edge) => {
        for (const each of one.listeners) each.edge(edge);
      },
      (error) => {
        for (const each of one.listeners) each.failed(error);
      },
    );
  }

  analogRead(pin: number): void {
    throw new Error(`lines.${this.#open(pin).placed.role} is digital, like all lines here`);
  }

  analogWrite(pin: number): void {
    this.analogRead(pin);
  }

  /** Outputs go to their inactive level, then every line is let go. */
  close(): void {
    if (!this.#isOpen) return;
    this.#isOpen = false;
    for (const { placed, line } of this.#lines) {
      if (placed.direction === 'output') quietly(() => line.write(0));
    }
    this.#close();
  }

  #open(pin: number): OpenLine {
    const one = this.#lines[pin];
    if (!one) throw new Error(`the board has no pin ${pin}; it has 0 to ${this.#lines.length - 1}`);
    if (!this.#isOpen) throw new Error(`lines.${one.placed.role} is let go; the board has been closed`);
    return one;
  }
}

/** For what may be broken or gone already, where nobody waits for the outcome. */
function quietly(act: () => void): void {
  try {
    act();
  } catch {
    // Whoever reads or presses the line is told.
  }
}
