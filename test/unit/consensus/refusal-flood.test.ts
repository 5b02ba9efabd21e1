/** What transactions and blocks that are refused for their signatures cost: counted in judgements of the ledger. Specification §14.3. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { signAction } from '#protocol/chain/signed-action.ts';
import { encodeTransaction, type ActionOf } from '#protocol/chain/transaction.ts';
import { decodeStrict, encodeStrict } from '#protocol/codec.ts';
import { MemberCard } from '#protocol/enrolment.ts';
import { LIMITS } from '#protocol/limits.ts';
import type { Ledger } from '../../../device/ledger/ledger.ts';
import { CONSENSUS_LIMITS } from '../../../device/limits.ts';
import { createStubMember } from '../../simulation/stub-tpm.ts';
import { byWait, forge, genesisOf, memberOf, say, sayBlock, type Made } from './forge.ts';
import { unixStartMs, World, type Actor } from './world.ts';

const { failedChecksBurst: burst, failedChecksPerSecond: perSecond, cardChecks } = CONSENSUS_LIMITS;

interface Watcher {
  readonly world: World;
  readonly alpha: Actor;
  readonly tip: Made;
  readonly judged: { transactions: number; blocks: number };
}

/** Alpha, which knows bravo's key by the chain. */
function watcher(): Watcher {
  const world = new World(['alpha', 'bravo', 'charlie']);
  world.tpmMs = Infinity;
  const judged = { transactions: 0, blocks: 0 };
  const judgeTransaction: Ledger['judgeTransaction'] = (...given) => {
    judged.transactions += 1;
    return world.ledger.judgeTransaction(...given);
  };
  const judgeBlock: Ledger['judgeBlock'] = (...given) => {
    judged.blocks += 1;
    return world.ledger.judgeBlock(...given);
  };
  const alpha = world.start('alpha', { ledger: { ...world.ledger, judgeTransaction, judgeBlock } });
  const bravo = memberOf(world, 'bravo');
  const reading = { timeMs: 1, resetCount: 1, restartCount: 0 };
  const voucher = bravo.voucher(alpha.state.networkId, reading, bravo.operationalKey('boot').publicKey);
  const tip = forge(world, genesisOf(world), 'bravo', { candidates: [encodeTransaction({ kind: 'voucher', voucher })] });
  sayBlock(world, alpha, tip);
  return { world, alpha, tip, judged };
}

function offer({ world, alpha }: Watcher, serial: number, isRight = false): Uint8Array {
  const bravo = memberOf(world, 'bravo');
  const { publicKey, sign } = bravo.operationalKey('boot');
  const wrong = (): Uint8Array => new Uint8Array(64).fill(serial & 255).fill(serial >> 8, 32);
  const action: ActionOf<'boxes'> = { action: 'boxes', serial, boxes: [] };
  return signAction(alpha.state.networkId, { by: bravo.node, key: publicKey }, action, isRight ? sign : wrong);
}

/** How many of so many were judged. */
function judgedOf(all: Watcher, count: number, one: (index: number) => void): number {
  const before = all.judged.transactions + all.judged.blocks;
  for (let index = 1; index <= count; index += 1) one(index);
  return all.judged.transactions + all.judged.blocks - before;
}

test('of transactions with wrong signatures 512 at once and 32 a second are judged, of that peer alone (§14.3)', () => {
  const all = watcher();
  const { world, alpha } = all;
  const say1000 = (from: number): number =>
    judgedOf(all, 1_000, (index) => say(world, alpha, 'bravo', 'transaction', offer(all, from + index)));
  assert.equal(say1000(0), burst);
  assert.equal(
    judgedOf(all, 1, () => say(world, alpha, 'charlie', 'transaction', offer(all, 1, true))),
    1,
  );
  world.run(1_000);
  assert.equal(say1000(2_000), perSecond);
});

test('transactions that the head refuses without a look at a signature cost their peer nothing (§14.3)', () => {
  const all = watcher();
  const { world, alpha } = all;
  const vouch = (index: number): Uint8Array => {
    const bravo = memberOf(world, 'bravo');
    const { publicKey, sign } = bravo.operationalKey('boot');
    const applicant = new Uint8Array(32).fill(index & 255).fill(index >> 8, 16);
    return signAction(alpha.state.networkId, { by: bravo.node, key: publicKey }, { action: 'vouch', applicant }, sign);
  };
  assert.equal(
    judgedOf(all, 1_000, (index) => say(world, alpha, 'charlie', 'transaction', vouch(index))),
    1_000,
  );
});

test('a refused card counts as 32 checks (§14.3)', () => {
  const all = watcher();
  const { world, alpha } = all;
  const read = decodeStrict(MemberCard, createStubMember('echo').card(world.network.genesis.salt), LIMITS.signedBytesMax);
  assert.ok(read.status === 'decoded');
  const bad = (index: number): Uint8Array => {
    const vrfKeyRoots = read.value.vrfKeyRoots.map((root) => root.with(100, index));
    return encodeTransaction({ kind: 'application', card: encodeStrict(MemberCard, { ...read.value, vrfKeyRoots }) });
  };
  assert.equal(
    judgedOf(all, 100, (index) => say(world, alpha, 'bravo', 'transaction', bad(index))),
    burst / cardChecks,
  );
});

test('blocks that are refused count as one check and one for each transaction (§14.3)', () => {
  const all = watcher();
  const { world, alpha, tip } = all;
  const [leader] = byWait(world, tip);
  const candidates = [1, 2, 3].map((serial) => offer(all, serial, true));
  const early = (index: number): Made =>
    forge(world, tip, leader ?? '', { shortMs: 10, candidates, timeMs: unixStartMs + world.nowMs + index });
  assert.equal(
    judgedOf(all, 200, (index) => sayBlock(world, alpha, early(index), 'charlie')),
    burst / (1 + candidates.length),
  );
  assert.equal(
    judgedOf(all, 1, () => sayBlock(world, alpha, early(1_000), 'bravo')),
    1,
  );
});
