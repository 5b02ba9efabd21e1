/** What the sandbox costs at the start of a capsule: an empty shell script in it, beside the same script plainly started. */
import { detectRuntimes } from '../../hpc-agent/runtimes.ts';
import { measureStart } from '../../hpc-agent/sandbox/overhead.ts';
import { openSandbox } from '../../hpc-agent/sandbox/sandbox.ts';
import type { Benchmark, Row } from './benchmark.ts';

export const capsuleStart: Benchmark = {
  name: 'capsule-start',
  summary: 'an empty capsule, prepared and run in the sandbox, beside a plain spawn of the same program',
  metric: 'capsule start',
  run: async ({ quick }) => {
    const opening = await openSandbox({ runtimes: await detectRuntimes() });
    if (opening.status === 'unavailable') return [{ status: 'not-measured', metric: 'capsule start', reason: opening.detail }];
    try {
      const { plainMs, sandboxMs } = await measureStart(opening.executor, quick ? 8 : 40);
      return [startRow(sandboxMs, plainMs)];
    } finally {
      await opening.executor.close();
    }
  },
};

/** The first start makes a cell, as only the first capsule after the start of an agent does. */
function startRow(sandboxMs: readonly number[], plainMs: readonly number[]): Row {
  return {
    status: 'measured',
    metric: 'capsule start, to its end',
    unit: ' ms',
    better: 'lower',
    ours: sandboxMs.slice(1),
    floor: { name: 'plain spawn', samples: plainMs.slice(1) },
    target: { text: '≤ 10 ms over', isMet: ({ ours, floor }) => ours - floor <= 10 },
    note: "by the clock: order to end, staging of the files included; the first start after the agent's own is left out",
  };
}
