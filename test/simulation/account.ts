/** What `npm run simulate` says: a scenario, figures, and how a failure is seen again. */
import { durationText, table } from '../../scripts/terminal.ts';
import type { Outcome } from './run-seed.ts';
import type { Scenario, Wishes } from './scenario.ts';
import type { TrustCounts } from './trust-rules.ts';

export interface Tally {
  readonly outcomes: readonly Outcome[];
  readonly cpuSeconds: number;
}

export function accountOf(scenario: Scenario): string[] {
  const { seed, members, signatures, promised, faults, cheats, roles, targetIntervalMs, faultsEndMs, joiners, leavers } = scenario;
  const cheating = [...cheats].map(([index, behaviours]) => `member ${index} (${behaviours.join(', ')})`);
  return [
    `seed ${seed}: ${members} members, ${signatures} signatures, a block every ${durationText(targetIntervalMs)}, faults for ${durationText(faultsEndMs)}`,
    `  promised: ${promised}`,
    `  faults: ${[...faults].join(', ') || 'none'}`,
    `  cheats: ${cheating.join('; ') || 'none'}`,
    ...(roles.size > 0 ? [`  of the others: ${[...roles].map(([index, role]) => `member ${index} (${role})`).join('; ')}`] : []),
    ...(joiners + leavers > 0 ? [`  ${joiners} join, ${leavers} leave`] : []),
  ];
}

export function summaryLines({ outcomes, cpuSeconds }: Tally): string[] {
  const sum = (of: (figures: Outcome['figures']) => number): number => outcomes.reduce((total, { figures }) => total + of(figures), 0);
  const most = (of: (figures: Outcome['figures']) => number): number =>
    outcomes.reduce((top, { figures }) => Math.max(top, of(figures)), 0);
  const nodeHours = sum((figures) => figures.nodeHours);
  const failed = outcomes.filter(({ broken }) => broken !== undefined).length;
  return [
    table([
      ['seeds', String(outcomes.length), 'rules broken', String(failed)],
      ['node-hours', nodeHours.toFixed(0), 'per CPU-second', (nodeHours / Math.max(cpuSeconds, 0.001)).toFixed(0)],
      ['events', String(sum((figures) => figures.events)), 'messages', String(sum((figures) => figures.messages))],
      ['heights', String(sum((figures) => figures.height)), 'checkpoints', String(sum((figures) => figures.checkpoint))],
      ['starts', String(sum((figures) => figures.starts)), 'submissions', String(sum((figures) => figures.submissions))],
      ['mutated messages', String(sum((figures) => figures.mutations)), 'latest round', String(most((figures) => figures.rounds))],
      [
        'largest collection',
        String(most((figures) => figures.largest)),
        'slowest recovery',
        `${most((figures) => figures.recoveryBlockTimes).toFixed(1)} block times`,
      ],
    ]),
    ...trustLines(outcomes),
    refusalsOf(outcomes),
  ];
}

function trustLines(outcomes: readonly Outcome[]): string[] {
  const counts = outcomes.flatMap(({ figures }) => figures.trust ?? []);
  const sum = (of: (one: TrustCounts) => number): number => counts.reduce((total, one) => total + of(one), 0);
  if (counts.length === 0) return [];
  const [verdicts, trusted, refusing] = [sum((one) => one.verdicts), sum((one) => one.trusted), sum((one) => one.refusing)];
  const [revealed, appeals] = [sum((one) => one.revealed), sum((one) => one.appeals)];
  return [
    `  verdicts ${verdicts}: trusted ${trusted}, against the member ${refusing}; planted and revealed ${revealed}; appeals ${appeals}`,
  ];
}

export interface Failure {
  readonly outcome: Outcome;
  readonly command: string;
}

export function failureOf(outcome: Outcome, wishes: Wishes): Failure {
  const options = [
    ...(wishes.without ?? []).map((fault) => `--without ${fault}`),
    ...(wishes.members === undefined ? [] : [`--nodes ${wishes.members}`]),
    ...(wishes.hours === undefined ? [] : [`--hours ${wishes.hours}`]),
    ...(wishes.trust === true ? ['--trust'] : []),
  ];
  return { outcome, command: ['npm run simulate --', String(outcome.seed), ...options].join(' ') };
}

/** @param withEvents the last lines of what happened */
export function failureLines({ outcome, command }: Failure, commit: string, withEvents: boolean): string[] {
  const { broken, seed, lines } = outcome;
  return [
    ...(withEvents ? ['', ...lines.slice(-20)] : []),
    `seed ${seed} of commit ${commit} breaks ${broken?.checker ?? ''}`,
    broken?.detail ?? '',
    `again: ${command}`,
  ];
}

function refusalsOf(outcomes: readonly Outcome[]): string {
  const counts = new Map<string, number>();
  for (const { figures } of outcomes) for (const [reason, count] of figures.refused) counts.set(reason, (counts.get(reason) ?? 0) + count);
  const told = [...counts].toSorted(([, left], [, right]) => right - left).map(([reason, count]) => `${reason} ${count}`);
  return told.length === 0 ? '  nothing was refused' : `  refused: ${told.join(', ')}`;
}
