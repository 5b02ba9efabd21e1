/**
 * An agent of its own for tests: runs the program in its argument and prints what came of it as JSON. With `hold` as a
 * second argument it prepares the program, says so, and waits to be killed.
 */
import { openSandboxBench } from './sandbox-bench.ts';

const bench = await openSandboxBench();
if (process.argv[3] === 'hold') {
  await bench.prepare({ runtime: 'shell', code: process.argv[2] ?? '' });
  process.stdout.write('prepared');
  await new Promise((resolve) => setTimeout(resolve, 60_000));
}
const { outcome, stdout, stderr } = await bench.run({ runtime: 'shell', code: process.argv[2] ?? '' });
process.stdout.write(JSON.stringify({ outcome, stdout, stderr, report: bench.executor.report }));
await bench.close();
