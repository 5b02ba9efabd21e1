/** A bench grid that several benchmarks share: started when the first one asks for it, stopped at the end of the run. */
import { join } from 'node:path';
import { startGrid, type Grid } from '../grid/grid.ts';

export interface GridLoan {
  /** @throws Error in a sentence, the same one each time, when the grid doesn't come up */
  take(): Promise<Grid>;
  stop(): Promise<void>;
}

/** @param onStep called while the grid comes up, with what is ready */
export function openGridLoan(folder: string, onStep: (part: string) => void): GridLoan {
  let grid: Promise<Grid> | undefined;
  return {
    take: () => (grid ??= startGrid({ stateFolder: join(folder, 'grid'), onStep, onEnd: () => undefined, onNotice: onStep })),
    stop: async () => {
      const started = await grid?.catch(() => undefined);
      await started?.stop();
    },
  };
}
