/** Lines and values of Mosquitto's files. Pure. mosquitto.conf(5). */
import assert from 'node:assert/strict';

/** A value that stays on its line of the configuration. */
export function plain(value: string): string {
  assert(/^[^\p{Cc}]+$/u.test(value) && value === value.trim(), `${JSON.stringify(value)} can't stand in Mosquitto's configuration`);
  return value;
}

/** The lines as a file. */
export function lines(content: readonly string[]): string {
  return `${content.join('\n')}\n`;
}
