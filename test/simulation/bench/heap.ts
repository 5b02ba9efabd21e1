/** What this process keeps in memory once all that nobody holds is collected. */
import process from 'node:process';
import { setFlagsFromString } from 'node:v8';
import { runInNewContext } from 'node:vm';

export function heapBytes(): number {
  setFlagsFromString('--expose-gc');
  const collect = runInNewContext('gc') as () => void;
  // What only weak maps held goes with the second.
  for (let round = 0; round < 4; round += 1) collect();
  return process.memoryUsage().heapUsed + process.memoryUsage().arrayBuffers;
}
