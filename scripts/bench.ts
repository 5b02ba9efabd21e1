/** `npm run bench`: how fast and how small, each number beside its floor or a peer measured in the same run. Never a test. */
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { loadavg } from 'node:os';
import { fileURLToPath } from 'node:url';
import { commandHelp, helpAsked, nearestAdvice, readLine, UsageError, type CommandDeclaration, type Option } from './arguments.ts';
import type { BenchContext, Benchmark, Row } from './bench/benchmark.ts';
import { bundleSize } from './bench/bundle-size.ts';
import { capsuleStart } from './bench/capsule-start.ts';
import { cbor } from './bench/cbor.ts';
import { decision } from './bench/decision.ts';
import { deviceEvidence } from './bench/device-evidence.ts';
import { eventLog } from './bench/event-log.ts';
import { fencing } from './bench/fencing.ts';
import { finality } from './bench/finality.ts';
import { deviceFootprint } from './bench/device-footprint.ts';
import { deviceGrowth } from './bench/device-growth.ts';
import { firstBirth } from './bench/first-birth.ts';
import { openGridLoan } from './bench/grid-loan.ts';
import { layer1Gas } from './bench/layer1-gas.ts';
import { pairing } from './bench/pairing.ts';
import { quoteCheck } from './bench/quote-check.ts';
import { relay } from './bench/relay.ts';
import { jsonOf, rowText, tableOf } from './bench/report.ts';
import { sensors } from './bench/sensors.ts';
import { signedMessages } from './bench/signed-messages.ts';
import { reattestation } from './bench/reattestation.ts';
import { storeAppends } from './bench/store-appends.ts';
import { submission } from './bench/submission.ts';
import { waitCertificates } from './bench/wait-certificates.ts';
import { durationText, openTerminal, table } from './terminal.ts';

/** In the order in which they run: those that need a grid after the others, those that stop a part of it last. */
const benchmarks: readonly Benchmark[] = [
  ...[quoteCheck, eventLog, waitCertificates, reattestation, signedMessages, decision],
  ...[cbor, storeAppends, capsuleStart, bundleSize, sensors, relay, layer1Gas],
  ...[deviceEvidence, submission, pairing, finality, deviceGrowth, deviceFootprint, fencing, firstBirth],
];

const declaration = {
  name: 'npm run bench --',
  summary: 'Measures Capstan beside floors and peers on this machine, in turns, and prints medians; fails on no number.',
  operands: ['[NAME…]'],
  options: {
    json: { value: 'FILE', help: 'write machine, versions and all samples too' },
    quick: { help: 'fewer and shorter rounds: to see that it works, not to compare' },
    list: { help: 'say what there is to measure' },
  },
  notes: 'NAME is one of those that --list shows; without a name all are measured, in about ten minutes.',
} as const satisfies CommandDeclaration<Record<string, Option>>;

const rounds = { full: 5, quick: 2 };
const progressEveryMs = 10_000;
const terminal = openTerminal(process.stdout, process.env);
const buildFolder = fileURLToPath(new URL('../build', import.meta.url));

process.exitCode = await main(process.argv.slice(2)).catch((error: unknown) => {
  terminal.line(terminal.paint('bad', `bench: ${error instanceof Error ? error.message : String(error)}`));
  return error instanceof UsageError ? 2 : 1;
});
// What a benchmark may have left open must not hold the shell.
process.exit();

/** @returns the exit status: a missed target is 0, a run in which nothing could be measured is 1 */
async function main(line: readonly string[]): Promise<number> {
  if (helpAsked(line)) {
    terminal.line(commandHelp(declaration, declaration.name));
    return 0;
  }
  const { operands, options } = readLine({ ...declaration, operands: benchmarks.map(() => '[NAME…]') }, line);
  const chosen = chooseBenchmarks(operands);
  if (options.list) {
    terminal.line(table(benchmarks.map(({ name, summary }) => [name, summary])));
    return 0;
  }
  const facts = { startedAt: new Date(), quick: options.quick, rounds: options.quick ? rounds.quick : rounds.full, loadBefore: loadavg() };
  const rows = await measure(chosen, facts);
  terminal.line(`\n${tableOf(rows, terminal)}`);
  terminal.line(
    `  medians of ${facts.rounds} rounds, ours and floor in turns; ${durationText(Date.now() - facts.startedAt.getTime())}, load ${loadavg()[0]?.toFixed(1) ?? ''}`,
  );
  if (options.json !== undefined) writeFileSync(options.json, `${await jsonOf(rows, facts)}\n`);
  return rows.some(({ status }) => status === 'measured') ? 0 : 1;
}

function chooseBenchmarks(names: readonly string[]): readonly Benchmark[] {
  const known = benchmarks.map(({ name }) => name);
  const unknown = names.find((name) => !known.includes(name));
  if (unknown !== undefined) throw new UsageError(`there is no benchmark "${unknown}"; ${nearestAdvice(unknown, known)}`);
  return benchmarks.filter(({ name }) => names.length === 0 || names.includes(name));
}

async function measure(chosen: readonly Benchmark[], how: Pick<BenchContext, 'quick' | 'rounds'>): Promise<Row[]> {
  mkdirSync(buildFolder, { recursive: true });
  // On the disk of the checkout: a temporary folder may lie in memory, where durability costs nothing.
  const folder = mkdtempSync(`${buildFolder}/bench-`);
  const grid = openGridLoan(folder, (part) => terminal.show(`  the bench grid comes up: ${part}`));
  try {
    const rows: Row[] = [];
    for (const benchmark of chosen)
      rows.push(...(await measureOne(benchmark, { ...how, folder, grid, progress: progressOf(benchmark.name) })));
    return rows;
  } finally {
    terminal.show('  stopping what was started');
    await grid.stop();
    rmSync(folder, { recursive: true, force: true });
    terminal.settle();
  }
}

/** What fails is a row with its reason, so that nothing is left out in silence. */
async function measureOne(benchmark: Benchmark, context: BenchContext): Promise<Row[]> {
  const startedAt = performance.now();
  terminal.show(`  ${benchmark.name}: ${benchmark.summary}`);
  const rows = await benchmark
    .run(context)
    .catch((error: unknown): Row[] => [
      { status: 'not-measured', metric: benchmark.metric, reason: error instanceof Error ? error.message : String(error) },
    ]);
  terminal.line(terminal.paint('quiet', `  ${benchmark.name.padEnd(14)} ${durationText(performance.now() - startedAt)}`));
  for (const row of rows) terminal.line(terminal.paint('quiet', `    ${rowText(row)}`));
  return rows;
}

/** On the live line, or a line now and then where there is none. */
function progressOf(name: string): (text: string) => void {
  let saidAtMs = performance.now();
  return (text) => {
    if (terminal.live) return terminal.show(`  ${name}: ${text}`);
    if (performance.now() - saidAtMs < progressEveryMs) return;
    saidAtMs = performance.now();
    terminal.line(terminal.paint('quiet', `  ${name}: ${text}`));
  };
}
