/** A capsule's id and its life. Specification §7.2. */
import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { describe, test } from 'node:test';
import fc from 'fast-check';
import { runIdOf, RunId } from '#protocol/box-messages.ts';
import { CapsuleId, capsuleIdFrom, capsuleIdOf, CAPSULE_STATES, hasEnded, requestDigestOf } from '#protocol/capsule.ts';
import { readPlain } from '#protocol/codec.ts';
import { blobDigest, hex } from '#protocol/digest.ts';
import { capsuleDigest } from '#protocol/manifest.ts';

const submission = {
  network: blobDigest(Uint8Array.of(1)),
  device: 'alpha',
  client: 'you',
  request: new Uint8Array(16),
  capsule: blobDigest(Uint8Array.of(2)),
};

interface Vector {
  readonly network: string;
  readonly gateway: string;
  readonly client: string;
  readonly request: string;
  readonly capsuleDigest: string;
  readonly requestDigest: string;
  readonly capsule: string;
}
const vectors = JSON.parse(readFileSync(new URL('../../vectors/capsule-id.json', import.meta.url), 'utf8')) as Vector[];

test('ids are those of an implementation of another language (§7.2)', () => {
  assert.ok(vectors.length >= 4);
  for (const { network, gateway, client, request, capsuleDigest: digest, requestDigest, capsule } of vectors) {
    assert.equal(hex(requestDigestOf(client, Uint8Array.fromHex(request))), requestDigest);
    const shown = { network: Uint8Array.fromHex(network), device: gateway, capsule: Uint8Array.fromHex(digest) };
    assert.equal(capsuleIdFrom({ ...shown, requestDigest: Uint8Array.fromHex(requestDigest) }), capsule);
    assert.equal(capsuleIdOf({ ...shown, client, request: Uint8Array.fromHex(request) }), capsule);
  }
});

test('the same request of the same client is the same capsule (§7.3)', () => {
  assert.equal(capsuleIdOf(submission), capsuleIdOf({ ...submission }));
  assert.equal(readPlain(CapsuleId, capsuleIdOf(submission)).status, 'decoded');
});

describe('an id differs with each thing that it follows from (§7.2)', () => {
  const changes: Partial<typeof submission>[] = [
    { network: submission.capsule },
    { device: 'bravo' },
    { client: 'me' },
    { request: new Uint8Array(16).fill(1) },
    { capsule: submission.network },
  ];
  for (const change of changes) {
    test(Object.keys(change).join(), () => assert.notEqual(capsuleIdOf({ ...submission, ...change }), capsuleIdOf(submission)));
  }

  test("the border between the device's name and the client's can not be moved", () => {
    const word = fc.stringMatching(/^[a-z-]{1,6}$/);
    fc.assert(
      fc.property(word, word, word, word, (device, client, device2, client2) => {
        const same = device === device2 && client === client2;
        assert.equal(
          capsuleIdOf({ ...submission, device, client }) === capsuleIdOf({ ...submission, device: device2, client: client2 }),
          same,
        );
      }),
    );
    assert.notEqual(capsuleIdOf({ ...submission, device: 'ab', client: 'c' }), capsuleIdOf({ ...submission, device: 'a', client: 'bc' }));
  });

  test('an id is not the front of a capsule digest', () => {
    assert.notEqual(capsuleIdOf(submission), capsuleDigest(submission.capsule).toHex().slice(0, 32));
  });
});

test('a run is named by its capsule and attempt (§6.1)', () => {
  const isRun = (words: string): boolean => readPlain(RunId, words).status === 'decoded';
  assert.ok(isRun(runIdOf(capsuleIdOf(submission), 1)));
  for (const attempt of ['0', '10', '', 'a']) assert.ok(!isRun(`${capsuleIdOf(submission)}.${attempt}`), attempt);
});

test('a good life has six states before its end, and five ends (§7.2)', () => {
  assert.deepEqual(CAPSULE_STATES.map(hasEnded), [...new Array<boolean>(6).fill(false), ...new Array<boolean>(5).fill(true)]);
});
