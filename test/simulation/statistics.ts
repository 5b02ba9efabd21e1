/** Models whose figures stand beside targets: runs one, prints its rows and a summary, and writes figures and plots. */
import { mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { commandHelp, helpAsked, readLine, UsageError, type CommandDeclaration, type Option } from '../../scripts/arguments.ts';
import { durationText, openTerminal, table, type Terminal } from '../../scripts/terminal.ts';
import { chancesOf } from './chance.ts';
import type { Effort, Part, Row } from './lottery/row.ts';
import { svgOf } from './lottery/svg-plot.ts';

export const STATISTICS_OPTIONS = {
  out: { value: 'DIR', help: 'where figures (JSON) and plots (SVG) go (default build/ and the name of the model)' },
  seed: { value: 'N', help: 'other draws than those of seed 1' },
  quick: { help: 'a tenth of the draws, some 10 s of a core; wider errors' },
} as const satisfies Record<string, Option>;

export interface Statistics {
  readonly declaration: CommandDeclaration<typeof STATISTICS_OPTIONS>;
  /** Of the files, and of their folder in build/. */
  readonly room: string;
  readonly partsOf: (effort: Effort) => Part[];
}

/** @returns the exit status */
export function runStatistics({ declaration, room, partsOf }: Statistics, line: string[]): Promise<number> {
  const terminal = openTerminal(process.stdout, process.env);
  if (helpAsked(line)) {
    terminal.line(commandHelp(declaration, declaration.name));
    return Promise.resolve(0);
  }
  const { options } = readLine(declaration, line);
  const seed = Number(options.seed ?? 1);
  if (!Number.isSafeInteger(seed) || seed < 0) throw new UsageError(`--seed takes a whole number, and got "${options.seed ?? ''}"`);
  const startedMs = performance.now();
  const parts = partsOf({ chances: chancesOf(seed), quick: options.quick, say: (what) => terminal.show(`  ${what}`) });
  terminal.settle();
  const rows = parts.flatMap((part) => part.rows);
  terminal.line(tableOf(rows, terminal));
  const folder = options.out ?? fileURLToPath(new URL(`../../build/${room}`, import.meta.url));
  write(folder, room, parts, { seed, quick: options.quick });
  const missed = rows.filter(({ target }) => target?.isMet === false);
  terminal.line(`\n${summaryOf(rows, terminal)}\n`);
  terminal.line(`  seed ${seed}, ${durationText(performance.now() - startedMs)}; figures and plots in ${folder}`);
  terminal.line(
    missed.length === 0
      ? `  ${terminal.paint('good', 'every target is met')}`
      : `  ${terminal.paint('bad', `missed: ${missed.map(({ metric }) => metric).join('; ')}`)}`,
  );
  return Promise.resolve(missed.length === 0 ? 0 : 1);
}

/** The last screen: a line for each figure that has a target; `floor` is Sawtooth's or what theory allows. */
function summaryOf(rows: readonly Row[], terminal: Terminal): string {
  const lines = rows.flatMap(({ metric, oursText, beside, target }) =>
    target === undefined
      ? []
      : [[short(metric, 64), short(oursText, 22), short(beside ?? '', 26), target.text, terminal.paint(...metText(target))]],
  );
  return table([['metric', 'ours', 'floor', 'target', 'met?'], ...lines], '  ');
}

function metText({ isMet }: NonNullable<Row['target']>): ['good' | 'bad', string] {
  return isMet ? ['good', 'yes'] : ['bad', 'NO'];
}

function short(text: string, length: number): string {
  return text.length <= length ? text : `${text.slice(0, length - 1)}…`;
}

function tableOf(rows: readonly Row[], terminal: Terminal): string {
  return rows
    .map((row) => {
      const met = row.target === undefined ? terminal.paint('quiet', 'informs') : terminal.paint(...metText(row.target));
      const target = row.target === undefined ? '' : `target ${row.target.text}`;
      const more = [row.beside, row.note].flatMap((text) => (text === undefined ? [] : [`      ${terminal.paint('quiet', text)}`]));
      return [terminal.paint('strong', `  ${row.metric}`), table([[row.oursText, target, met]], '    '), ...more].join('\n');
    })
    .join('\n');
}

function write(folder: string, room: string, parts: readonly Part[], run: { readonly seed: number; readonly quick: boolean }): void {
  mkdirSync(folder, { recursive: true });
  for (const { plots } of parts) for (const [name, plot] of Object.entries(plots)) writeFileSync(join(folder, `${name}.svg`), svgOf(plot));
  const figures = Object.assign({}, ...parts.map((part) => part.figures ?? {})) as object;
  const json = { ...run, rows: parts.flatMap(({ rows }) => rows), figures };
  writeFileSync(join(folder, `${room}.json`), `${JSON.stringify(json, undefined, 2)}\n`);
}
