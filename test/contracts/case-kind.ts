/**
 * Kinds of evidence that the protocol and the contracts both judge: named cases, which are kept in test/vectors/contracts, and mutations of
 * them drawn from a seed. Each has the protocol's verdict. A file of them has columns, because forge reads an array of one type at a time.
 */
import { drawFrom, type Draw } from '../../scripts/fuzz/random.ts';

export type CaseFields = Readonly<Record<string, Uint8Array | string | number>>;
/** A case as JSON: bytes with 0x. */
export type CaseRow = Readonly<Record<string, string | number>>;

interface Declaration<Input extends CaseFields> {
  /** Name of its file. */
  readonly name: string;
  readonly named: () => Iterable<readonly [string, Input]>;
  /** What the protocol says: `verdict`, and what is read where it accepts. */
  readonly judge: (input: Input) => CaseFields & { readonly verdict: string };
  /** An input near a named one. */
  readonly mutate: (draw: Draw) => Input;
}

export interface CaseKind {
  readonly name: string;
  readonly named: () => CaseRow[];
  readonly mutations: (count: number, seed: number) => CaseRow[];
}

export function caseKind<Input extends CaseFields>({ name, named, judge, mutate }: Declaration<Input>): CaseKind {
  const row = (label: string, input: Input): CaseRow => ({ name: label, ...rowOf(input), ...rowOf(judge(input)) });
  return {
    name,
    named: () => Array.from(named(), ([label, input]) => row(label, input)),
    mutations: (count, seed) => {
      const draw = drawFrom(seed);
      return Array.from({ length: count }, (_, index) => row(`mutation ${index} of seed ${seed}`, mutate(draw)));
    },
  };
}

/** JSON: each field's name to its values in the order of the cases. */
export function columnsText(rows: readonly CaseRow[]): string {
  const columns = Object.keys(rows[0] ?? {}).map((name) => {
    const values = rows.map((row) => JSON.stringify(row[name]));
    return `${JSON.stringify(name)}: [\n${values.join(',\n')}\n]`;
  });
  return `{\n${columns.join(',\n')}\n}\n`;
}

function rowOf(fields: CaseFields): CaseRow {
  const entries = Object.entries(fields).map(([name, value]) => [name, value instanceof Uint8Array ? `0x${value.toHex()}` : value]);
  return Object.fromEntries(entries) as CaseRow;
}
