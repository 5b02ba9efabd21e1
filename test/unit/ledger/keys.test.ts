/** Operational keys on the chain, and who may act with them (§11.3). */
import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { encodeTransaction } from '#protocol/chain/transaction.ts';
import { signAction } from '#protocol/chain/signed-action.ts';
import { encodeStrict } from '#protocol/codec.ts';
import { Action } from '#protocol/chain/transaction.ts';
import { createStubMember } from '../../simulation/stub-tpm.ts';
import {
  actionOf,
  alpha,
  boxesOf,
  bravo,
  extended,
  genesisChain,
  headOf,
  identity,
  keyOf,
  ledger,
  network,
  readingAt,
  readyChain,
  recordOf,
  refusalOf,
  voucherOf,
} from './workshop.ts';
import { createLedger } from '../../../device/ledger/ledger.ts';
import { stubCrypto } from '../../simulation/stub-crypto.ts';

const rebooted = { timeMs: 5, resetCount: 4, restartCount: 0 };

describe('a voucher', () => {
  test('brings the operational key of a boot (§11.3)', () => {
    assert.equal(refusalOf(genesisChain, voucherOf(alpha)), 'accepted');
    assert.deepEqual(recordOf(readyChain, alpha).keys, [{ key: keyOf(alpha).publicKey, resetCount: 3, restartCount: 1 }]);
    assert.ok(ledger.isKeyOf(headOf(readyChain).state, alpha.node, keyOf(alpha).publicKey));
    assert.ok(!ledger.isKeyOf(headOf(readyChain).state, bravo.node, keyOf(alpha).publicKey));
  });
  test('is refused when it is known: a replay does nothing (§11.3)', () => {
    assert.equal(refusalOf(readyChain, voucherOf(alpha)), 'boot-not-later');
  });
  test('is refused for an earlier boot than the last, and for a second key of one boot (§11.3)', () => {
    assert.equal(refusalOf(readyChain, voucherOf(alpha, { timeMs: 9, resetCount: 2, restartCount: 9 })), 'boot-not-later');
    assert.equal(refusalOf(readyChain, voucherOf(alpha, { timeMs: 9, resetCount: 3, restartCount: 0 })), 'boot-not-later');
    assert.equal(refusalOf(readyChain, voucherOf(alpha, readingAt(0), 'another key')), 'boot-not-later');
  });
  test('of a later boot is taken, and the last four keys are remembered (§11.3)', () => {
    let chain = readyChain;
    for (const resetCount of [4, 5, 6, 7]) chain = extended(chain, bravo, [voucherOf(alpha, { ...rebooted, resetCount })]);
    assert.deepEqual(
      recordOf(chain, alpha).keys.map(({ resetCount }) => resetCount),
      [4, 5, 6, 7],
    );
  });
  test('of another chip’s key, of a stranger, or that shows no quote is refused (§11.3)', () => {
    const voucher = alpha.voucher(identity, rebooted, keyOf(alpha).publicKey);
    assert.equal(
      refusalOf(readyChain, encodeTransaction({ kind: 'voucher', voucher: { ...voucher, node: bravo.node } })),
      'voucher-quote-signature-wrong',
    );
    assert.equal(refusalOf(readyChain, voucherOf(createStubMember('stranger'))), 'not-a-member');
    const foreign = alpha.voucher(new Uint8Array(32), rebooted, keyOf(alpha).publicKey);
    assert.equal(refusalOf(readyChain, encodeTransaction({ kind: 'voucher', voucher: foreign })), 'voucher-quote-other-qualifying-data');
    const other = encodeTransaction({ kind: 'voucher', voucher: { ...voucher, operationalKey: keyOf(bravo).publicKey } });
    assert.equal(refusalOf(readyChain, other), 'voucher-quote-other-qualifying-data');
  });
  test('of a member whose keys have not the templates is refused (§3.1)', () => {
    const [card] = network.members;
    const spoilt = { ...network, members: [{ ...card!, vrfKey: Uint8Array.of(1) }, ...network.members.slice(1)] };
    const other = createLedger({ network: spoilt, networkId: identity, crypto: stubCrypto });
    const verdict = other.judgeTransaction(voucherOf(alpha), other.genesis(), { ancestorAt: () => undefined }, 1);
    assert.equal('reason' in verdict && verdict.reason, 'member-keys-unusable');
  });
});

describe('an action is refused', () => {
  const leave = { action: 'leave' } as const;
  test('that is no transaction, or holds no action (§11.3)', () => {
    assert.equal(refusalOf(readyChain, Uint8Array.of(1, 2, 3)), 'malformed');
    const key = keyOf(alpha).publicKey;
    const empty = encodeTransaction({ kind: 'signed', by: alpha.node, key, body: Uint8Array.of(0xa0), signature: new Uint8Array(64) });
    assert.equal(refusalOf(readyChain, empty), 'malformed');
  });
  test('of a stranger (§11.3)', () => assert.equal(refusalOf(readyChain, actionOf(createStubMember('stranger'), leave)), 'not-a-member'));
  test('with a key that no voucher shows (§11.3)', () => {
    assert.equal(refusalOf(genesisChain, actionOf(alpha, leave)), 'key-unknown');
    assert.equal(refusalOf(readyChain, actionOf(alpha, leave, 'a key that lives elsewhere')), 'key-unknown');
  });
  test('with the key of an earlier boot (§11.3)', () => {
    const chain = extended(readyChain, bravo, [voucherOf(alpha, rebooted)]);
    assert.equal(refusalOf(chain, actionOf(alpha, leave)), 'key-superseded');
    assert.equal(refusalOf(chain, actionOf(alpha, leave, '4.0')), 'accepted');
  });
  test('whose signature is for another action, network or author (§11.3)', () => {
    const body = encodeStrict(Action, leave);
    const signed = (network: Uint8Array, by: Uint8Array) =>
      signAction(network, { by, key: keyOf(alpha).publicKey }, boxesOf(1, 'box'), keyOf(alpha).sign);
    assert.equal(refusalOf(readyChain, signed(identity, alpha.node)), 'accepted');
    assert.equal(refusalOf(readyChain, signed(new Uint8Array(32), alpha.node)), 'signature-wrong');
    const [key, signature] = [keyOf(alpha).publicKey, keyOf(alpha).sign(body)];
    assert.equal(refusalOf(readyChain, encodeTransaction({ kind: 'signed', by: alpha.node, key, body, signature })), 'signature-wrong');
  });
  test('of a member that registered another’s key and passes that one’s words off as its own (§11.3)', () => {
    const voucher = alpha.voucher(identity, rebooted, keyOf(bravo).publicKey);
    const chain = extended(readyChain, bravo, [encodeTransaction({ kind: 'voucher', voucher })]);
    const [key, body] = [keyOf(bravo).publicKey, encodeStrict(Action, leave)];
    const stolen = signAction(identity, { by: bravo.node, key }, leave, keyOf(bravo).sign);
    const { signature } = { signature: stolen.slice(-64) };
    assert.equal(refusalOf(chain, stolen), 'accepted');
    assert.equal(refusalOf(chain, encodeTransaction({ kind: 'signed', by: alpha.node, key, body, signature })), 'signature-wrong');
  });
});
