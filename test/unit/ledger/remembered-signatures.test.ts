/** What is remembered of signatures changes how long an answer takes, never the answer. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { Crypto } from '#protocol/crypto.ts';
import { rememberingSignatures } from '../../../device/ledger/remembered-signatures.ts';
import { stubCrypto, stubEcdsaSignature } from '../../simulation/stub-crypto.ts';
import { stubOperationalKey } from '../../simulation/stub-tpm.ts';

const { publicKey, sign } = stubOperationalKey('one');
const other = stubOperationalKey('other').publicKey;
const messages = Array.from({ length: 4 }, (_, index) => new Uint8Array(10).fill(index));

function counting(): { readonly crypto: Crypto; readonly calls: () => number } {
  let calls = 0;
  const verifyEd25519: Crypto['verifyEd25519'] = (...given) => {
    calls += 1;
    return stubCrypto.verifyEd25519(...given);
  };
  const verifyEcdsa: Crypto['verifyEcdsa'] = (...given) => {
    calls += 1;
    return stubCrypto.verifyEcdsa(...given);
  };
  return { crypto: { ...stubCrypto, verifyEd25519, verifyEcdsa }, calls: () => calls };
}

test('a right signature is checked once, and is right for its own key, message and algorithm only', () => {
  const { crypto, calls } = counting();
  const remembering = rememberingSignatures(crypto, 10);
  const [message, another] = [messages[0]!, messages[1]!];
  const signature = sign(message);
  assert.deepEqual(
    [1, 2, 3].map(() => remembering.verifyEd25519(publicKey, message, signature)),
    [true, true, true],
  );
  assert.equal(calls(), 1);
  assert.ok(!remembering.verifyEd25519(publicKey, another, signature));
  assert.ok(!remembering.verifyEd25519(other, message, signature));
  assert.ok(!remembering.verifyEd25519(publicKey, message, sign(another)));
  assert.ok(!remembering.verifyEd25519(publicKey.subarray(1), message, signature));
  const point = new Uint8Array(65).fill(4);
  const certificate = stubEcdsaSignature('P-256', point, 'sha256', message);
  assert.deepEqual(
    [1, 2].map(() => remembering.verifyEcdsa('P-256', point, 'sha256', message, certificate)),
    [true, true],
  );
  assert.ok(!remembering.verifyEcdsa('P-256', point, 'sha384', message, certificate));
  assert.ok(!remembering.verifyEcdsa('P-256', point, 'sha256', another, certificate));
});

test('wrong signatures are not remembered, and right ones only as many as agreed', () => {
  const { crypto, calls } = counting();
  const remembering = rememberingSignatures(crypto, 2);
  for (let index = 0; index < 5; index += 1) assert.ok(!remembering.verifyEd25519(other, messages[0]!, sign(messages[0]!)));
  assert.equal(calls(), 5);
  for (const message of messages) assert.ok(remembering.verifyEd25519(publicKey, message, sign(message)));
  assert.equal(calls(), 9);
  assert.ok(remembering.verifyEd25519(publicKey, messages[3]!, sign(messages[3]!)));
  assert.equal(calls(), 9);
  assert.ok(remembering.verifyEd25519(publicKey, messages[0]!, sign(messages[0]!)));
  assert.equal(calls(), 10);
});
