/** The log of the chain: a line a block while checkpoints follow at once (§14.5). */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { FinalityCertificate } from '#protocol/chain/finality-certificate.ts';
import type { ReadBlock } from '#protocol/chain/block.ts';
import { ChainLog } from '../../device/chain/chain-log.ts';
import type { ConsensusReport } from '../../device/consensus/events.ts';
import type { Position } from '../../device/ledger/position.ts';

function newLog(): { log: ChainLog; lines: string[] } {
  const lines: string[] = [];
  const write = (event: string, fields: object = {}): void => {
    lines.push([event, ...Object.entries(fields).map(([name, value]) => `${name}=${String(value)}`)].join(' '));
  };
  const context = { nameOf: (node: string) => `n${node.slice(0, 2)}`, waitMsOf: () => 812, votersOf: () => 4 };
  return { log: new ChainLog(write, () => 0, context), lines };
}

function blockAt(height: number): ReadBlock {
  const header = { height, node: new Uint8Array(32).fill(7) };
  return { id: new Uint8Array(32).fill(height), header, transactions: [new Uint8Array(1)] } as unknown as ReadBlock;
}

function moved(height: number): ConsensusReport {
  return { report: 'headMoved', block: blockAt(height), depth: 0 };
}

function certified(height: number, round = 0): ConsensusReport {
  const votes = Array.from({ length: 3 }, () => ({}));
  const certificate = { number: height, height, block: blockAt(height).id, round, votes } as unknown as FinalityCertificate;
  const position = { id: certificate.block, height, timeMs: 0 } as unknown as Position;
  return { report: 'checkpointFinalised', certificate, afterMs: 29.6, position, aboveHeight: height - 1 };
}

test('a block and its checkpoint are one line: who led, what it waited, whose votes, how soon (§14.5)', () => {
  const { log, lines } = newLog();
  for (const report of [moved(9), certified(9)]) log.take(report);
  assert.deepEqual(lines, ['checkpointFinalised height=9 block=09090909 by=n07 transactions=1 waitMs=812 checkpoint=9 votes=3 of=4 ms=30']);
});

test('the leader marks its own block in the same line', () => {
  const { log, lines } = newLog();
  for (const report of [{ report: 'blockMade', block: blockAt(9), waitMs: 812 } as const, moved(9), certified(9, 2)]) log.take(report);
  assert.deepEqual(lines, [
    'checkpointFinalised height=9 block=09090909 by=n07 transactions=1 waitMs=812 own=yes checkpoint=9 round=2 votes=3 of=4 ms=30',
  ]);
});

test('a block without a checkpoint has its line when the next one comes, or when the device ends', () => {
  const { log, lines } = newLog();
  for (const report of [moved(9), moved(10)]) log.take(report);
  assert.deepEqual(lines, ['headMoved height=9 block=09090909 by=n07 transactions=1 waitMs=812']);
  log.take(certified(9));
  log.stop();
  assert.deepEqual(lines.slice(1), [
    'headMoved height=10 block=0a0a0a0a by=n07 transactions=1 waitMs=812',
    'checkpointFinalised height=9 block=09090909 checkpoint=9 votes=3 of=4 ms=30',
  ]);
});

test('an own block that does not become the head is said as well', () => {
  const { log, lines } = newLog();
  log.take({ report: 'blockMade', block: blockAt(9), waitMs: 812 });
  log.stop();
  assert.deepEqual(lines, ['blockMade height=9 block=09090909 by=n07 transactions=1 waitMs=812']);
});
