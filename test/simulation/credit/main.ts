/** `npm run simulate -- credit`: what the rules of credit make of judges that are unlucky, lazy or false. */
import type { CommandDeclaration, Option } from '../../../scripts/arguments.ts';
import { runStatistics, STATISTICS_OPTIONS } from '../statistics.ts';
import { creditParts } from './rows.ts';

const declaration = {
  name: 'npm run simulate -- credit',
  summary: 'Models judges over many slots: unlucky, silent, always yes, always no, in groups, and with new chips.',
  operands: [],
  options: STATISTICS_OPTIONS,
  notes: 'Ends with a summary. Exit status 1 when a target is missed; the last line says which.',
} as const satisfies CommandDeclaration<Record<string, Option>>;

/** @returns the exit status */
export function runCredit(line: string[]): Promise<number> {
  return runStatistics({ declaration, room: 'credit', partsOf: creditParts }, line);
}
