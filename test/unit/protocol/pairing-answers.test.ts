/** Refusals of pairing, which anyone may provoke and anyone may send. Specification §5.6. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { judgePairingAnswer, judgePairingRequest, refusePairing, sealPairingRequest } from '#protocol/pairing.ts';
import { encode } from 'cborg';
import { pairing } from '../../fuzz/protocol-samples.ts';

const { invitation } = pairing;
const request = sealPairingRequest(invitation, { publicKey: new Uint8Array(91), signingKey: new Uint8Array(32) });

test('a request with a hostile field is refused in a sentence that can be sent (§5.6)', () => {
  for (const name of ['a\u009bb', 'a\nb', '\u202eb', `${'a'.repeat(39)}🧭`, 'a'.repeat(900)]) {
    const verdict = judgePairingRequest(encode({ body: new Uint8Array(1), mac: new Uint8Array(32), [name]: 1 }), invitation, 0);
    assert.ok(verdict.status === 'refused' && verdict.detail.includes('an unknown field'));
    assert.deepEqual(judgePairingAnswer(refusePairing(verdict.reason, verdict.detail), request, invitation.token), verdict);
  }
});

test('a refusal is sent whatever its detail says, cut to its bound (§5.6)', () => {
  for (const detail of ['\u009b\u0000', `${'a'.repeat(499)}🧭`, '\ud83e', 'a'.repeat(10_000), '']) {
    const verdict = judgePairingAnswer(refusePairing('expired', detail), request, invitation.token);
    assert.ok(verdict.status === 'refused' && verdict.reason === 'expired');
    assert.ok(verdict.detail.length <= 500 && !/\p{Cc}/u.test(verdict.detail));
  }
});

test("a refusal that shows no token can not turn the reader's text around (found by fuzzing)", () => {
  const found = Uint8Array.fromHex(
    'a36664657461696c6e69742068617320657870e280ae6466726561736f6e6765787069726564667374617475736772656675736564',
  );
  assert.deepEqual(judgePairingAnswer(found, request, invitation.token), {
    status: 'refused',
    reason: 'expired',
    detail: 'it has exp\ufffdd',
  });
});
