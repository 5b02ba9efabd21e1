/** Registers of 16 bits, the high byte first, on an I2C bus. Specification §16.3. */
import type { Bus } from './devices.ts';

export async function readWord(bus: Bus, address: number, register: number): Promise<number> {
  const [high = 0, low = 0] = await bus.read(address, register, 2);
  return (high << 8) | low;
}

export async function writeWord(bus: Bus, address: number, register: number, value: number): Promise<void> {
  await bus.write(address, register, Uint8Array.of(value >> 8, value & 0xff));
}
