/** Anchors on the disk, by chain. Specification §20.9, §4.5. */
import assert from 'node:assert/strict';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test } from 'node:test';
import { AnchorStore } from '../../../device/anchors/anchor-store.ts';
import { startAnchors, stepAnchors } from '../../../device/anchors/machine.ts';
import { nobleCrypto } from '#protocol/crypto-noble.ts';
import { anchored, chips, place } from './workshop.ts';

const [chip] = chips;
assert.ok(chip);

test('a chain that the network file names later begins with the epochs that are kept, and with no vote of another chain (§4.5)', (t) => {
  const folder = mkdtempSync(join(tmpdir(), 'capstan-anchors-'));
  const store = new AnchorStore(join(folder, 'anchors.sqlite'));
  t.after(() => {
    store.close();
    rmSync(folder, { recursive: true });
  });
  for (const epoch of [1, 2])
    store.store(place, {
      ...anchored(epoch),
      previous: new Uint8Array(32),
      own: new Uint8Array(105),
      votes: new Map([['00'.repeat(32), new Uint8Array(105)]]),
    });
  const later = { ...place, chainId: 20 };
  const found = store.load(later);
  assert.deepEqual(
    found,
    [1, 2].map((epoch) => ({ ...anchored(epoch), votes: new Map() })),
  );
  assert.deepEqual(
    store.load(place).map(({ own }) => own?.length),
    [105, 105],
  );
  const state = startAnchors({ place: later, crypto: nobleCrypto, node: chip.node }, anchored(0), found);
  const signed = stepAnchors(state, { type: 'anchored', anchored: anchored(3) }).flatMap((one) =>
    one.effect === 'sign' ? [one.epoch] : [],
  );
  assert.deepEqual(signed, [1, 2, 3], 'they are voted on there as well');
});
