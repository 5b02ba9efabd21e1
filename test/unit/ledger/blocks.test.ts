/** Which block may follow another (§11.1-11.2, §12): every refusal, and the attacks behind them. */
import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { readBlock, type ReadBlock } from '#protocol/chain/block.ts';
import { merkleRoot } from '#protocol/chain/merkle.ts';
import { transactionId } from '#protocol/chain/transaction.ts';
import { sameBytes } from '#protocol/codec.ts';
import { createStubMember } from '../../simulation/stub-tpm.ts';
import {
  actionOf,
  alpha,
  blockOn,
  bravo,
  branchOf,
  charlie,
  delta,
  epochStartMs,
  extended,
  genesisChain,
  grown,
  headOf,
  judged,
  ledger,
  readingAt,
  readyChain,
  reasonOf,
  recordOf,
  refusalOf,
  submissionOf,
  voucherOf,
  type BlockChange,
} from './workshop.ts';

const chain = grown(readyChain, 3);
const refusal = (change: BlockChange, leader = alpha): string => reasonOf(judged(chain, blockOn(chain, leader, [], change)));

test('a block as its leader makes it is accepted, with its wait and the state above (§11.1)', () => {
  const block = blockOn(chain, bravo);
  const verdict = judged(chain, block);
  assert.ok(verdict.status === 'accepted');
  assert.equal(verdict.waitMs, ledger.waitMs(headOf(chain), verdict.output));
  assert.deepEqual(
    { id: verdict.position.id, height: verdict.position.height, timeMs: verdict.position.timeMs },
    { id: block.id, height: 5, timeMs: block.header.timeMs },
  );
});

test('a stale date keeps fresh submissions out until the next honest block, and nothing more (§11.2)', () => {
  const waitMs = blockOn(genesisChain, alpha).header.timeMs - epochStartMs;
  const stale = extended(
    genesisChain,
    alpha,
    [alpha, bravo].map((member) => voucherOf(member)),
    { timeMs: waitMs },
  );
  const submission = actionOf(bravo, submissionOf(1, {}, bravo));
  assert.equal(refusalOf(stale, submission), 'submission-too-early');
  const honest = extended(stale, bravo);
  assert.ok(headOf(honest).timeMs >= epochStartMs);
  assert.equal(refusalOf(honest, submission), 'accepted');
});

describe('a block is refused', () => {
  test('of another network (§11.1)', () => assert.equal(refusal({ header: { network: new Uint8Array(32) } }), 'other-network'));
  test('of another height than the one above its parent (§11.1)', () => {
    assert.equal(refusal({ header: { height: 4 } }), 'other-height');
    assert.equal(refusal({ header: { height: 6 } }), 'other-height');
  });
  test('on another parent (§11.1)', () => assert.equal(refusal({ header: { parent: new Uint8Array(32) } }), 'other-parent'));
  test('by a node without a seat: an undrawn leader (§11.5)', () => {
    assert.equal(refusal({}, createStubMember('stranger')), 'no-seat');
  });
  test('with the draw of another height, member or network (§12.2)', () => {
    const { draw } = blockOn(grown(chain, 1), alpha).header;
    assert.equal(refusal({ header: { draw, timeMs: 2e12 } }), 'draw-wrong');
    assert.equal(refusal({ header: { draw: blockOn(chain, bravo).header.draw, timeMs: 2e12 } }), 'draw-wrong');
    assert.equal(refusal({ header: { draw: new Uint8Array(256).fill(255), timeMs: 2e12 } }), 'draw-wrong');
  });
  test('with a draw under another VRF key of the same chip: grinding over keys (§11.5)', () => {
    assert.equal(refusal({ chip: createStubMember('alpha', 'alpha', 'another try') }), 'draw-wrong');
  });
  test('dated before its parent and its wait (§11.2)', () => {
    const { timeMs } = blockOn(chain, alpha).header;
    assert.equal(refusal({ timeMs: timeMs - 1 }), 'time-too-early');
    assert.equal(refusal({ timeMs: 0 }), 'time-too-early');
    assert.equal(refusal({ timeMs: timeMs + 1 }), 'accepted');
  });
  test('whose transactions are not those of the header (§11.1)', () => {
    assert.equal(refusal({ transactions: [actionOf(alpha, { action: 'leave' })] }), 'transactions-differ');
    assert.equal(refusal({ header: { transactions: new Uint8Array(32) } }), 'transactions-differ');
  });
  test('with a transaction that is refused, or that stands in it twice (§11.3)', () => {
    const leave = actionOf(alpha, { action: 'leave' });
    const twice = [leave, leave];
    assert.equal(refusal({ transactions: twice, header: { transactions: merkleRoot(twice.map(transactionId)) } }), 'transaction-refused');
  });
  test('whose header says another state (§11.4)', () => assert.equal(refusal({ header: { state: new Uint8Array(32) } }), 'state-differs'));
  test('with the start of another parent, member or height: foreign and reused certificates (§12.3)', () => {
    assert.equal(refusal({ startSubject: { parent: chain.positions[3]!.id } }), 'start-other-qualifying-data');
    assert.equal(refusal({ startSubject: { node: bravo.node } }), 'start-other-qualifying-data');
    assert.equal(refusal({ startSubject: { height: 4 } }), 'start-other-qualifying-data');
    assert.equal(refusal({ header: { start: chain.blocks[3]!.header.start } }), 'start-signature-wrong');
  });
  test('whose end was certified over another header (§12.3)', () => {
    assert.equal(refusal({ endHeader: chain.blocks[3]!.headerBytes }), 'end-other-qualifying-data');
  });
  test('with certificates of another chip (§12.3)', () => {
    const { draw } = blockOn(chain, alpha).header;
    assert.equal(refusal({ chip: bravo, header: { draw, timeMs: 2e12 } }), 'start-signature-wrong');
  });
  test('whose chip counted less than the wait: an early certificate (§12.3)', () => {
    assert.equal(refusal({ lateMs: -1 }), 'too-early');
    assert.equal(refusal({ end: { timeMs: 0 } }), 'ends-before-start');
  });
  test('whose chip was reset, restarted or given other firmware during the wait (§12.3)', () => {
    assert.equal(refusal({ end: { resetCount: 4 } }), 'reset-count-differs');
    assert.equal(refusal({ end: { restartCount: 2 } }), 'restart-count-differs');
    assert.equal(refusal({ end: { firmwareVersion: 8n } }), 'firmware-differs');
  });
});

describe('on one branch', () => {
  const longer = extended(chain, alpha, [], { lateMs: 7_000 });
  const until = recordOf(longer, alpha).waitedUntil!;
  const next = (start: NonNullable<BlockChange['start']>): string => reasonOf(judged(longer, blockOn(longer, alpha, [], { start })));

  test('a member’s waits do not overlap (§12.3)', () => {
    assert.equal(next({ timeMs: until.timeMs }), 'accepted');
    assert.equal(next({ timeMs: until.timeMs - 1 }), 'overlaps-last-block');
  });
  test('what is kept of a wait is its start and its length, not how late its end was certified (§11.4)', () => {
    const { waitMs } = judged(chain, blockOn(chain, alpha)) as { waitMs: number };
    assert.deepEqual(until, { resetCount: 3, restartCount: 1, timeMs: readingAt(5).timeMs + waitMs });
  });
  test('a member’s counts do not fall: a rewound or copied chip (§12.3)', () => {
    assert.equal(next({ resetCount: 2 }), 'reset-count-fell');
    assert.equal(next({ restartCount: 0 }), 'restart-count-fell');
    assert.equal(next({ resetCount: 4, restartCount: 0, timeMs: 0 }), 'accepted');
    assert.equal(next({ restartCount: 2, timeMs: 0 }), 'accepted');
  });
  test('other members’ chips count for themselves (§12.3)', () => {
    assert.equal(reasonOf(judged(longer, blockOn(longer, delta, [], { start: { resetCount: 0, timeMs: 1 } }))), 'accepted');
  });
});

test('a wait cannot begin before the parent’s own wait was certified: the id holds the end’s signature (§11.1)', () => {
  const [one, other] = [blockOn(chain, alpha), blockOn(chain, alpha, [], { lateMs: 1 })];
  assert.ok(sameBytes(one.headerBytes, other.headerBytes) && !sameBytes(one.id, other.id));
  const above = extended(chain, alpha, [], { lateMs: 1 });
  const early = blockOn(above, bravo, [], { startSubject: { parent: one.id } });
  assert.equal(reasonOf(judged(above, early)), 'start-other-qualifying-data');
});

test('a block with a second signature of the same end is refused, so that it has one id (§11.1)', () => {
  const block = blockOn(chain, alpha);
  const order = 0xffffffff00000000ffffffffffffffffbce6faada7179e84f3b9cac2fc632551n;
  const s = BigInt(`0x${block.end.signature.subarray(32).toHex()}`);
  const signature = Uint8Array.of(
    ...block.end.signature.subarray(0, 32),
    ...Uint8Array.fromHex((order - s).toString(16).padStart(64, '0')),
  );
  assert.equal(reasonOf(judged(chain, { ...block, end: { ...block.end, signature } })), 'end-signature-not-low-s');
});

test('a member whose keys have not the templates leads nothing (§3.1)', () => {
  const head = headOf(genesisChain);
  const [key] = [...head.state.members.keys()];
  const record = head.state.members.get(key!)!;
  const spoilt = { ...record, member: { ...record.member, vrfKey: Uint8Array.of(1) } };
  const parent = { ...head, state: { ...head.state, members: head.state.members.with(key!, spoilt) } };
  const leader = [alpha, bravo, charlie, delta].find(({ node }) => node.toHex() === key)!;
  const verdict = ledger.judgeBlock(blockOn(genesisChain, leader), parent, branchOf(genesisChain));
  assert.equal(reasonOf(verdict), 'member-keys-unusable');
});

test('a block that travels and is read again is the same block (§11.1)', () => {
  const block = blockOn(chain, alpha, [voucherOf(alpha, { ...readingAt(0), restartCount: 2 })]);
  const again = readBlock(block.encoded) as { value: ReadBlock };
  assert.equal(reasonOf(judged(chain, again.value)), 'accepted');
});
