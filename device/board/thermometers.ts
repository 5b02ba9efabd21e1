/** Temperature registers of TMP102 (Texas Instruments SBOS397) and MCP9808 (Microchip DS25095), to m°C. Pure. Specification §16.3. */
import type { Thermometer } from './definition.ts';

/** The register that holds the temperature: two bytes, the high one first. */
export const TEMPERATURE_REGISTER: Readonly<Record<Thermometer['chip'], number>> = { tmp102: 0, mcp9808: 5 };

/** @param raw 16 bits as they are read */
export function milliCelsius(chip: Thermometer['chip'], raw: number): number {
  return chip === 'tmp102' ? tmp102(raw) : mcp9808(raw);
}

/** Twelve bits of 0.0625 °C in two's complement; with bit 0 set (extended mode) thirteen. */
function tmp102(raw: number): number {
  const isExtended = (raw & 1) !== 0;
  const bits = isExtended ? 13 : 12;
  const steps = raw >> (16 - bits);
  const half = 1 << (bits - 1);
  return Math.round((steps >= half ? steps - 2 * half : steps) * 62.5) + 0;
}

/** Thirteen bits of 0.0625 °C in two's complement; above them the flags of the alerts. */
function mcp9808(raw: number): number {
  const steps = raw & 0x1fff;
  return Math.round((steps >= 0x1000 ? steps - 0x2000 : steps) * 62.5) + 0;
}
