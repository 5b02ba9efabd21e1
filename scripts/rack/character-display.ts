/**
 * The character display on the bus of a simulated board: what an HD44780 with four data lines behind a PCF8574 shows after the bytes
 * that it was written (Hitachi ADE-207-272, tables 6 and 11). 20 columns, 4 rows. Pure. Specification §16.4.
 */
const [RS, ENABLE] = [1, 4];
const COLUMNS = 20;
/** Where its rows begin in the memory of the chip. */
const ROWS = [0x00, 0x40, 0x14, 0x54];
const BLANK = 0x20;
const [CLEAR, FUNCTION_SET, EIGHT_LINES, SET_ADDRESS] = [0x01, 0x20, 0x10, 0x80];

export class CharacterDisplay {
  readonly #memory = new Uint8Array(0x80).fill(BLANK);
  #address = 0;
  #port = 0;
  #isByHalves = false;
  /** The first half of a byte that comes over four lines. */
  #upper: number | undefined;

  /** What stands at its port now; the chip takes it over when E falls. */
  write(port: number): void {
    const before = this.#port;
    this.#port = port;
    if ((before & ENABLE) !== 0 && (port & ENABLE) === 0) this.#take(before >> 4, (before & RS) !== 0);
  }

  /** Its rows, blanks at their ends left out; what is no character of ASCII is `?`. */
  lines(): string[] {
    const row = (start: number): string => String.fromCharCode(...this.#memory.subarray(start, start + COLUMNS));
    return ROWS.map((start) =>
      row(start)
        .replace(/[^\x20-\x7e]/g, '?')
        .trimEnd(),
    );
  }

  #take(half: number, isData: boolean): void {
    if (!this.#isByHalves) return this.#obey(half << 4);
    if (this.#upper === undefined) return void (this.#upper = half);
    const byte = (this.#upper << 4) | half;
    this.#upper = undefined;
    if (!isData) return this.#obey(byte);
    this.#memory[this.#address] = byte;
    this.#address = (this.#address + 1) & 0x7f;
  }

  /** Of two commands that a byte could be, the one with the higher bit is meant. */
  #obey(command: number): void {
    if ((command & SET_ADDRESS) !== 0) this.#address = command & 0x7f;
    else if (command >> 5 === FUNCTION_SET >> 5) this.#isByHalves = (command & EIGHT_LINES) === 0;
    else if (command === CLEAR) {
      this.#memory.fill(BLANK);
      this.#address = 0;
    }
  }
}
