/** `npm run fuzz`: mutates proper input and gives it to every parser, until the time is over or one of them fails. */
import process from 'node:process';

import { counted } from '#protocol/counted.ts';
import {
  commandHelp,
  helpAsked,
  nearestAdvice,
  readLine,
  UsageError,
  wholeNumber,
  type CommandDeclaration,
  type Option,
} from './arguments.ts';
import { explain } from './capsule/failure.ts';
import { saveFinding } from './fuzz/finding.ts';
import { fuzz, type FuzzReport } from './fuzz/fuzzing.ts';
import { findTargets } from './fuzz/target-files.ts';
import type { FuzzTarget } from './fuzz/trial.ts';
import { bytesText, openTerminal, table } from './terminal.ts';

const defaultSeconds = 60;
const shownBytesMax = 1_024; // the rest is in the file

const declaration = {
  name: 'npm run fuzz --',
  summary: 'Gives mutated input to every parser: none may throw, hang, take much memory or know two forms of one value.',
  operands: [],
  options: {
    target: { value: 'NAME', help: 'only targets whose name contains this' },
    runs: { value: 'N', help: 'inputs for each target (default: as many as the time allows)' },
    seconds: { value: 'S', help: `for all targets together (default ${defaultSeconds}; no limit where --runs is given)` },
    seed: { value: 'N', help: 'of the mutations: the same seed tries the same inputs (default: another one each time)' },
    list: { help: 'names the targets' },
  },
  notes:
    'A fault ends it: exit status 1, and the input is kept in build/fuzz/.\nThe native addon is exercised by its test: CAPSTAN_FUZZ_CALLS=100000 npm test -- addon-fuzz',
} as const satisfies CommandDeclaration<Record<string, Option>>;

const terminal = openTerminal(process.stdout, process.env);

try {
  process.exitCode = await main(process.argv.slice(2));
} catch (error) {
  process.exitCode = explain('fuzz', error);
}

async function main(line: readonly string[]): Promise<number> {
  if (helpAsked(line)) {
    terminal.line(commandHelp(declaration, declaration.name));
    return 0;
  }
  const { options } = readLine(declaration, line);
  const targets = chosen(await findTargets(), options.target);
  if (options.list) {
    terminal.line(targets.map(({ name }) => name).join('\n'));
    return 0;
  }
  const seed = options.seed === undefined ? Date.now() % 2 ** 31 : wholeNumber('--seed', options.seed);
  const runsMax = options.runs === undefined ? Infinity : wholeNumber('--runs', options.runs);
  const seconds =
    options.seconds === undefined ? (options.runs === undefined ? defaultSeconds : Infinity) : wholeNumber('--seconds', options.seconds);
  terminal.line(`${counted(targets.length, 'target')}, seed ${seed}`);
  return fuzzAll(targets, { seed, runsMax, secondsMax: seconds / targets.length });
}

function fuzzAll(targets: readonly FuzzTarget[], plan: { seed: number; runsMax: number; secondsMax: number }): number {
  const reports: FuzzReport[] = [];
  for (const [index, target] of targets.entries()) {
    const onProgress = (runs: number): void => terminal.show(`${index + 1}/${targets.length} ${target.name}: ${runs} runs`);
    const report = fuzz(target, { ...plan, onProgress });
    reports.push(report);
    if (report.fault) break;
  }
  terminal.settle();
  terminal.line(table([['target', 'runs', 'runs/s', 'slowest ms', 'heap growth'], ...reports.map(cells)]));
  const runs = reports.reduce((sum, report) => sum + report.runs, 0);
  terminal.line(`${counted(runs, 'run')} of ${counted(reports.length, 'target')}`);
  const failed = reports.find(({ fault }) => fault !== undefined);
  if (failed) showFault(failed, plan.seed);
  return failed ? 1 : 0;
}

function cells({ target, runs, seconds, slowestMs, grownBytes, fault }: FuzzReport): string[] {
  const growth = grownBytes > 0 ? bytesText(grownBytes) : '-';
  return [
    fault ? terminal.paint('bad', target) : target,
    String(runs),
    (runs / Math.max(seconds, 0.001)).toFixed(0),
    slowestMs.toFixed(1),
    growth,
  ];
}

function showFault(report: FuzzReport, seed: number): void {
  if (!report.fault) return;
  const { kind, detail, input, run } = report.fault;
  const file = saveFinding(report.target, seed, input);
  terminal.line(terminal.paint('bad', `\n${report.target}: ${kind}, run ${run} of seed ${seed}`));
  terminal.line(detail);
  terminal.line(
    `input, ${input.length} bytes, also in ${file}:\n${input.subarray(0, shownBytesMax).toHex()}${input.length > shownBytesMax ? '…' : ''}`,
  );
  terminal.line(`\nagain: npm run fuzz -- --target '${report.target}' --seed ${seed} --runs ${run + 1}`);
}

function chosen(targets: readonly FuzzTarget[], part: string | undefined): readonly FuzzTarget[] {
  const exact = targets.filter(({ name }) => name === part);
  const found = exact.length > 0 ? exact : targets.filter(({ name }) => name.toLowerCase().includes((part ?? '').toLowerCase()));
  if (found.length > 0) return found;
  throw new UsageError(
    `no target's name contains "${part ?? ''}"; ${nearestAdvice(
      part ?? '',
      targets.map(({ name }) => name),
    )}`,
  );
}
