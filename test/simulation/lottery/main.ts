/** `npm run simulate -- lottery`: the statistics of the draws and the race, beside Sawtooth's rules on the same draws. */
import type { CommandDeclaration, Option } from '../../../scripts/arguments.ts';
import { runStatistics, STATISTICS_OPTIONS } from '../statistics.ts';
import { drawPart } from './draw-rows.ts';
import { racePart } from './race-rows.ts';
import type { Effort, Part } from './row.ts';
import { seedPart } from './seed-rows.ts';
import { winPart } from './win-rows.ts';

const declaration = {
  name: 'npm run simulate -- lottery',
  summary: 'Models the lottery: fairness, stale blocks, forged chips, withholding, false alarms; beside Sawtooth on the same draws.',
  operands: [],
  options: STATISTICS_OPTIONS,
  notes: 'Ends with a summary. Exit status 1 when a target is missed; the last line says which.',
} as const satisfies CommandDeclaration<Record<string, Option>>;

/** @returns the exit status */
export function runLottery(line: string[]): Promise<number> {
  return runStatistics({ declaration, room: 'lottery', partsOf: lotteryParts }, line);
}

export function lotteryParts(effort: Effort): Part[] {
  return [drawPart, racePart, seedPart, winPart].map((part) => part(effort));
}

if (import.meta.main) process.exitCode = await runLottery(process.argv.slice(2));
