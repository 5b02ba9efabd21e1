/** The duty of anchors on a disk that fails. Specification §20.9. */
import assert from 'node:assert/strict';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test } from 'node:test';
import { nobleCrypto } from '#protocol/crypto-noble.ts';
import { networkId } from '#protocol/network.ts';
import { AnchorStore } from '../../../device/anchors/anchor-store.ts';
import { openAnchors } from '../../../device/anchors/host.ts';
import { Endpoints } from '../../../device/layer1/endpoints.ts';
import { genesisPosition } from '../../../device/ledger/genesis.ts';
import { Database } from '../../../device/store/database.ts';
import { founded } from '../chain/proof-workshop.ts';
import { anchored, chips, place } from './workshop.ts';

const [chip] = chips;
assert.ok(chip);
const { node } = chip;
const network = { ...founded, genesis: { ...founded.genesis, anchorHeights: 8 } };

const damages: Readonly<Record<string, (file: string) => void>> = {
  'is no database': (file) => writeFileSync(file, new Uint8Array(8192).fill(7)),
  'has a row that nobody can have written': (file) => {
    const store = new AnchorStore(file);
    store.store({ ...place, network: networkId(network) }, { ...anchored(1), votes: new Map() });
    store.close();
    const database = new Database(file, '');
    database.prepare(`UPDATE epoch SET moment = x'ff'`).run();
    database.close();
  },
};

for (const [what, damage] of Object.entries(damages))
  test(`a record that ${what}: the device starts without the duty, says so, and begins no other (§20.9)`, (t) => {
    const folder = mkdtempSync(join(tmpdir(), 'capstan-anchors-'));
    const endpoints = new Endpoints(place.chainId, ['http://127.0.0.1:9']);
    t.after(() => {
      endpoints.close();
      rmSync(folder, { recursive: true });
    });
    const file = join(folder, 'anchors.sqlite');
    damage(file);
    const before = readFileSync(file);
    const lines: string[] = [];
    const spoken: string[] = [];
    const anchors = openAnchors({
      network,
      crypto: nobleCrypto,
      chip: { node, certifyTime: () => Promise.reject(new Error('nothing is signed')) },
      checkpoints: { onCheckpoint: () => void spoken.push('listens') },
      genesis: genesisPosition({ network, networkId: networkId(network), crypto: nobleCrypto }),
      gossip: { say: () => void spoken.push('says'), onHeard: () => void spoken.push('listens') },
      chains: [{ chain: { chainId: place.chainId, anchors: place.anchors, endpoints: ['http://127.0.0.1:9'] }, endpoints }],
      file,
      now: () => 0,
      log: (event, fields = {}) => void lines.push(`${event} ${String(fields['file'])}`),
    });
    assert.deepEqual([anchors, lines, spoken], [undefined, [`anchorsUnusable ${file}`], []]);
    assert.deepEqual(readFileSync(file), before);
  });
