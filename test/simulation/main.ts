/** `npm run simulate`: the production core in a simulated world, one seed to look at or many to trust. */
import { execFileSync } from 'node:child_process';
import process from 'node:process';
import {
  commandHelp,
  helpAsked,
  nearestAdvice,
  readLine,
  UsageError,
  wholeNumber,
  type CommandDeclaration,
  type Option,
} from '../../scripts/arguments.ts';
import { explain } from '../../scripts/capsule/failure.ts';
import { openTerminal } from '../../scripts/terminal.ts';
import { accountOf, failureLines, failureOf, summaryLines, type Tally } from './account.ts';
import { runMany } from './many-seeds.ts';
import { runSeed } from './run-seed.ts';
import { FAULTS, scenarioOf, type Fault, type Wishes } from './scenario.ts';
import { interruptedStatus } from './shared-work.ts';
import { createTranscript } from './transcript.ts';

const declaration = {
  name: 'npm run simulate --',
  summary: 'Runs networks of the production core in virtual time, with faults and cheats drawn from a seed, under checkers.',
  operands: ['[SEED | twins | mutations | lottery | credit | bench]'],
  options: {
    seeds: { value: 'N', help: 'runs N seeds, on two threads' },
    from: { value: 'K', help: 'the first of them (default 1)' },
    without: { value: 'FAULT', help: 'switches a fault off; several are parted by commas' },
    nodes: { value: 'N', help: 'founding members, instead of what the seed draws' },
    hours: { value: 'H', help: 'simulated hours with faults, instead of what the seed draws' },
    trust: { help: 'members judge one another (§18); some have other software, or judge falsely' },
    trace: { help: 'says every event and effect of the one seed' },
  },
  notes: `faults: ${FAULTS.join(', ')}\nEvery twentieth seed has real signatures. Exit status 1 when a rule is broken.\nnpm run simulate -- twins | mutations | lottery | credit | bench --help says more: members that run twice,\nchanged messages, the statistics of the draws, those of judges, what consensus costs.`,
} as const satisfies CommandDeclaration<Record<string, Option>>;

const terminal = openTerminal(process.stdout, process.env);

try {
  process.exitCode = await main(process.argv.slice(2));
} catch (error) {
  process.exitCode = explain('simulate', error);
}

async function main(line: readonly string[]): Promise<number> {
  if (line[0] === 'lottery') {
    const { runLottery } = await import('./lottery/main.ts');
    return runLottery([...line.slice(1)]);
  }
  if (line[0] === 'credit') {
    const { runCredit } = await import('./credit/main.ts');
    return runCredit([...line.slice(1)]);
  }
  if (line[0] === 'twins' || line[0] === 'mutations') {
    const { runAdversary } = await import('./adversary/main.ts');
    return runAdversary(line[0], line.slice(1));
  }
  if (line[0] === 'bench') {
    const { runBench } = await import('./bench/main.ts');
    return runBench(line.slice(1));
  }
  if (helpAsked(line) || line.length === 0) {
    terminal.line(commandHelp(declaration, declaration.name));
    return 0;
  }
  const { operands, options } = readLine(declaration, joinedRepeats(line));
  const wishes = wishesOf(options);
  if (options.seeds !== undefined)
    return runSeeds(wholeNumber('--from', options.from ?? '1'), wholeNumber('--seeds', options.seeds), wishes);
  const [word] = operands;
  if (word === undefined) throw new UsageError('a seed is missing: npm run simulate -- 7, or npm run simulate -- --seeds 100');
  return runOne(wholeNumber('the seed', word), wishes, options.trace);
}

/** `--without loss --without crash` as `--without loss,crash`. */
function joinedRepeats(line: readonly string[]): string[] {
  const names: string[] = [];
  const rest: string[] = [];
  for (let index = 0; index < line.length; index += 1) {
    const word = line[index] ?? '';
    if (word.startsWith('--without=')) names.push(word.slice('--without='.length));
    else if (word === '--without') names.push(line[(index += 1)] ?? '');
    else rest.push(word);
  }
  return names.length === 0 ? rest : [...rest, '--without', names.join(',')];
}

function wishesOf(options: {
  readonly without: string | undefined;
  readonly nodes: string | undefined;
  readonly hours: string | undefined;
  readonly trust: boolean;
}): Wishes {
  return {
    ...(options.without === undefined ? {} : { without: options.without.split(',').map(faultOf) }),
    ...(options.nodes === undefined ? {} : { members: wholeNumber('--nodes', options.nodes) }),
    ...(options.hours === undefined ? {} : { hours: positiveOf('--hours', options.hours) }),
    ...(options.trust && { trust: true }),
  };
}

function runOne(seed: number, wishes: Wishes, trace: boolean): number {
  const scenario = scenarioOf(seed, wishes);
  for (const line of accountOf(scenario)) terminal.line(line);
  const begun = process.cpuUsage();
  const outcome = runSeed(scenario, { transcript: createTranscript((line) => terminal.line(line), trace) });
  const cpu = process.cpuUsage(begun);
  const tally: Tally = { outcomes: [outcome], cpuSeconds: (cpu.user + cpu.system) / 1e6 };
  for (const line of summaryLines(tally)) terminal.line(line);
  if (outcome.broken)
    for (const line of failureLines(failureOf(outcome, wishes), commit(), false)) terminal.line(terminal.paint('bad', line));
  terminal.line(`transcript ${outcome.digest}`);
  return outcome.broken ? 1 : 0;
}

async function runSeeds(from: number, count: number, wishes: Wishes): Promise<number> {
  const at = commit();
  terminal.line(`seeds ${from} to ${from + count - 1} of commit ${at}`);
  const { end, ...tally } = await runMany(from, count, wishes, (outcome, done, rate) => {
    if (outcome.broken) for (const line of failureLines(failureOf(outcome, wishes), at, true)) terminal.line(terminal.paint('bad', line));
    if (terminal.live) terminal.show(`${done} of ${count} seeds, ${rate.toFixed(0)} node-hours per CPU-second`);
    else if (done % 10 === 0) terminal.line(`${done} of ${count} seeds, ${rate.toFixed(0)} node-hours per CPU-second`);
  });
  terminal.settle();
  const failed = tally.outcomes.filter(({ broken }) => broken !== undefined);
  for (const line of summaryLines(tally)) terminal.line(line);
  for (const { seed, broken } of failed) terminal.line(terminal.paint('bad', `seed ${seed} breaks ${broken?.checker ?? ''}`));
  if (end === 'interrupted') terminal.line(`interrupted after ${tally.outcomes.length} of ${count} seeds`);
  if (failed.length > 0) return 1;
  return end === 'interrupted' ? interruptedStatus : 0;
}

function faultOf(word: string): Fault {
  const fault = FAULTS.find((known) => known === word);
  if (fault) return fault;
  throw new UsageError(`there is no fault "${word}"; ${nearestAdvice(word, FAULTS)}`);
}

function positiveOf(name: string, words: string): number {
  const value = Number(words);
  if (Number.isFinite(value) && value > 0) return value;
  throw new UsageError(`${name} is "${words}"; it must be a number above 0`);
}

function commit(): string {
  try {
    return execFileSync('git', ['rev-parse', '--short', 'HEAD'], { encoding: 'utf8', stdio: ['ignore', 'pipe', 'ignore'] }).trim();
  } catch {
    return 'unknown';
  }
}
