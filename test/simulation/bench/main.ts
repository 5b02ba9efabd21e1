/** `npm run simulate -- bench`: what consensus costs, measured where it takes a simulated world; a part of `npm run bench` otherwise. */
import { loadavg } from 'node:os';
import { mkdtempSync, rmSync, writeFileSync, mkdirSync } from 'node:fs';
import process from 'node:process';
import { fileURLToPath } from 'node:url';
import {
  commandHelp,
  helpAsked,
  nearestAdvice,
  readLine,
  UsageError,
  type CommandDeclaration,
  type Option,
} from '../../../scripts/arguments.ts';
import type { Benchmark, Row } from '../../../scripts/bench/benchmark.ts';
import { jsonOf, rowText, tableOf } from '../../../scripts/bench/report.ts';
import { durationText, openTerminal } from '../../../scripts/terminal.ts';
import { blocks, transactions } from './blocks.ts';
import { diskWrites } from './disk-writes.ts';
import { growth } from './growth.ts';
import { latency } from './latency.ts';
import { nodeHours } from './node-hours.ts';
import { reAttestations } from './re-attestations.ts';
import { votedOut } from './voted-out.ts';

const benchmarks: readonly Benchmark[] = [blocks, transactions, reAttestations, votedOut, nodeHours, latency, growth, diskWrites];

const declaration = {
  name: 'npm run simulate -- bench',
  summary: 'Measures what consensus costs as networks grow, with the production core in this process; fails on no number.',
  operands: ['[NAME…]'],
  options: {
    json: { value: 'FILE', help: 'write machine, versions and all samples too' },
    quick: { help: 'fewer and shorter rounds: to see that it works, not to compare' },
  },
  notes: `NAME is one of ${benchmarks.map(({ name }) => name).join(', ')}; without a name all are measured.`,
} as const satisfies CommandDeclaration<Record<string, Option>>;

/** @returns the exit status: 1 where nothing could be measured */
export async function runBench(line: readonly string[]): Promise<number> {
  const terminal = openTerminal(process.stdout, process.env);
  if (helpAsked(line)) {
    terminal.line(commandHelp(declaration, declaration.name));
    return 0;
  }
  const { operands, options } = readLine({ ...declaration, operands: benchmarks.map(() => '[NAME…]') }, line);
  const facts = { startedAt: new Date(), quick: options.quick, rounds: options.quick ? 2 : 5, loadBefore: loadavg() };
  const rows: Row[] = [];
  for (const benchmark of chosen(operands)) {
    terminal.show(`  ${benchmark.name}: ${benchmark.summary}`);
    const measuredRows = await measured(benchmark, facts, (text) => terminal.show(`  ${benchmark.name}: ${text}`));
    rows.push(...measuredRows);
    for (const row of measuredRows) terminal.line(terminal.paint('quiet', `  ${rowText(row)}`));
  }
  terminal.settle();
  terminal.line(tableOf(rows, terminal));
  const passed = durationText(Date.now() - facts.startedAt.getTime());
  terminal.line(`  medians of ${facts.rounds} rounds, ours and floor in turns; ${passed}, load ${loadavg()[0]?.toFixed(1) ?? ''}`);
  if (options.json !== undefined) writeFileSync(options.json, `${await jsonOf(rows, facts)}\n`);
  return rows.some(({ status }) => status === 'measured') ? 0 : 1;
}

function chosen(names: readonly string[]): readonly Benchmark[] {
  const known = benchmarks.map(({ name }) => name);
  const unknown = names.find((name) => !known.includes(name));
  if (unknown !== undefined) throw new UsageError(`there is no benchmark "${unknown}"; ${nearestAdvice(unknown, known)}`);
  return benchmarks.filter(({ name }) => names.length === 0 || names.includes(name));
}

async function measured(
  benchmark: Benchmark,
  { quick, rounds }: { quick: boolean; rounds: number },
  progress: (text: string) => void,
): Promise<Row[]> {
  const build = fileURLToPath(new URL('../../../build', import.meta.url));
  mkdirSync(build, { recursive: true });
  const folder = mkdtempSync(`${build}/bench-`);
  const grid = { take: () => Promise.reject(new Error('a simulated benchmark has no grid')), stop: () => Promise.resolve() };
  try {
    return await benchmark.run({ quick, rounds, folder, grid, progress });
  } catch (error) {
    return [{ status: 'not-measured', metric: benchmark.metric, reason: error instanceof Error ? error.message : String(error) }];
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
}
