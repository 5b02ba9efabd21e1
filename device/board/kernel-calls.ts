/**
 * The calls of the native addon on files of the kernel: GPIO character devices (uAPI v2), I2C buses (i2c-dev), readiness.
 * device/addon/board.h. Files are opened and closed with node:fs; each call throws an Error with `code` and `syscall`.
 */
export interface KernelCalls {
  gpioChip(chip: number): { readonly name: string; readonly label: string; readonly lines: number };
  /** @returns `flags` of enum gpio_v2_line_flag */
  gpioLine(chip: number, offset: number): { readonly name: string; readonly consumer: string; readonly flags: number };
  /**
   * @param level of an output from the first moment on
   * @param debounceUs 0 for none
   * @returns the file descriptor of the line, non-blocking: edges are read from it, 48 bytes each (struct gpio_v2_line_event)
   */
  gpioRequest(chip: number, offset: number, flags: number, level: 0 | 1, debounceUs: number): number;
  gpioConfigure(line: number, flags: number, level: 0 | 1, debounceUs: number): void;
  gpioRead(line: number): 0 | 1;
  gpioWrite(line: number, level: 0 | 1): void;
  /**
   * One SMBus transfer, on a thread; two at a time on one file would mix up their addresses, so its owner waits for each.
   * @param register -1 for a transfer of one byte without a register
   * @param what the bytes to write, or how many to read: 1 to 32; two are a word, more an I2C block
   */
  smbusTransfer(bus: number, address: number, register: number, what: Uint8Array | number): Promise<Uint8Array>;
  /** @returns what ends the watch; to be called before the file is closed */
  watchReadable(file: number, onReadable: (problem: Error | undefined) => void): () => void;
}
