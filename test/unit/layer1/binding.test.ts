/** Calls, answers, errors and events by the contracts' own ABI, and signed transactions. Contract ABI Specification; EIP-155, EIP-1559. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { id } from 'ethers/hash';
import {
  addressOfKey,
  create2Address,
  decodeError,
  decodeEvent,
  decodeResult,
  encodeCall,
  signTransaction,
  type UnsignedTransaction,
} from '#contracts/evm.ts';
import { abi as anchors } from '#contracts/generated/anchors.ts';
import { abi as releases } from '#contracts/generated/releases.ts';

const word = (byte: number): Uint8Array => new Uint8Array(32).fill(byte);

test('a call has the selector of its function, then its arguments', () => {
  const call = encodeCall(anchors, 'anchorOf', [7n]);
  assert.equal(call.length, 4 + 32);
  assert.equal(call.subarray(4).toHex(), '7'.padStart(64, '0'));
});

test('several outputs are read by their names, bytes as bytes', () => {
  const answer = Uint8Array.of(...word(0).with(31, 3), ...word(9), ...word(0).with(31, 4));
  assert.deepEqual(decodeResult(anchors, 'tip', answer), { epoch: 3n, anchor: word(9), seats: 4n });
});

test('an answer that is too short, or out of its type, is none', () => {
  assert.equal(decodeResult(anchors, 'tip', new Uint8Array(31)), undefined);
  assert.equal(decodeResult(anchors, 'tip', new Uint8Array()), undefined);
  assert.equal(decodeResult(releases, 'wasGood', new Uint8Array()), undefined);
});

test('a custom error is read with its values; foreign bytes are no error of ours', () => {
  const selector = id('OtherEpoch(uint64,uint64)').slice(2, 10);
  const values = Uint8Array.of(...word(0).with(31, 1), ...word(0).with(31, 2));
  const error = Uint8Array.of(...Uint8Array.fromHex(selector), ...values);
  assert.deepEqual(decodeError(anchors, error), { name: 'OtherEpoch', values: { given: 1n, wanted: 2n } });
  for (const foreign of [error.subarray(0, 40), Uint8Array.of(1, ...error.subarray(1)), new Uint8Array()])
    assert.equal(decodeError(anchors, foreign), undefined);
});

test('an event is read with its values, indexed or not', () => {
  const topics = [Uint8Array.fromHex(id('Finalised(uint64)').slice(2)), word(0).with(31, 5)];
  assert.deepEqual(decodeEvent(anchors, topics, new Uint8Array()), { name: 'Finalised', values: { epoch: 5n } });
  assert.equal(decodeEvent(anchors, topics.slice(0, 1), new Uint8Array()), undefined);
});

test('the example of EIP-155 is signed as it stands there', () => {
  const key = new Uint8Array(32).fill(0x46);
  const transaction: UnsignedTransaction = {
    chainId: 1,
    nonce: 9,
    to: new Uint8Array(20).fill(0x35),
    data: new Uint8Array(),
    value: 10n ** 18n,
    gas: 21_000,
    fees: { market: 'legacy', gasPrice: 20n * 10n ** 9n },
  };
  assert.equal(
    signTransaction(key, transaction).raw.toHex(),
    'f86c098504a817c800825208943535353535353535353535353535353535353535880de0b6b3a76400008025a028ef61340bd939bc2195fe537567866003e1a15d3c71ff63e1590620aa636276a067cbe9d8997f761aecb703304b3800ccf555c9f3dc64214b297fb1966a3b6d83',
  );
  assert.deepEqual(signTransaction(key, transaction), signTransaction(key, transaction));
  assert.equal(addressOfKey(key).toHex(), '9d8a62f656a8d1615c1294fd71e9cfb3e4855a4f');
});

test('the addresses of EIP-1014 follow from factory, salt and code', () => {
  const zeros = new Uint8Array(20);
  assert.equal(create2Address(zeros, word(0), Uint8Array.of(0)).toHex(), '4d1a2e2bb4f88f0250f26ffff098b0b30b26bf38');
  const deadbeef = Uint8Array.fromHex('deadbeef');
  assert.equal(
    create2Address(
      Uint8Array.fromHex('00000000000000000000000000000000deadbeef'),
      Uint8Array.fromHex(`${'00'.repeat(28)}cafebabe`),
      deadbeef,
    ).toHex(),
    '60f3f640a8508fc6a86d45df051962668e1e8ac7',
  );
});
