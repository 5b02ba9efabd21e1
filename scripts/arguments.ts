/** Command lines of all programs here: declared once, read by `node:util` parseArgs, helped and refused in sentences. */
import { parseArgs, type ParseArgsOptionsConfig } from 'node:util';

/** An option with a value names it (`value: 'DIR'`); one without is a flag. */
export interface Option {
  readonly help: string;
  readonly value?: string;
  readonly short?: string;
}

export type Options = Readonly<Record<string, Option>>;

export interface CommandDeclaration<O extends Options> {
  readonly name: string;
  /** One line for the list of commands. */
  readonly summary: string;
  /** As in a usage line; those in brackets may be left out: `['FILE', '[NAME]']`. */
  readonly operands: readonly string[];
  readonly options: O;
  /** More paragraphs under the options. */
  readonly notes?: string;
}

export type OptionValues<O extends Options> = { readonly [K in keyof O]: O[K] extends { value: string } ? string | undefined : boolean };

export interface Given<O extends Options> {
  readonly operands: readonly string[];
  readonly options: OptionValues<O>;
}

export interface Command {
  readonly declaration: CommandDeclaration<Options>;
  /** @returns the exit status */
  perform(line: readonly string[], program: string): Promise<number>;
}

/** A program with commands (`name command …`), or one whose only command is the program itself. */
export interface Program {
  /** What a person types before the command: `npm run capsule --`. */
  readonly name: string;
  readonly summary: string;
  readonly commands: readonly Command[];
}

/** What the person typed can't be meant; exit status 2. The message says what would be right. */
export class UsageError extends Error {
  readonly code = 'usage';
}

/** A command that reads its line by the declaration and runs with typed values. */
export function commandOf<const O extends Options>(declaration: CommandDeclaration<O>, run: (given: Given<O>) => Promise<number>): Command {
  return {
    declaration,
    perform: async (line, program) => {
      if (helpAsked(line)) return say(commandHelp(declaration, program));
      return run(readLine(declaration, line));
    },
  };
}

/** Runs the command that `line` names. @throws UsageError when it names none */
export async function runProgram(program: Program, line: readonly string[]): Promise<number> {
  const [word = '--help', ...rest] = line;
  if (word === '--help' || word === '-h' || word === 'help') return say(programHelp(program));
  const command = program.commands.find(({ declaration }) => declaration.name === word);
  if (command) return command.perform(rest, `${program.name} ${word}`);
  const names = program.commands.map(({ declaration }) => declaration.name);
  if (word.startsWith('-')) throw new UsageError(`the command comes before its options: ${program.name} ${names.join(' | ')}`);
  throw new UsageError(`there is no command "${word}"; ${nearestAdvice(word, names)}`);
}

/** Checks operands and options of a line. @throws UsageError */
export function readLine<O extends Options>(declaration: CommandDeclaration<O>, line: readonly string[]): Given<O> {
  const { tokens, values, positionals } = parseArgs({
    args: [...line],
    options: nodeOptions(declaration.options),
    strict: false,
    allowPositionals: true,
    tokens: true,
  });
  for (const token of tokens) {
    if (token.kind === 'option') requireOption(declaration, token.name, token.rawName, token.value);
  }
  requireOperands(declaration, positionals);
  return { operands: positionals, options: valuesOf(declaration.options, values) };
}

export function programHelp({ name, summary, commands }: Program): string {
  const lines = commands.map(({ declaration }) => [usage(declaration, declaration.name), declaration.summary] as const);
  return [`${summary}\n`, `usage: ${name} COMMAND …\n`, ...columns(lines), `\n${name} COMMAND --help says more about one.`].join('\n');
}

export function commandHelp(declaration: CommandDeclaration<Options>, program: string): string {
  const options = Object.entries(declaration.options).map(([name, option]) => [optionUsage(name, option), option.help] as const);
  const notes = declaration.notes === undefined ? [] : [`\n${declaration.notes}`];
  return [
    `${declaration.summary}\n`,
    `usage: ${usage(declaration, program)}\n`,
    ...columns([...options, ['--help', 'this text'] as const]),
    ...notes,
  ].join('\n');
}

/** The word of `known` that was meant most likely, if one is near enough to be a slip of the finger. */
export function nearest(word: string, known: readonly string[]): string | undefined {
  const ranked = known
    .map((candidate) => ({ candidate, slips: slipsBetween(word, candidate) }))
    .sort((left, right) => left.slips - right.slips);
  const [best] = ranked;
  return best !== undefined && best.slips <= Math.ceil(best.candidate.length / 3) ? best.candidate : undefined;
}

export function nearestAdvice(word: string, known: readonly string[]): string {
  const meant = nearest(word, known);
  if (meant !== undefined) return `did you mean "${meant}"?`;
  return known.length === 1 ? `there is only ${known.join('')}` : `there are ${known.join(', ')}`;
}

/** The value of an option or operand that counts something, from 1 on. @throws UsageError */
export function wholeNumber(name: string, words: string): number {
  const value = Number(words);
  if (/^[0-9]+$/.test(words) && value > 0 && Number.isSafeInteger(value)) return value;
  throw new UsageError(`${name} is "${words}"; it must be a whole number above 0`);
}

export function helpAsked(line: readonly string[]): boolean {
  const end = line.indexOf('--');
  return line.slice(0, end < 0 ? line.length : end).some((word) => word === '--help' || word === '-h');
}

function nodeOptions(options: Options): ParseArgsOptionsConfig {
  return Object.fromEntries(
    Object.entries(options).map(
      ([name, { value, short }]) =>
        [name, { type: value === undefined ? 'boolean' : 'string', ...(short === undefined ? {} : { short }) }] as const,
    ),
  );
}

function requireOption(declaration: CommandDeclaration<Options>, name: string, typed: string, value: string | undefined): void {
  const option = Object.hasOwn(declaration.options, name) ? declaration.options[name] : undefined;
  if (!option)
    throw new UsageError(
      `${declaration.name} has no option ${typed}; ${nearestAdvice(
        `--${name}`,
        Object.keys(declaration.options).map((known) => `--${known}`),
      )}`,
    );
  if (option.value !== undefined && (value === undefined || value === ''))
    throw new UsageError(`${typed} needs a value: ${optionUsage(name, option)}`);
  if (option.value === undefined && value !== undefined) throw new UsageError(`${typed} takes no value, and got "${value}"`);
}

function requireOperands(declaration: CommandDeclaration<Options>, operands: readonly string[]): void {
  const missing = declaration.operands[operands.length];
  if (missing !== undefined && !missing.startsWith('['))
    throw new UsageError(`${missing} is missing: ${usage(declaration, declaration.name)}`);
  const extra = operands[declaration.operands.length];
  if (extra !== undefined) throw new UsageError(`"${extra}" is one word too many: ${usage(declaration, declaration.name)}`);
}

function valuesOf<O extends Options>(options: O, values: Readonly<Record<string, unknown>>): OptionValues<O> {
  const typed = Object.entries(options).map(([name, option]) => [name, option.value === undefined ? values[name] === true : values[name]]);
  return Object.fromEntries(typed) as OptionValues<O>;
}

function usage({ operands, options }: CommandDeclaration<Options>, name: string): string {
  return [name, ...operands, ...Object.entries(options).map(([option, declared]) => `[${optionUsage(option, declared)}]`)].join(' ');
}

function optionUsage(name: string, { value, short }: Option): string {
  return `${short === undefined ? '' : `-${short}, `}--${name}${value === undefined ? '' : ` ${value}`}`;
}

/** Two columns; a left text that is too wide stands on a line of its own. */
function columns(lines: readonly (readonly [string, string])[]): string[] {
  const wideMax = 30;
  const width = Math.max(0, ...lines.map(([left]) => left.length).filter((length) => length <= wideMax));
  return lines.map(([left, right]) =>
    left.length > wideMax ? `  ${left}\n  ${' '.repeat(width)}  ${right}` : `  ${left.padEnd(width)}  ${right}`,
  );
}

function say(text: string): number {
  process.stdout.write(`${text}\n`);
  return 0;
}

/** Levenshtein's distance. */
function slipsBetween(left: string, right: string): number {
  let row = Array.from({ length: right.length + 1 }, (_, index) => index);
  for (const [above, letter] of [...left].entries()) {
    const next = [above + 1];
    for (const [index, other] of [...right].entries()) {
      next.push(Math.min((row[index + 1] ?? 0) + 1, (next[index] ?? 0) + 1, (row[index] ?? 0) + (letter === other ? 0 : 1)));
    }
    row = next;
  }
  return row.at(-1) ?? 0;
}
