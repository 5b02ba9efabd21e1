/** What a run of benchmarks says: a table for people, JSON for programs that compare runs. */
import { execFile } from 'node:child_process';
import { cpus, loadavg, release, totalmem } from 'node:os';
import { promisify } from 'node:util';
import { table, type Terminal } from '../terminal.ts';
import type { Measured, Row } from './benchmark.ts';
import { opensslVersion } from './openssl.ts';
import { mediansOf } from './rounds.ts';

export function tableOf(rows: readonly Row[], terminal: Terminal): string {
  const paint: Paint = (style, text) => terminal.paint(style, text);
  const head = ['metric', 'ours', 'floor or peer', '', 'ratio', 'target', 'met?'].map((word) => paint('strong', word));
  const lines = rows.map((row) => (row.status === 'measured' ? measuredLine(row, paint) : [row.metric, paint('warning', 'not measured')]));
  const reasons = rows.flatMap((row) =>
    row.status === 'measured' ? [] : [paint('warning', `  ${row.metric} was not measured: ${row.reason}`)],
  );
  return [table([head, ...lines]), ...reasons].join('\n');
}

/** A row as soon as it is measured, before there is a table to stand in. */
export function rowText(row: Row): string {
  return row.status === 'measured'
    ? `${row.metric}: ${numberText(mediansOf(row).ours)}${row.unit}`
    : `${row.metric} was not measured: ${row.reason}`;
}

type Paint = Terminal['paint'];

function measuredLine(row: Measured, paint: Paint): string[] {
  const medians = mediansOf(row);
  const floor = row.floor === undefined ? ['', ''] : [`${numberText(medians.floor)}${row.unit}`, row.floor.name];
  const ratio = row.floor === undefined || medians.ratio === 0 ? '' : ratioText(row, medians.ratio);
  return [row.metric, `${numberText(medians.ours)}${row.unit}`, ...floor, ratio, row.target?.text ?? 'informs', metText(row, paint)];
}

function metText(row: Measured, paint: Paint): string {
  if (row.target === undefined) return '';
  return row.target.isMet(mediansOf(row)) ? paint('good', 'yes') : paint('bad', 'NO');
}

function ratioText({ better }: Measured, ratio: number): string {
  return better === 'higher' ? `${Math.round(ratio * 100)} %` : `${numberText(ratio)} x`;
}

/** Three digits that count; whole numbers above a thousand. */
function numberText(value: number): string {
  if (value >= 1_000) return String(Math.round(value)).replace(/\B(?=(\d{3})+$)/g, ',');
  return value >= 100 ? value.toFixed(0) : value >= 10 ? value.toFixed(1) : value.toFixed(2);
}

export interface RunFacts {
  readonly startedAt: Date;
  readonly quick: boolean;
  readonly rounds: number;
  readonly loadBefore: readonly number[];
}

/** Everything that was measured, with the samples, and on what. */
export async function jsonOf(rows: readonly Row[], facts: RunFacts): Promise<string> {
  const { startedAt, quick, rounds, loadBefore } = facts;
  const processors = cpus();
  return JSON.stringify(
    {
      date: startedAt.toISOString(),
      seconds: Math.round((Date.now() - startedAt.getTime()) / 1_000),
      quick,
      rounds,
      commit: await firstLineOf('git', ['rev-parse', 'HEAD']),
      machine: {
        architecture: process.arch,
        processor: processors[0]?.model ?? 'unknown',
        processors: processors.length,
        memoryBytes: totalmem(),
        kernel: release(),
        loadBefore,
        loadAfter: loadavg(),
      },
      versions: {
        node: process.versions.node,
        opensslOfNode: process.versions.openssl,
        openssl: await opensslVersion().catch(() => 'unknown'),
      },
      rows: rows.map((row) => (row.status === 'measured' ? jsonRow(row) : row)),
    },
    undefined,
    2,
  );
}

function jsonRow(row: Measured): object {
  const { metric, unit, better, ours, floor, target, note } = row;
  const medians = mediansOf(row);
  const verdict = target === undefined ? {} : { target: target.text, met: target.isMet(medians) };
  const beside =
    floor === undefined ? {} : { floor: { name: floor.name, median: medians.floor, samples: floor.samples }, ratio: medians.ratio };
  return {
    status: row.status,
    metric,
    unit: unit.trim(),
    better,
    ours: { median: medians.ours, samples: ours },
    ...beside,
    ...verdict,
    ...(note === undefined ? {} : { note }),
  };
}

async function firstLineOf(program: string, words: readonly string[]): Promise<string> {
  const found = await promisify(execFile)(program, words, { cwd: import.meta.dirname }).catch(() => undefined);
  return found?.stdout.split('\n')[0] ?? 'unknown';
}
