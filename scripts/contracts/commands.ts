/** The commands of `npm run contracts`. */
import { mkdirSync, writeFileSync } from 'node:fs';
import { dirname } from 'node:path';
import process from 'node:process';
import { commandOf, UsageError } from '../arguments.ts';
import { table } from '../terminal.ts';
import { codeBytes, codeBytesMax, compiledContracts } from './compiled.ts';
import { HARDFORKS, runForge, type Hardfork } from './forge.ts';
import { gasOfNodeAndDay, measureGas, snapshotPath, snapshotText, staleSnapshots, type GasFigures } from './gas.ts';
import { generatedFiles, staleFiles, writeGenerated } from './generated.ts';
import { havePassed, makeMutations, testRequest } from './solidity-tests.ts';
import { buildWhole } from './whole-build.ts';

const creationCodeBytesMax = 49_152; // EIP-3860
const runsMax = 10_000_000; // a night on a fast machine

const checkOption = { help: 'change nothing; say what is out of date (exit 1 when something is)' } as const;

export const build = commandOf(
  {
    name: 'build',
    summary: 'Compiles, and writes ABI, code and storage layout to contracts/generated.',
    operands: [],
    options: { check: checkOption },
  },
  async ({ options }) => {
    say(await buildWhole());
    const files = generatedFiles(compiledContracts());
    const stale = staleFiles(files);
    if (options.check && stale.length > 0) return complain(`out of date in contracts/generated: ${stale.join(', ')}`, 'build');
    if (!options.check) writeGenerated(files);
    say(stale.length === 0 ? 'contracts/generated is up to date\n' : `written to contracts/generated: ${stale.join(', ')}\n`);
    return 0;
  },
);

export const test = commandOf(
  {
    name: 'test',
    summary: 'Runs the tests written in Solidity, on a chain of each hardfork.',
    operands: [],
    options: {
      runs: {
        value: 'N',
        help: 'inputs for each fuzz test, and mutations of each kind of evidence (256 by default; 10000 before a release)',
      },
      match: { value: 'PATTERN', help: 'only test contracts whose name matches' },
      hardfork: { value: 'NAME', help: `${HARDFORKS.join(' or ')}; both by default` },
      traces: { help: 'show the calls of tests that fail' },
    },
  },
  async ({ options }) => {
    const runs = wholeNumber(options.runs ?? '256');
    makeMutations(runs);
    for (const hardfork of hardforksOf(options.hardfork)) {
      say(`\nhardfork ${hardfork}\n`);
      const request = testRequest({ runs, hardfork, match: options.match, traces: options.traces });
      if (!havePassed(await runForge({ ...request, show: say }))) return 1;
    }
    return 0;
  },
);

export const gas = commandOf(
  {
    name: 'gas',
    summary: 'Measures what whole transactions cost, and writes it to contracts/snapshots.',
    operands: [],
    options: { check: checkOption },
  },
  async ({ options }) => {
    const measured = new Map<Hardfork, GasFigures>();
    for (const hardfork of HARDFORKS) measured.set(hardfork, await measureGas(hardfork));
    say(`${gasTable(measured)}\n`);
    const stale = staleSnapshots(measured);
    if (options.check) {
      return stale.length === 0
        ? 0
        : complain(`out of date in contracts/snapshots: ${stale.map((name) => `${name}.json`).join(', ')}`, 'gas');
    }
    for (const [hardfork, figures] of measured) {
      mkdirSync(dirname(snapshotPath(hardfork)), { recursive: true });
      writeFileSync(snapshotPath(hardfork), snapshotText(figures));
    }
    return 0;
  },
);

export const sizes = commandOf(
  { name: 'sizes', summary: 'Says how large the contracts are, and whether every chain takes them.', operands: [], options: {} },
  async () => {
    await buildWhole();
    const measured = compiledContracts().map(({ name, creationCode, deployedCode }) => ({
      name,
      code: codeBytes(deployedCode),
      creation: codeBytes(creationCode),
    }));
    const rows = measured.map(({ name, code, creation }) => [name, String(code), String(codeBytesMax - code), String(creation)]);
    say(`${table([['contract', 'bytes', 'left', 'creation'], ...rows])}\n`);
    const large = measured.filter(({ code, creation }) => code > codeBytesMax || creation > creationCodeBytesMax);
    if (large.length === 0) return 0;
    const bounds = `${codeBytesMax} bytes of code at most (EIP-170), ${creationCodeBytesMax} of creation code (EIP-3860)`;
    process.stderr.write(`no chain takes ${large.map(({ name }) => name).join(', ')}: ${bounds}\n`);
    return 1;
  },
);

export const format = commandOf(
  { name: 'format', summary: 'Formats the Solidity sources.', operands: [], options: { check: checkOption } },
  async ({ options }) => {
    const { ok } = await runForge({ args: ['fmt', ...(options.check ? ['--check'] : [])], show: say });
    return ok ? 0 : 1;
  },
);

function gasTable(measured: ReadonlyMap<Hardfork, GasFigures>): string {
  const names = [...new Set([...measured.values()].flatMap((figures) => Object.keys(figures)))].sort();
  const rows = names.map((name) => [name, ...HARDFORKS.map((hardfork) => measured.get(hardfork)?.[name]?.toLocaleString('en') ?? '')]);
  const shares = HARDFORKS.map((hardfork) => gasOfNodeAndDay(measured.get(hardfork) ?? {}));
  const derived = (shares[0] ?? []).map(([nodes], index) => [
    nodes.toLocaleString('en'),
    ...shares.map((share) => (share[index]?.[1] ?? NaN).toLocaleString('en', { maximumFractionDigits: 1 })),
  ]);
  const head = ['nodes, an epoch an hour: gas of a node and day', ...HARDFORKS];
  return `${table([['gas of a transaction', ...HARDFORKS], ...rows])}\n\n${table([head, ...derived])}`;
}

function hardforksOf(name: string | undefined): readonly Hardfork[] {
  if (name === undefined) return HARDFORKS;
  const found = HARDFORKS.find((hardfork) => hardfork === name);
  if (found === undefined) throw new UsageError(`there is no hardfork "${name}" here; there are ${HARDFORKS.join(' and ')}`);
  return [found];
}

function wholeNumber(text: string): number {
  const value = /^\d{1,9}$/.test(text) ? Number(text) : 0;
  if (value < 1 || value > runsMax) throw new UsageError(`--runs is "${text}"; it must be a whole number from 1 to ${runsMax}`);
  return value;
}

function complain(what: string, command: string): number {
  process.stderr.write(`${what}; \`npm run contracts -- ${command}\` brings it up to date\n`);
  return 1;
}

function say(text: string): void {
  process.stdout.write(text);
}
