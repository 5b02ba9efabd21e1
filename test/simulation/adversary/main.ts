/** `npm run simulate -- twins` and `-- mutations`: as many scenarios of an adversary as are wished, on two threads. */
import process from 'node:process';
import { commandHelp, helpAsked, readLine, wholeNumber, type CommandDeclaration, type Option } from '../../../scripts/arguments.ts';
import { openTerminal } from '../../../scripts/terminal.ts';
import { shareWork } from '../shared-work.ts';
import { twinsPerBatch, type Adversary, type Batch, type BatchOutcome } from './batch.ts';
import { enumeratedTwins } from './enumerated-twins.ts';
import { Report } from './report.ts';

const summaries: Readonly<Record<Adversary, string>> = {
  twins: `Members that run twice, at most a third, with partitions phase by phase: all ${enumeratedTwins} of four voters in turn, and drawn ones.`,
  mutations: 'Running members that hear changed messages beside all proper ones, blindly changed or signed again by a cheat.',
};
const counted: Readonly<Record<Adversary, { readonly what: string; readonly standard: number }>> = {
  twins: { what: 'scenarios', standard: 50_000 },
  mutations: { what: 'mutated messages', standard: 50_000 },
};

/** @returns the exit status: 1 where a rule was broken */
export async function runAdversary(adversary: Adversary, line: readonly string[]): Promise<number> {
  const terminal = openTerminal(process.stdout, process.env);
  const { what, standard } = counted[adversary];
  const declaration = {
    name: `npm run simulate -- ${adversary}`,
    summary: summaries[adversary],
    operands: [],
    options: {
      count: { value: 'N', help: `so many ${what} at least (default ${standard})` },
      from: { value: 'K', help: 'the first batch (default 0)' },
    },
    notes: 'Ctrl-C ends with what was found so far. Exit status 1 when a rule is broken.',
  } as const satisfies CommandDeclaration<Record<string, Option>>;
  if (helpAsked(line)) {
    terminal.line(commandHelp(declaration, declaration.name));
    return 0;
  }
  const { options } = readLine(declaration, line);
  const count = wholeNumber('--count', options.count ?? String(standard));
  const from = options.from === undefined || options.from === '0' ? 0 : wholeNumber('--from', options.from);
  const report = new Report(terminal, what, count);
  const end = await runBatches({ adversary, count, from }, (outcome) => report.take(outcome));
  return report.close(end);
}

/** @param take says how much is done by now */
function runBatches(
  { adversary, count, from }: { readonly adversary: Adversary; readonly count: number; readonly from: number },
  take: (outcome: BatchOutcome) => number,
): Promise<'done' | 'interrupted'> {
  let [next, done] = [from, 0];
  return shareWork<Batch, BatchOutcome>({
    thread: new URL('batch-thread.ts', import.meta.url),
    next: () => {
      const isLast = done >= count || (adversary === 'twins' && (next - from) * twinsPerBatch >= count);
      return isLast ? undefined : { adversary, index: next++ };
    },
    take: (outcome) => {
      done = take(outcome);
    },
  });
}
