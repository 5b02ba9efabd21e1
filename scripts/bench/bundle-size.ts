/** Size of the bundles that ship, made anew; of the firmware beside the same without the library that speaks to layer 1. */
import { bytesWithout, makeBundles, type Bundle } from '../bundle.ts';
import type { Benchmark, Row } from './benchmark.ts';

export const bundleSize: Benchmark = {
  name: 'bundle',
  summary: 'size of the firmware and of the agent as one file each, and what ethers weighs in them',
  metric: 'bundle size',
  run: async () => Promise.all((await makeBundles()).map(rowOf)),
};

async function rowOf({ name, bytes }: Bundle): Promise<Row> {
  return {
    status: 'measured',
    metric: `bundle size, ${name}`,
    unit: ' MB',
    better: 'lower',
    ours: [bytes / 1e6],
    floor: { name: 'without ethers', samples: [(await bytesWithout(name, ['ethers'])) / 1e6] },
    target: { text: '≤ 2 MB', isMet: (medians) => medians.ours <= 2 },
    note: `${bytes} bytes, minified, without the native addon and Node itself`,
  };
}
