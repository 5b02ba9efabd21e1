/** Gas that whole transactions use, as the tests in contracts/test/gas measure them; the figures stand in contracts/snapshots. */
import { existsSync, readFileSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { buildFolder, contractsFolder, HARDFORKS, requireForge, type Hardfork } from './forge.ts';

/** Name of an operation to gas, of a transaction with its 21,000 and its calldata. */
export type GasFigures = Readonly<Record<string, number>>;

/** Runs the measuring tests on a chain of this hardfork. @throws Error when one of them fails, as over a limit */
export async function measureGas(hardfork: Hardfork): Promise<GasFigures> {
  const folder = join(buildFolder, 'snapshots');
  rmSync(join(folder, `${hardfork}.json`), { force: true });
  const args = ['test', '--isolate', '--match-path', 'test/gas/*', '--threads', '1'];
  await requireForge({ args, hardfork, environment: { FOUNDRY_SNAPSHOTS: folder } });
  return readFigures(join(folder, `${hardfork}.json`));
}

/** Nodes, and what their epoch costs: from 128 seats on always the same. */
const EPOCHS = [
  [10, 'epoch, 10 seats'],
  [1_000, 'epoch, 128 places'],
  [10_000, 'epoch, 128 places'],
  [1_000_000, 'epoch, 128 places'],
] as const;
const EPOCHS_A_DAY = 24;

/** Nodes, and the gas that a day of hourly epochs costs each of them. Specification §20.3. */
export function gasOfNodeAndDay(figures: GasFigures): (readonly [number, number])[] {
  return EPOCHS.map(([nodes, epoch]) => [nodes, ((figures[epoch] ?? NaN) * EPOCHS_A_DAY) / nodes]);
}

/** As it stands in the tree. */
export function keptFigures(hardfork: Hardfork): GasFigures {
  const path = snapshotPath(hardfork);
  return existsSync(path) ? (JSON.parse(readFileSync(path, 'utf8')) as GasFigures) : {};
}

export function snapshotPath(hardfork: Hardfork): string {
  return join(contractsFolder, 'snapshots', `${hardfork}.json`);
}

export function snapshotText(figures: GasFigures): string {
  const sorted = Object.entries(figures).sort(([left], [right]) => (left < right ? -1 : 1));
  return `${JSON.stringify(Object.fromEntries(sorted), undefined, 2)}\n`;
}

/**
 * What is measured differs from the snapshot in the tree: the hardforks for which it does. A thousandth more or less comes of what the
 * compiler was given beside a contract, and is no news.
 */
export function staleSnapshots(measured: ReadonlyMap<Hardfork, GasFigures>): Hardfork[] {
  return HARDFORKS.filter((hardfork) => {
    const kept = keptFigures(hardfork);
    const now = measured.get(hardfork) ?? {};
    const names = new Set([...Object.keys(kept), ...Object.keys(now)]);
    return [...names].some((name) => !isSame(kept[name], now[name]));
  });
}

function isSame(kept: number | undefined, now: number | undefined): boolean {
  return kept !== undefined && now !== undefined && Math.abs(now - kept) * 1_000 <= kept;
}

function readFigures(path: string): GasFigures {
  if (!existsSync(path)) throw new Error('no gas was measured: contracts/test/gas has no test that takes a snapshot');
  const figures = JSON.parse(readFileSync(path, 'utf8')) as Record<string, string>;
  return Object.fromEntries(Object.entries(figures).map(([name, gas]) => [name, Number(gas)]));
}
