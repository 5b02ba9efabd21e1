/** Size of the bundles that ship, made anew. */
import { makeBundles } from '../bundle.ts';
import type { Benchmark } from './benchmark.ts';

export const bundleSize: Benchmark = {
  name: 'bundle',
  summary: 'size of the firmware and of the agent as one file each',
  metric: 'bundle size',
  run: async () => {
    const bundles = await makeBundles();
    return bundles.map(({ name, bytes }) => ({
      status: 'measured',
      metric: `bundle size, ${name}`,
      unit: ' MB',
      better: 'lower',
      ours: [bytes / 1e6],
      target: { text: '≤ 2 MB', isMet: (medians) => medians.ours <= 2 },
      note: `${bytes} bytes, minified, without the native addon and Node itself`,
    }));
  },
};
