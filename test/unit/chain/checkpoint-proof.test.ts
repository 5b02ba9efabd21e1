/** Proofs of state by software chips, judged from a network file; a device's answers to whoever asks for one. Specification §13.8, §14.5. */
import assert from 'node:assert/strict';
import { describe, test } from 'node:test';

import { encodeCheckpointProof, judgeCheckpointProof } from '#protocol/chain/checkpoint-proof.ts';
import type { CertifyingSeats } from '#protocol/chain/certifying-seats.ts';
import type { ShownCheckpoint } from '#protocol/chain/shown-checkpoint.ts';
import { proveState } from '#protocol/chain/state-root.ts';
import { CoreState } from '#protocol/chain/state.ts';
import { encodeStrict } from '#protocol/codec.ts';
import { nobleCrypto } from '#protocol/crypto-noble.ts';
import { blobDigest, hex } from '#protocol/digest.ts';
import { LIMITS } from '#protocol/limits.ts';
import { showState, type ProvingChain } from '../../../device/chain/proof-show.ts';
import { changeTo, chips, crypto, founded, founders, networkIdentity, newcomer, stateWith } from './proof-workshop.ts';

const nodes = founders.map(({ node }) => node);
const state = stateWith(nodes);

/** Checkpoint 3 at height 12, certified by three of the founders. */
function shownWith(members: readonly Uint8Array[], voters = founders.slice(0, 3)): ShownCheckpoint {
  return { ...changeTo(founders, { number: 3, height: 12, voters }), state: proveState(state, members) };
}

function proofWith(shown: ShownCheckpoint, changes: ShownCheckpoint[] = []): Uint8Array {
  const vouchers = chips.map((chip) => chip.makeVoucher(networkIdentity));
  return encodeCheckpointProof({ shown, vouchers, changes });
}

function outcome(encoded: Uint8Array, start?: CertifyingSeats): string {
  const verdict = judgeCheckpointProof(encoded, { network: founded, crypto, start });
  return verdict.status === 'accepted' ? 'accepted' : verdict.reason;
}

test('a proof shows number, height, chain time, core and members (§13.8)', () => {
  for (const means of [crypto, nobleCrypto]) {
    const verdict = judgeCheckpointProof(proofWith(shownWith(nodes.slice(0, 2))), { network: founded, crypto: means });
    assert.ok(verdict.status === 'accepted', JSON.stringify(verdict));
    assert.deepEqual([verdict.number, verdict.height, verdict.timeMs, verdict.voters, verdict.votes.length], [3, 12, 12_000, 4, 3]);
    assert.deepEqual(verdict.core, state.core);
    assert.deepEqual(
      verdict.members,
      nodes.slice(0, 2).map((node) => state.members.get(hex(node))),
    );
  }
});

test('a changed member, core, root or header is refused (§13.8)', () => {
  const shown = shownWith(nodes.slice(0, 1));
  const [member] = shown.state.members;
  const other = proveState(state, nodes.slice(1, 2)).members[0]!;
  const withState = (change: Partial<ShownCheckpoint['state']>): string =>
    outcome(proofWith({ ...shown, state: { ...shown.state, ...change } }));
  assert.equal(outcome(proofWith(shown)), 'accepted');
  assert.equal(withState({ members: [{ ...member!, record: other.record }] }), 'state-not-shown');
  assert.equal(withState({ core: encodeStrict(CoreState, { ...state.core, seats: [] }) }), 'state-not-shown');
  assert.equal(withState({ boxesRoot: blobDigest(shown.state.boxesRoot) }), 'state-not-shown');
  const { header } = changeTo([newcomer], { number: 3, height: 12, voters: founders }).block;
  assert.equal(outcome(proofWith({ ...shown, block: { ...shown.block, header } })), 'other-checkpoint');
});

test('too few votes, a key without a voucher, and another network are refused (§13.8)', () => {
  assert.equal(outcome(proofWith(shownWith([], founders.slice(0, 2)))), 'certificate-no-quorum');
  assert.equal(outcome(encodeCheckpointProof({ shown: shownWith([]), vouchers: [], changes: [] })), 'voucher-refused');
  const network = { ...founded, genesis: { ...founded.genesis, name: 'others' } };
  const verdict = judgeCheckpointProof(proofWith(shownWith([])), { network, crypto });
  assert.ok(verdict.status === 'refused' && verdict.reason === 'other-network');
});

test('a bit changed anywhere in it shows nothing else (§13.8)', () => {
  const vouchers = founders.slice(0, 3).map((chip) => chip.makeVoucher(networkIdentity));
  const encoded = encodeCheckpointProof({ shown: shownWith(nodes.slice(0, 1)), vouchers, changes: [] });
  assert.equal(outcome(encoded), 'accepted');
  for (let at = 0; at < encoded.length; at += 5) assert.notEqual(outcome(encoded.with(at, encoded[at]! ^ 4)), 'accepted', `byte ${at}`);
});

test('from later seats, changes up to them are passed over, and old checkpoints don’t count (§13.8, §20.9)', () => {
  const cards = new Map(founders.map(({ node, member }) => [hex(node), member]));
  const start = (number: number): CertifyingSeats => ({ number, height: number, nodes, cards });
  const old = { ...changeTo([newcomer], { number: 1, height: 2, voters: founders }) };
  assert.equal(outcome(proofWith(shownWith([]), [old]), start(2)), 'accepted');
  assert.equal(outcome(proofWith(shownWith([]), [old])), 'certificate-not-a-voter');
  assert.equal(outcome(proofWith(shownWith([])), start(3)), 'checkpoints-not-in-order');
});

describe('a device that is asked for the state', () => {
  const chain = (finalised: { number: number }): ProvingChain => ({
    finalised: () => ({ id: blobDigest(networkIdentity), height: 12, timeMs: 0, state, ...finalised }),
    proofOfState: (asked) => (finalised.number === 0 ? undefined : proofWith(shownWith(asked))),
  });

  test('shows the members from the one that is named on, in their order (§14.5)', () => {
    const ordered = [...state.members.values()].map(({ node }) => node);
    const shown = showState(chain({ number: 3 }), { from: ordered[2]!, count: 16 });
    assert.ok(shown.status === 'shown' && shown.view.show === 'state');
    const verdict = judgeCheckpointProof(shown.view.proof, { network: founded, crypto });
    assert.ok(verdict.status === 'accepted');
    assert.deepEqual(
      verdict.members.map(({ node }) => node),
      ordered.slice(2),
    );
    assert.equal(shown.view.next, undefined);
  });

  test('names the first that an answer has no room for (§14.5)', () => {
    const padded = (asked: readonly Uint8Array[]): Uint8Array => new Uint8Array(asked.length * (LIMITS.checkpointProofBytesMax / 2));
    const ordered = [...state.members.values()].map(({ node }) => node);
    const shown = showState({ ...chain({ number: 3 }), proofOfState: padded }, { from: new Uint8Array(32), count: 16 });
    assert.ok(shown.status === 'shown' && shown.view.show === 'state');
    assert.deepEqual([shown.view.proof.length, shown.view.next], [LIMITS.checkpointProofBytesMax, ordered[2]]);
  });

  test('says so where nothing is final yet (§14.5)', () => {
    const shown = showState(chain({ number: 0 }), { from: new Uint8Array(32), count: 16 });
    assert.ok(shown.status === 'refused' && shown.reason === 'no-proof' && shown.detail.includes('nothing is final yet'));
  });
});
