/**
 * Durable appends of the device's store, a capsule of about 512 bytes a transaction, beside 512 bytes appended to a file in
 * the same folder with fdatasync after each. Specification §7.6.
 */
import { randomBytes } from 'node:crypto';
import { closeSync, fdatasyncSync, openSync, writeSync } from 'node:fs';
import { join } from 'node:path';
import { newOrder, type Order } from '../../device/gateway/order.ts';
import { openStore, type AcceptedCapsule, type Store } from '../../device/store/store.ts';
import type { Benchmark, Row } from './benchmark.ts';
import { inTurns } from './rounds.ts';

export const storeAppends: Benchmark = {
  name: 'store',
  summary: 'durable 512-byte appends of the store, beside raw append and fdatasync in the same folder',
  metric: 'durable appends (capsules)',
  run: async ({ rounds, quick, folder }) => {
    const store = openStore(join(folder, 'bench.sqlite'));
    const file = openSync(join(folder, 'raw'), 'a', 0o600);
    try {
      const count = quick ? 50 : 400;
      const raw = (): number => perSecond(count, () => appendRaw(file));
      const added = await inTurns(rounds, () => perSecond(count, () => add(store)), raw);
      const saved = await inTurns(rounds, () => savesPerSecond(store, count), raw);
      return [rowOf('durable appends (new capsules)', added), rowOf('durable appends (order states)', saved)];
    } finally {
      store.close();
      closeSync(file);
    }
  },
};

const recordBytes = 512;

function rowOf(metric: string, { ours, floor }: { ours: readonly number[]; floor: readonly number[] }): Row {
  return {
    status: 'measured',
    metric,
    unit: '/s',
    better: 'higher',
    ours,
    floor: { name: 'append + fdatasync, 512 bytes', samples: floor },
    target: { text: '≥ 60 %', isMet: ({ ratio }) => ratio >= 0.6 },
    note: 'by the clock; one transaction each, WAL, full synchronisation',
  };
}

function add(store: Store): void {
  const { accepted, order } = newCapsule();
  store.addCapsule(accepted, order);
}

function savesPerSecond(store: Store, count: number): number {
  const { accepted, order } = newCapsule();
  store.addCapsule(accepted, order);
  return perSecond(count, (index) => store.saveOrder(index % 2 === 0 ? order : { ...order, state: 'ordered', lacking: [] }));
}

/** With request, acceptance, manifest and order a row of about 512 bytes. */
function newCapsule(): { accepted: AcceptedCapsule; order: Order } {
  const capsule = randomBytes(16).toHex();
  const acceptedAtMs = Date.now();
  const order = newOrder({ capsule, client: 'you', acceptedAtMs, wallMs: 60_000, lacking: [randomBytes(32).toHex()] });
  const accepted: AcceptedCapsule = {
    capsule,
    client: 'you',
    name: 'bench',
    notation: 'cbor',
    request: randomBytes(16),
    manifest: randomBytes(256),
    acceptedAtMs,
  };
  return { accepted, order };
}

function appendRaw(file: number): void {
  writeSync(file, randomBytes(recordBytes));
  fdatasyncSync(file);
}

function perSecond(count: number, append: (index: number) => void): number {
  const startedAt = performance.now();
  for (let index = 0; index < count; index += 1) append(index);
  return (count * 1_000) / (performance.now() - startedAt);
}
