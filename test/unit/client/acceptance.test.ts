/** The device's signed acceptance (protocol/README.md §7.3). */
import assert from 'node:assert/strict';
import { describe, test } from 'node:test';

import { capsuleIdOf } from '#protocol/capsule.ts';
import { AcceptanceMessage, type Acceptance } from '#protocol/client-messages.ts';
import { nobleCrypto } from '#protocol/crypto-noble.ts';
import { signMessage } from '#protocol/signed.ts';
import { judgeAcceptance, type AcceptanceVerdict, type Submitted } from '../../../scripts/client/acceptance.ts';
import { deviceKey, parties, signAsDevice } from './fake-device.ts';

const submitted: Submitted = { ...parties, request: new Uint8Array(16).fill(1), digest: new Uint8Array(32).fill(2) };
const capsule = capsuleIdOf({ ...submitted, capsule: submitted.digest });
const right: Acceptance = { ...submitted, node: deviceKey.node, capsule, acceptedAtMs: 1 };
const otherKey = { node: deviceKey.node, operationalKey: new Uint8Array(32).fill(3) };

function judge(change: Partial<Acceptance>, keys = [deviceKey]): AcceptanceVerdict {
  return judgeAcceptance(signMessage(AcceptanceMessage, { ...right, ...change }, signAsDevice), submitted, keys, nobleCrypto);
}

describe('an acceptance (§7.3)', () => {
  test('by a key from the evidence is accepted, also where a newer key is known', () => {
    assert.deepEqual(judge({}, [otherKey, deviceKey]), { status: 'accepted', acceptance: right, signature: 'checked' });
  });

  test('of a device without known evidence is accepted with its signature unchecked', () => {
    assert.deepEqual(judge({}, []), { status: 'accepted', acceptance: right, signature: 'unchecked' });
  });

  test('by another key, or for another node, is refused', () => {
    const refused = {
      status: 'refused',
      reason: 'bad-signature',
      detail: "the acceptance is not signed by the key in the device's evidence",
    };
    assert.deepEqual(judge({}, [otherKey]), refused);
    assert.deepEqual(judge({ node: new Uint8Array(32) }), refused);
  });

  for (const [what, change] of [
    ['network', { network: new Uint8Array(32) }],
    ['device', { device: 'bravo' }],
    ['client', { client: 'other' }],
    ['request', { request: new Uint8Array(16) }],
    ['manifest', { digest: new Uint8Array(32) }],
    ['capsule', { capsule: '0'.repeat(32) }],
  ] as const) {
    test(`of another ${what} is refused`, () => {
      assert.deepEqual(judge(change), { status: 'refused', reason: 'other-submission', detail: `the acceptance is of another ${what}` });
    });
  }

  test('that is no signed message is refused', () => {
    assert.equal(judgeAcceptance(Uint8Array.of(1, 2), submitted, [deviceKey], nobleCrypto).status, 'refused');
  });
});
