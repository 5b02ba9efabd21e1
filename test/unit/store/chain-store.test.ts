/** What a device keeps of the chain, and what becomes of it when programs die and disks lie. Specification §14.4. */
import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { cpSync, existsSync, mkdtempSync, readFileSync, rmSync, statSync, truncateSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, test } from 'node:test';
import { DatabaseSync } from 'node:sqlite';
import { fileURLToPath } from 'node:url';
import { encodeTransaction } from '#protocol/chain/transaction.ts';
import { encodeVoucher } from '#protocol/chain/voucher.ts';
import { hex } from '#protocol/digest.ts';
import type { KeptChain } from '../../../device/consensus/events.ts';
import { openChainStore, type ChainStore } from '../../../device/store/chain-store.ts';
import { createStubMember } from '../../simulation/stub-tpm.ts';
import { blockOn, certificateOf, certified, chainOf, digest, taken, voted } from './chain-records.ts';

let folder: string;
let file: string;
let said: string[];
const open = (at = file): ChainStore => openChainStore(at, (event, fields) => void said.push(`${event} ${JSON.stringify(fields)}`));

beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'capstan-chain-'));
  file = join(folder, 'chain.sqlite');
  said = [];
});
afterEach(() => rmSync(folder, { recursive: true }));

test('what was stored is given back at the next start, blocks in the order in which they were taken (§14.4)', () => {
  const [one, two, three] = chainOf(3) as [ReturnType<typeof blockOn>, ReturnType<typeof blockOn>, ReturnType<typeof blockOn>];
  const rival = blockOn(one.id, 2, 'rival');
  const store = open();
  store.persist([taken(one), taken(rival, true)]);
  store.persist([taken(two), voted(1)]);
  store.persist([certified(two, 1), taken(three), voted(2)]);
  store.close();
  const again = open();
  const kept = again.load();
  assert.deepEqual(
    kept.blocks.map(({ block, own }) => [hex(block.id), own]),
    [
      [hex(one.id), false],
      [hex(rival.id), true],
      [hex(two.id), false],
      [hex(three.id), false],
    ],
  );
  assert.deepEqual(kept.certificates, [certificateOf(two, 1)]);
  assert.deepEqual(kept.votes, { instance: digest('instance', 2), votes: new TextEncoder().encode('votes of 2') });
  assert.equal(kept.ownHeight, 2);
  assert.equal(again.memory(), 'whole');
  assert.deepEqual([again.blockAt(1), again.blockAt(2), again.blockAt(3)], [one.encoded, two.encoded, undefined]);
  assert.deepEqual(again.block(rival.id), rival.encoded);
  assert.deepEqual(again.idsWith(hex(rival.id).slice(0, 8)), [rival.id]);
  again.close();
});

test('pruning drops the blocks that lost, and keeps the finalised ones and the height of the last own block (§14.4)', () => {
  const chain = chainOf(6);
  const rivals = chain.slice(0, 4).map((block) => blockOn(block.header.parent, block.header.height, 'rival'));
  const store = open();
  store.persist([...chain.map((block) => taken(block)), ...rivals.map((block) => taken(block, true))]);
  store.persist([certified(chain[3] as never, 1), { record: 'prune', belowHeight: 4 }]);
  assert.deepEqual(
    rivals.map(({ id }) => store.block(id) !== undefined),
    [false, false, false, true],
  );
  assert.deepEqual(
    chain.slice(0, 4).map((block, index) => hex(store.blockAt(index + 1) ?? block.id) === hex(block.encoded)),
    [true, true, true, true],
  );
  assert.equal(store.load().ownHeight, 4);
  store.close();
});

test('of states the two newest are kept and one for 256 heights; blocks from the newest on come back (§14.4)', () => {
  const store = open();
  const chain = chainOf(5);
  store.persist(chain.map((block) => taken(block)));
  for (const height of [3, 250, 260, 270, 511, 512, 514, 515])
    store.persist([{ record: 'state', height, block: digest('block', height), state: digest('state', height) }]);
  const has = [3, 250, 260, 270, 511, 512, 514, 515].filter((height) => store.state(digest('block', height)) !== undefined);
  assert.deepEqual(has, [3, 260, 512, 514, 515]);
  const kept = store.load();
  assert.equal(kept.state?.height, 515);
  assert.deepEqual(kept.blocks, []);
  store.close();
});

test('of each member and key the voucher is kept: a chip that vouches for the key of another puts none out (§13.6)', () => {
  const [alpha, bravo] = [createStubMember('alpha'), createStubMember('bravo')];
  const key = alpha.operationalKey('boot').publicKey;
  const vouchers = [alpha, bravo].map((member) => member.voucher(digest('network'), { timeMs: 1, resetCount: 1, restartCount: 0 }, key));
  const transactions = vouchers.map((voucher) => encodeTransaction({ kind: 'voucher', voucher }));
  const block = blockOn(digest('genesis', 1), 1, '', transactions);
  const store = open();
  store.persist([taken(block)]);
  assert.equal(store.voucherFor(alpha.node, key), undefined, 'not before the block is final');
  store.persist([certified(block, 1)]);
  assert.deepEqual(
    [alpha, bravo].map(({ node }) => store.voucherFor(node, key)),
    vouchers.map(encodeVoucher),
  );
  store.close();
});

test('two certificates for one number are both kept, and both given back however old they are (§13.5)', () => {
  const chain = chainOf(6);
  const [one, two, last] = [chain[0], chain[1], chain[5]] as [
    ReturnType<typeof blockOn>,
    ReturnType<typeof blockOn>,
    ReturnType<typeof blockOn>,
  ];
  const rival = blockOn(one.id, 2, 'rival');
  const store = open();
  store.persist([...chain.map((block) => taken(block)), taken(rival), certified(two), certified(rival), certified(last)]);
  store.persist([{ record: 'state', height: 6, block: last.id, state: new Uint8Array(9) }, voted(7)]);
  assert.deepEqual(store.blockAt(2), two.encoded, 'the first of them stays the final one here');
  store.close();
  const again = open();
  assert.deepEqual(
    again.load().certificates.map(({ number, block }) => [number, hex(block)]),
    [
      [2, hex(two.id)],
      [2, hex(rival.id)],
      [6, hex(last.id)],
    ],
  );
  again.close();
});

test('a damaged block, certificate or state is dropped with a line in the log, and the rest is used (§14.4)', () => {
  const chain = chainOf(3);
  const store = open();
  store.persist([...chain.map((block) => taken(block)), certified(chain[0] as never), certified(chain[1] as never), voted(3)]);
  store.persist([{ record: 'state', height: 1, block: (chain[0] as { id: Uint8Array }).id, state: digest('old') }]);
  store.persist([{ record: 'state', height: 2, block: (chain[1] as { id: Uint8Array }).id, state: digest('new') }]);
  store.close();
  damage('UPDATE block SET content = zeroblob(length(content)) WHERE height = 3');
  damage('UPDATE certificate SET height = height + 1 WHERE number = 2');
  damage("UPDATE state SET content = x'0102' WHERE height = 2");
  const again = open();
  const kept = again.load();
  assert.equal(kept.state?.height, 1);
  assert.deepEqual(
    kept.blocks.map(({ block }) => block.header.height),
    [2],
  );
  assert.deepEqual(
    kept.certificates.map(({ number }) => number),
    [1],
  );
  assert.equal(said.length, 3);
  assert.equal(again.memory(), 'whole');
  again.persist([taken(chain[2] as never)]);
  assert.equal(again.load().blocks.length, 2);
  again.close();
});

for (const [what, spoil] of [
  ['damaged votes', () => damage("UPDATE own SET content = x'00' WHERE name = 'votes'")],
  ['a damaged own height', () => damage("UPDATE own SET content = x'39' WHERE name = 'height'")],
  ['a file that is gone', () => ['', '-wal', '-shm'].forEach((part) => rmSync(file + part, { force: true }))],
  ['a file that SQLite calls corrupt', () => writeFileSync(file, new Uint8Array(4_096).fill(7))],
] as const) {
  test(`${what}: the member knows that it may have voted on what it no longer knows, until that is behind it (§14.4)`, () => {
    const store = open();
    store.persist([taken(blockOn(digest('genesis'), 1), true), voted(1)]);
    store.close();
    spoil();
    const again = open();
    again.load();
    assert.equal(again.memory(), 'lost');
    assert.equal(existsSync(`${file}.damaged-1`), what.includes('corrupt'));
    again.close();
    const later = open();
    assert.equal(later.memory(), 'lost');
    later.forgetLoss();
    later.close();
    const last = open();
    assert.equal(last.memory(), 'whole');
    last.close();
  });
}

test('a program that is killed at any moment has kept every height and vote that it spoke of (§14.4)', async () => {
  for (let round = 0; round < 4; round += 1) {
    const spoken = await writeUntilKilled(5 + round * 20);
    const store = open();
    const kept = store.load();
    assert.ok(kept.ownHeight >= spoken, `spoke of ${spoken}, kept ${kept.ownHeight}`);
    assert.equal(new TextDecoder().decode(kept.votes?.votes), `votes of ${kept.ownHeight}`);
    assert.equal(store.memory(), 'whole');
    assert.deepEqual(said, []);
    store.close();
  }
});

test('a log cut anywhere in its last record gives back everything before it, and is no loss (§14.4)', () => {
  const store = open();
  store.persist([taken(blockOn(digest('genesis'), 1), true), voted(1)]);
  const before = statSync(`${file}-wal`).size;
  store.persist([voted(2)]);
  const after = statSync(`${file}-wal`).size;
  const whole = join(folder, 'whole.sqlite');
  copyDatabase(file, whole);
  store.close();
  const outcomes = new Set<string>();
  for (let bytes = before; bytes <= after; bytes += bytes < before + 32 || bytes > after - 16 ? 1 : 23) {
    const cut = join(folder, 'cut.sqlite');
    copyDatabase(whole, cut);
    truncateSync(`${cut}-wal`, bytes);
    const again = open(cut);
    const kept = again.load();
    assert.equal(again.memory(), 'whole', `cut at ${bytes}`);
    assert.equal(kept.ownHeight, 1);
    outcomes.add(`${bytes === after ? 'uncut' : 'cut'}: ${new TextDecoder().decode(kept.votes?.votes)}`);
    again.close();
  }
  assert.deepEqual(outcomes, new Set(['cut: votes of 1', 'uncut: votes of 2']));
});

test('no flipped bit makes a member forget its votes or its height without knowing that it did (§14.4)', () => {
  const store = open();
  const chain = chainOf(12);
  for (const block of chain) store.persist([taken(block, block.header.height % 4 === 0), voted(block.header.height), certified(block)]);
  const inLog = join(folder, 'log.sqlite');
  copyDatabase(file, inLog);
  const written = store.load();
  store.close();
  const inFile = join(folder, 'file.sqlite');
  copyDatabase(file, inFile);
  for (const [source, part] of [
    [inLog, '-wal'],
    [inFile, ''],
  ] as const)
    for (let trial = 0; trial < 60; trial += 1) judgeFlip(source, part, trial, written);
});

test('a full disk is an error before anything is said, and nothing of the transaction is kept (§14.4)', () => {
  const store = open();
  store.persist([voted(1)]);
  store.close();
  const full = openChainStore(file, () => undefined, { pagesMax: 24 });
  let stored = 0;
  assert.throws(
    () => {
      for (const block of chainOf(64)) {
        full.persist([taken(block, true), voted(block.header.height)]);
        stored = block.header.height;
      }
    },
    (error: Error & { errcode?: number }) => error.errcode === 13,
  );
  full.close();
  const again = open();
  assert.equal(again.load().ownHeight, stored);
  assert.equal(new TextDecoder().decode(again.load().votes?.votes), `votes of ${stored}`);
  assert.equal(again.memory(), 'whole');
  again.close();
});

function damage(sql: string): void {
  const database = new DatabaseSync(file);
  database.exec(sql);
  database.close();
}

function copyDatabase(from: string, to: string): void {
  for (const part of ['', '-wal', '-shm']) {
    rmSync(to + part, { force: true });
    if (existsSync(from + part) && part !== '-shm') cpSync(from + part, to + part);
  }
  writeFileSync(`${to}.begun`, '');
}

/** Whatever the disk says, what comes back is what was written or less; and less of what only this member knows is a loss. */
function judgeFlip(source: string, part: string, trial: number, written: KeptChain): void {
  const flipped = join(folder, 'flipped.sqlite');
  copyDatabase(source, flipped);
  const bytes = readFileSync(flipped + part);
  const at = (trial * 7_919 + (trial % 13) * 104_729) % bytes.length;
  bytes[at] = (bytes[at] ?? 0) ^ (1 << (trial % 8));
  writeFileSync(flipped + part, bytes);
  const { store, kept } = loadOrBeginAnew(flipped);
  const knows = kept.ownHeight === written.ownHeight && hex(kept.votes?.votes ?? digest()) === hex(written.votes?.votes ?? digest());
  assert.ok(knows || store.memory() === 'lost', `byte ${at} of ${part || 'file'}: own height ${kept.ownHeight}, memory ${store.memory()}`);
  const known = new Set(written.blocks.map(({ block, own }) => `${hex(block.encoded)} ${own}`));
  assert.ok(
    kept.blocks.every(({ block, own }) => known.has(`${hex(block.encoded)} ${own}`)),
    `byte ${at}: a block that was never written`,
  );
  store.close();
}

/** As a device does that is started again. */
function loadOrBeginAnew(at: string): { store: ChainStore; kept: KeptChain } {
  for (let starts = 1; ; starts += 1) {
    try {
      const store = open(at);
      return { store, kept: store.load() };
    } catch (error) {
      if (starts === 3) throw error;
    }
  }
}

function writeUntilKilled(afterHeights: number): Promise<number> {
  return new Promise((resolve, reject) => {
    const writer = fileURLToPath(new URL('chain-writer.ts', import.meta.url));
    const child = spawn(process.execPath, [writer, file], { stdio: ['ignore', 'pipe', 'inherit'] });
    let spoken = 0;
    let first: number | undefined;
    child.stdout.setEncoding('utf8').on('data', (text: string) => {
      for (const line of text.split('\n').slice(0, -1)) spoken = Number(line);
      first ??= spoken;
      if (spoken - first >= afterHeights) child.kill('SIGKILL');
    });
    child.once('error', reject).once('close', () => resolve(spoken));
  });
}
