/** An agent of its own for tests: runs the program in its argument and prints what came of it as JSON. */
import { openSandboxBench } from './sandbox-bench.ts';

const bench = await openSandboxBench();
const { outcome, stdout, stderr } = await bench.run({ runtime: 'shell', code: process.argv[2] ?? '' });
process.stdout.write(JSON.stringify({ outcome, stdout, stderr, report: bench.executor.report }));
await bench.close();
