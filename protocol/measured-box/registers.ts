/** Registers of a box: which ones a quote shows, and what a log makes of them. Pure. Specification §6.5; TPM 2.0 Part 1 §17. */
import type { Crypto } from '../crypto.ts';
import type { BootLog } from './uefi-log.ts';

/** Firmware 0-7, boot loader and kernel 8-9, IMA 10, and the loader's owner keys (shim) 14; the SHA-256 bank. */
export const BOX_PCRS: readonly number[] = [0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 14];

/** Those that the boot log explains; they don't change after the start. */
export const BOOT_PCRS: readonly number[] = [0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 14];

/** Contents by register number, 32 bytes each. */
export type BoxRegisters = ReadonlyMap<number, Uint8Array>;

export const zeros: Uint8Array = new Uint8Array(32);

/** What the boot log makes of the registers that it extends, and of `BOOT_PCRS`, which start as zeros. */
export function replayBootLog(log: BootLog, crypto: Crypto): BoxRegisters {
  const registers = new Map<number, Uint8Array>(BOOT_PCRS.map((pcr) => [pcr, zeros]));
  const first = new Uint8Array(32);
  first[31] = log.startupLocality;
  registers.set(0, first);
  for (const { pcr, digest } of log.events) registers.set(pcr, extended(registers.get(pcr) ?? zeros, digest, crypto));
  return registers;
}

function extended(register: Uint8Array, digest: Uint8Array, crypto: Crypto): Uint8Array {
  const input = new Uint8Array(register.length + digest.length);
  input.set(register);
  input.set(digest, register.length);
  return crypto.sha256(input);
}
