/** Lines and values of Mosquitto's files. Pure. mosquitto.conf(5). */

/** A value that stays on its line of the configuration. */
export function plain(value: string): string {
  if (/^[^\p{Cc}]+$/u.test(value) && value === value.trim()) return value;
  throw new Error(`${JSON.stringify(value)} can't stand in Mosquitto's configuration`);
}

/** The lines as a file. */
export function lines(content: readonly string[]): string {
  return `${content.join('\n')}\n`;
}
