/** One I2C bus through i2c-dev, by SMBus transfers. Owner of /dev/i2c-N. Specification §16.3. */
import { closeSync, openSync } from 'node:fs';
import { loadAddon } from '../addon.ts';
import type { Bus } from './devices.ts';
import type { KernelCalls } from './kernel-calls.ts';

export class I2cBus implements Bus {
  readonly #kernel: KernelCalls;
  readonly #file: number;
  /** Transfers come one after the other: the kernel keeps the address in the open file. */
  #last: Promise<unknown> = Promise.resolve();
  #isOpen = true;

  private constructor(kernel: KernelCalls, file: number) {
    this.#kernel = kernel;
    this.#file = file;
  }

  /** @throws Error that says how a missing bus is switched on */
  static open(number: number): I2cBus {
    const path = `/dev/i2c-${number}`;
    try {
      return new I2cBus(loadAddon().kernel, openSync(path, 'r+'));
    } catch (error) {
      if (!(error instanceof Error && 'code' in error && error.code === 'ENOENT')) throw error;
      throw new Error(`there is no ${path}; on a Raspberry Pi, dtparam=i2c_arm=on in config.txt and the module i2c-dev make it`, {
        cause: error,
      });
    }
  }

  read(address: number, register: number, count: number): Promise<Uint8Array> {
    return this.#transfer(address, register, count);
  }

  async write(address: number, register: number, bytes: Uint8Array): Promise<void> {
    await this.#transfer(address, register, bytes);
  }

  /** Once the transfers that have been asked for are over. */
  close(): void {
    if (!this.#isOpen) return;
    this.#isOpen = false;
    void this.#last.then(() => closeSync(this.#file));
  }

  async #transfer(address: number, register: number, what: Uint8Array | number): Promise<Uint8Array> {
    if (!this.#isOpen) throw new Error('the bus is let go; the board has been closed');
    const turn = this.#last.then(() => this.#kernel.smbusTransfer(this.#file, address, register, what));
    this.#last = turn.catch(() => undefined);
    return turn;
  }
}
