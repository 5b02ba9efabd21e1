/** The messages of pairing and what both ends bind themselves to, without keys on a disk or a broker. Specification §5.6. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { encode } from 'cborg';
import { encodeStrict } from '#protocol/codec.ts';
import * as pairing from '#protocol/pairing.ts';
import {
  finishProver,
  finishVerifier,
  proverSecretOf,
  proverShare,
  scalarOf,
  verifierRecordOf,
  verifierShare,
} from '#protocol/spake2plus.ts';
import { decodeTally, encodeTally, STRANGERS, TALLY_BYTES } from '../../device/pairing/attempt-tally.ts';
import { nodeAead as deviceAead, stretchAside } from '../../device/pairing/pairing-cipher.ts';
import { nodeAead as agentAead } from '../../hpc-agent/pairing-cipher.ts';

const bytes = (length: number, value: number): Uint8Array => new Uint8Array(length).fill(value);
const scene: pairing.Scene = {
  network: bytes(32, 1),
  device: 'alpha',
  node: bytes(32, 2),
  kind: 'box',
  name: 'box1',
  proverNonce: bytes(32, 3),
  verifierNonce: bytes(32, 4),
  certificate: bytes(400, 5),
};
const shared = bytes(32, 6);
const request = { publicKey: bytes(91, 7), signingKey: bytes(32, 8) };

test('any difference in what both ends have seen ends in other confirmations: network, device, names, nonces, certificate', () => {
  const secret = proverSecretOf(bytes(80, 9));
  const [record, x, y] = [verifierRecordOf(secret), scalarOf(bytes(48, 10)), scalarOf(bytes(48, 11))];
  const [shareP, shareV] = [proverShare(secret, x), verifierShare(record, y)];
  const here = finishProver(pairing.exchangeOf(scene), secret, x, shareV);
  assert.deepEqual(here, finishVerifier(pairing.exchangeOf({ ...scene }), record, y, shareP));
  const others: pairing.Scene[] = [
    { ...scene, network: bytes(32, 0) },
    { ...scene, device: 'alpha1' },
    { ...scene, node: bytes(32, 0) },
    { ...scene, kind: 'client' },
    { ...scene, name: 'box2' },
    { ...scene, proverNonce: bytes(32, 0) },
    { ...scene, verifierNonce: bytes(32, 0) },
    { ...scene, certificate: bytes(400, 0) },
  ];
  for (const other of others) {
    const there = finishVerifier(pairing.exchangeOf(other), record, y, shareP);
    assert.notDeepEqual(there?.confirmP, here?.confirmP);
    assert.notDeepEqual(there?.confirmV, here?.confirmV);
  }
});

test('what one end seals the other opens, with this key, in this direction and unchanged only', () => {
  const { sealed, body } = pairing.sealRequest(agentAead, shared, request);
  assert.deepEqual(pairing.openRequest(deviceAead, shared, sealed), { status: 'opened', value: request, body });
  const grant = pairing.sealGrant(deviceAead, shared, pairing.refusedGrant('name-taken', 'x'.repeat(9_999)));
  const opened = pairing.openGrant(agentAead, shared, grant.sealed);
  assert.ok(opened.status === 'opened' && opened.value.status === 'refused' && opened.value.detail.length === 500);
  assert.equal(pairing.openRequest(deviceAead, bytes(32, 0), sealed).status, 'unsealed');
  assert.equal(pairing.openGrant(agentAead, shared, sealed).status, 'unsealed');
  for (const index of sealed.keys()) {
    const changed = Uint8Array.from(sealed);
    changed[index] = (changed[index] ?? 0) ^ 1;
    assert.equal(pairing.openRequest(deviceAead, shared, changed).status, 'unsealed', `byte ${index}`);
  }
  for (const short of [0, 1, 15, 16]) assert.equal(pairing.openRequest(deviceAead, shared, new Uint8Array(short)).status, 'unsealed');
});

test('the digits are of the keys, the request and the grant', () => {
  const digits = pairing.pairingDigits(shared, bytes(9, 1), bytes(9, 2));
  assert.match(digits, /^\d{3} \d{3}$/);
  const others = [
    pairing.pairingDigits(bytes(32, 0), bytes(9, 1), bytes(9, 2)),
    pairing.pairingDigits(shared, bytes(9, 0), bytes(9, 2)),
    pairing.pairingDigits(shared, bytes(9, 1), bytes(9, 0)),
  ];
  assert.equal(new Set([digits, ...others]).size, 4);
});

test('a salt is of the device, the kind and the name; a code of all these is stretched alike at both ends', async () => {
  const salt = pairing.pairingSalt(shared, 'box', 'box1');
  assert.deepEqual(salt, pairing.pairingSalt(shared, 'box', 'box1'));
  assert.notDeepEqual(salt, pairing.pairingSalt(shared, 'client', 'box1'));
  assert.notDeepEqual(salt, pairing.pairingSalt(bytes(32, 0), 'box', 'box1'));
  const [one, other] = [pairing.codeInput('0123456', 'box', 'b', scene.node), pairing.codeInput('0123457', 'box', 'b', scene.node)];
  assert.notDeepEqual(await stretchAside(one, salt), await stretchAside(other, salt));
});

test('a call with a hostile field is refused in a sentence that can be sent, and a refusal whatever its detail says', () => {
  for (const name of ['a\u009bb', 'a\nb', '\u202eb', `${'a'.repeat(39)}🧭`, 'a'.repeat(900)]) {
    const decoded = pairing.decodeCall(encode({ call: 'abandon', [name]: 1 }));
    assert.ok(decoded.status === 'malformed');
    const told = pairing.decodeAnswer(pairing.refusePairing('malformed', decoded.detail));
    assert.ok(told.status === 'decoded' && told.value.answer === 'refused' && !/\p{Cc}/u.test(told.value.detail));
  }
  for (const detail of ['\u009b\u0000', `${'a'.repeat(499)}🧭`, '\ud83e', 'a'.repeat(10_000), '']) {
    const told = pairing.decodeAnswer(pairing.refusePairing('closed', detail));
    assert.ok(told.status === 'decoded' && told.value.answer === 'refused' && told.value.detail.length <= 500);
  }
});

test("a refusal that anybody may have sent can not turn the reader's text around (found by fuzzing)", () => {
  const told = pairing.decodeAnswer(
    encodeStrict(pairing.PairingAnswer, { answer: 'refused', reason: 'closed', detail: 'it has exp\u202ed' }),
  );
  assert.ok(told.status === 'decoded' && told.value.answer === 'refused');
  assert.equal(told.value.detail, 'it has exp\ufffdd');
});

test('two MACs are the same when every byte is', () => {
  assert.ok(pairing.sameMac(bytes(32, 1), bytes(32, 1)));
  assert.ok(!pairing.sameMac(bytes(32, 1), bytes(31, 1)) && !pairing.sameMac(bytes(31, 1), bytes(32, 1)));
  for (let index = 0; index < 32; index += 1) assert.ok(!pairing.sameMac(bytes(32, 0), bytes(32, 0).fill(128, index, index + 1)));
});

test('the TPM remembers windows and attempts; bytes that are none of ours mean that nothing is open', () => {
  const tally = new Map([
    [STRANGERS, 4],
    ['0102030405060708', 0],
    ['ffffffffffffffff', 5],
  ]);
  assert.deepEqual(decodeTally(encodeTally(tally)), tally);
  assert.deepEqual(decodeTally(encodeTally(new Map())), new Map([[STRANGERS, 0]]));
  for (const foreign of [new Uint8Array(), new Uint8Array(TALLY_BYTES), new Uint8Array(TALLY_BYTES + 1).fill(1)])
    assert.deepEqual(decodeTally(foreign), new Map());
  const many = new Map(Array.from({ length: 9 }, (_, at) => [`0${at}02030405060708`, 1]));
  assert.throws(() => encodeTally(many), RangeError);
});
