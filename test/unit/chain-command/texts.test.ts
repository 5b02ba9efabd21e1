/** What `npm run chain` prints of a head, a block and the members. Specification §14.5. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { UsageError } from '../../../scripts/arguments.ts';
import { readBlockName } from '../../../scripts/chain/block-choice.ts';
import { blockText } from '../../../scripts/chain/block-text.ts';
import { headText } from '../../../scripts/chain/head-text.ts';
import { peersText } from '../../../scripts/chain/peers-text.ts';
import { blockAt, blockView, checkpointAt, headAt, peer, peersView, plain } from './views.ts';

test('a head says in a few lines where the chain stands (§14.5)', () => {
  assert.equal(
    headText(headAt(10), plain),
    [
      '  chain at alpha  finalising',
      '  head            height 10, block 0a0a0a0a0a0a, 1 transaction',
      '  led by          bravo after a wait of 812 ms, 500 ms ago',
      '  final           up to height 9, 1 block behind the head',
      '  checkpoint      8, block 090909090909, by 3 of 4 votes, 56 ms after the block came',
      '  members         4, with 4 seats; alpha is connected to the brokers of 4, its own included; 3 votes are a quorum',
      '  epoch           0; a block every 1.0 s in the mean',
    ].join('\n'),
  );
});

test('a head that nothing finalises says since when, who votes and how many are needed (§13.5)', () => {
  const text = headText(headAt(20, { condition: 'not-finalising', voting: 2, checkpoint: checkpointAt(5, 30_900) }), plain);
  assert.match(text, /NOT FINALISING for 30\.9 s: 2 of 4 seats vote, 3 needed/);
  assert.match(text, /blocks above height 5 may still change/);
});

test('the genesis has no leader and no votes (§11.1)', () => {
  const { parent: _, waitMs: __, ...genesis } = blockAt(0);
  const checkpoint = { number: 0, height: 0, block: genesis.id, voters: 4, knownForMs: 10 };
  const text = headText(headAt(1, { head: { ...genesis, transactions: 0 }, checkpoint }), plain);
  assert.match(text, /nobody: this is the genesis/);
  assert.match(text, /the genesis, on which nobody votes/);
});

test('a block shows its certificates, the checkpoint that holds it and its transactions (§11.1, §13.4)', () => {
  assert.equal(
    blockText(blockView(), plain),
    [
      `  block       ${'09'.repeat(32)}`,
      `  parent      ${'08'.repeat(32)}`,
      '  height      9, in epoch 0',
      '  led by      bravo',
      '  chain time  2023-11-14 22:13:29 UTC',
      "  wait        812 ms drawn; its TPM's clock went on by 815 ms from one certificate to the other",
      '  size        1.6 KiB, 1 transaction',
      '  standing    final: checkpoint 8 (height 9, round 0) by votes of alpha, bravo, delta',
      '',
      '  abababababab  submission  capsule 3f00aa11, node, by alpha',
    ].join('\n'),
  );
});

test('a block that no checkpoint holds is called not final (§13.5)', () => {
  const { checkpoint: _, ...without } = blockView({ standing: 'not-final', transactions: [] });
  assert.match(blockText(without, plain), /standing {4}not final: no checkpoint holds it yet$/);
});

test('transactions that are not listed are counted, and text of others moves no cursor (§14.5)', () => {
  const text = blockText(
    blockView({
      block: { ...blockAt(9), transactions: 600 },
      transactions: [{ id: blockAt(1).id, kind: 'signed', about: '\u001b[2Jx' }],
    }),
    plain,
  );
  assert.match(text, /and 599 more$/);
  assert.ok(!text.includes('\u001b'));
});

test('members stand in a table with what the audits find (§12.5, §14.5)', () => {
  const {
    winsMilli: _,
    expectedBlocksMilli: __,
    ratePpm: ___,
    rateOverMs: ____,
    heardMs: _____,
    headHeight: ______,
    ...unseen
  } = peer('delta');
  const rows = peersText(
    peersView([
      peer('alpha'),
      peer('bravo', { wins: 'too-many', winsMilli: 5_000_000, votedIn: 2, boxes: 3 }),
      peer('charlie', { rate: 'fast', ratePpm: 201_000, reach: 'lost', votedIn: 7 }),
      { ...unseen, wins: 'too-little-data', rate: 'too-little-data', seat: 'none', voice: 'none' },
      peer('echo', { standing: 'expelled', seat: 'none', voice: 'none', boxes: 2 }),
    ]),
    (name) => (name === 'alpha' ? 4_711 : undefined),
    plain,
  ).split('\n');
  assert.deepEqual(
    rows.slice(0, 6).map((row) => row.trim().split(/ {2,}/)),
    [
      ['member', 'seat', 'votes', 'heard', 'head', 'boxes', 'blocks led', 'luck', "TPM's clock", 'process'],
      ['alpha', 'yes', 'last checkpoint', 'asked', '9', 'alpha-box (software-tpm)', '3 of 2.3', '0.9', '+0.15 %', '4711'],
      [
        'bravo',
        'yes',
        '6 checkpoints ago',
        '400 ms ago',
        '9',
        'bravo-box and 2 more (up to software-tpm)',
        '3 of 2.3',
        'TOO MANY (5e+3)',
        '+0.15 %',
      ],
      [
        'charlie',
        'yes',
        '1 checkpoint ago',
        '400 ms ago, NOT REACHED',
        '9',
        'charlie-box (software-tpm)',
        '3 of 2.3',
        '0.9',
        'FAST +20.10 % over 26.3 s',
      ],
      ['delta', 'to come', 'not yet', 'delta-box (software-tpm)'],
      ['echo', 'EXPELLED', '9', 'echo-box and 1 more (up to software-tpm)', '3 of 2.3', '0.9', '+0.15 %'],
    ],
  );
});

test('who is silent is named, and whether the others are enough (§13.5, §14.5)', () => {
  const silent = { voice: 'silent', votedIn: 3, heardMs: 14_200, headHeight: 4 } as const;
  const one = peersText(peersView([peer('alpha'), peer('bravo'), peer('charlie'), peer('delta', silent)]), () => undefined, plain);
  assert.match(one, /delta {4}yes {3}SILENT 14\.2 s {4}14\.2 s ago {2}4 /);
  assert.match(one, /\n {2}3 of 4 seats vote, 3 needed: blocks become final\. Silent: delta$/);
  assert.match(
    peersText(peersView([peer('delta', { ...silent, heardMs: 400 })]), () => undefined, plain),
    /NO BALLOT +400 ms ago/,
  );
  const two = peersText(peersView([peer('alpha'), peer('bravo'), peer('charlie', silent), peer('delta', silent)]), () => undefined, plain);
  assert.match(two, /\n {2}2 of 4 seats vote, 3 needed: nothing becomes final until more are back\. Silent: charlie, delta$/);
  const all = peersText(peersView([peer('alpha'), peer('bravo'), peer('charlie'), peer('delta')]), () => undefined, plain);
  assert.match(all, /\n {2}4 of 4 seats vote, 3 needed: blocks become final$/);
});

test('no column of processes where the devices run elsewhere', () => {
  assert.ok(!peersText(peersView([peer('alpha')]), () => undefined, plain).includes('process'));
});

test('a block is named by height, by the beginning of its id, or by a word', () => {
  assert.deepEqual(readBlockName('17'), { by: 'height', height: 17 });
  assert.deepEqual(readBlockName('A1B2c3'), { by: 'id', prefix: 'a1b2c3' });
  assert.deepEqual(readBlockName('0x123456'), { by: 'id', prefix: '123456' });
  assert.equal(readBlockName('latest'), 'latest');
  for (const [word, said] of [
    ['0', /height 0 is the genesis/],
    ['abc', /at least 4 digits/],
    ['later', /names no block: give a height/],
    ['-3', /names no block/],
    ['a'.repeat(65), /names no block/],
  ] as const) {
    assert.throws(
      () => readBlockName(word),
      (error) => error instanceof UsageError && said.test(error.message),
      word,
    );
  }
});
