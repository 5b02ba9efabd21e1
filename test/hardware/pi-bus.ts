/** The header of a Raspberry Pi has the I2C bus 1; the one that the guest simulates comes first and is 0. */
import { existsSync, symlinkSync } from 'node:fs';

export function nameBusAsOnAPi(): void {
  if (!existsSync('/dev/i2c-1')) symlinkSync('/dev/i2c-0', '/dev/i2c-1');
}
