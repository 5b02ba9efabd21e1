/** A count with its noun, as verdicts and commands say it. */

/** "1 output", "2 outputs"; `many` where the plural is another word. */
export function counted(count: number, one: string, many = `${one}s`): string {
  return `${count} ${count === 1 ? one : many}`;
}
