/** `npm run simulate -- twins` and `-- mutations`: as many scenarios of an adversary as are wished, on two threads. */
import process from 'node:process';
import { Worker } from 'node:worker_threads';
import { commandHelp, helpAsked, readLine, wholeNumber, type CommandDeclaration, type Option } from '../../../scripts/arguments.ts';
import { durationText, openTerminal } from '../../../scripts/terminal.ts';
import { twinsPerBatch, type Adversary, type Batch, type BatchOutcome } from './batch.ts';
import { enumeratedTwins } from './enumerated-twins.ts';

const threads = 2;
const failuresShown = 20;

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
    notes: 'Exit status 1 when a rule is broken.',
  } as const satisfies CommandDeclaration<Record<string, Option>>;
  if (helpAsked(line)) {
    terminal.line(commandHelp(declaration, declaration.name));
    return 0;
  }
  const { options } = readLine(declaration, line);
  const wish = { adversary, count: wholeNumber('--count', options.count ?? String(standard)), from: Number(options.from ?? 0) };
  const startedMs = performance.now();
  const counts = new Map<string, number>();
  const failures: string[] = [];
  await runBatches(wish, (outcome) => {
    for (const [name, count] of Object.entries(outcome.counts)) counts.set(name, (counts.get(name) ?? 0) + count);
    failures.push(...outcome.failures);
    terminal.show(`  ${counts.get(what) ?? 0} of ${wish.count} ${what}`);
    return counts.get(what) ?? 0;
  });
  terminal.settle();
  const ms = performance.now() - startedMs;
  for (const [name, count] of counts) terminal.line(`  ${name}: ${count}`);
  terminal.line(`  ${durationText(ms)}, ${(((counts.get(what) ?? 0) * 1_000) / ms).toFixed(0)} ${what} a second`);
  for (const failure of failures.slice(0, failuresShown)) terminal.line(terminal.paint('bad', failure));
  terminal.line(failures.length === 0 ? '  no rule was broken' : terminal.paint('bad', `  ${failures.length} broke a rule`));
  return failures.length === 0 ? 0 : 1;
}

/** @param take says how much is done by now */
function runBatches(
  { adversary, count, from }: { readonly adversary: Adversary; readonly count: number; readonly from: number },
  take: (outcome: BatchOutcome) => number,
): Promise<unknown> {
  let [next, done] = [from, 0];
  const more = (): Batch | undefined => {
    const isLast = done >= count || (adversary === 'twins' && (next - from) * twinsPerBatch >= count);
    return isLast ? undefined : { adversary, index: next++ };
  };
  const runThread = (): Promise<void> =>
    new Promise((resolve, reject) => {
      const worker = new Worker(new URL('batch-thread.ts', import.meta.url));
      const give = (): void => {
        const batch = more();
        if (batch) worker.postMessage(batch);
        else void worker.terminate().then(() => resolve());
      };
      worker.on('message', (outcome: BatchOutcome) => {
        done = take(outcome);
        give();
      });
      worker.on('error', reject);
      give();
    });
  return Promise.all(Array.from({ length: threads }, runThread));
}
