/** The judgement of pairing messages, without keys, files or a broker. Specification §5.6. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import {
  formatInvitation,
  judgePairingAnswer,
  judgePairingRequest,
  objectionToName,
  parseInvitation,
  refusePairing,
  sealPairingGrant,
  sealPairingRequest,
  type Invitation,
} from '#protocol/pairing.ts';

const invitation: Invitation = {
  version: 1,
  id: new Uint8Array(16).fill(1),
  kind: 'box',
  name: 'box1',
  network: new Uint8Array(32).fill(2),
  device: 'alpha',
  url: 'mqtts://127.0.0.1:8883',
  authority: new Uint8Array(400).fill(3),
  token: new Uint8Array(32).fill(4),
  expiresAtMs: 1_000,
};
const keys = { publicKey: new Uint8Array(91).fill(5), signingKey: new Uint8Array(32).fill(6) };
const reasonOf = (verdict: { status: string; reason?: string }): string => verdict.reason ?? verdict.status;

test('a request made with the invitation is accepted until it expires', () => {
  const request = sealPairingRequest(invitation, keys);
  const verdict = judgePairingRequest(request, invitation, 999);
  assert.equal(verdict.status, 'accepted');
  assert.deepEqual(verdict.request, { invitation: invitation.id, kind: 'box', name: 'box1', ...keys });
  assert.equal(reasonOf(judgePairingRequest(request, invitation, 1_000)), 'expired');
});

test('a request for another name, kind or invitation is refused although the token is right', () => {
  for (const other of [{ name: 'box2' }, { kind: 'client' }, { id: new Uint8Array(16) }] as const) {
    assert.equal(reasonOf(judgePairingRequest(sealPairingRequest({ ...invitation, ...other }, keys), invitation, 0)), 'other-request');
  }
});

test('a box without a key for what it signs is refused', () => {
  assert.equal(
    reasonOf(judgePairingRequest(sealPairingRequest(invitation, { publicKey: keys.publicKey }), invitation, 0)),
    'unsuitable-key',
  );
});

test('every changed byte of a request is refused', () => {
  const request = sealPairingRequest(invitation, keys);
  for (const index of request.keys()) {
    const changed = Uint8Array.from(request);
    changed[index] = (changed[index] ?? 0) ^ 1;
    assert.equal(judgePairingRequest(changed, invitation, 0).status, 'refused', `byte ${index}`);
  }
  assert.equal(reasonOf(judgePairingRequest(new Uint8Array(2_000), invitation, 0)), 'malformed');
});

test('an answer counts for its request and with its token only; a request is no answer', () => {
  const request = sealPairingRequest(invitation, keys);
  const verdict = judgePairingRequest(request, invitation, 0);
  assert.equal(verdict.status, 'accepted');
  const grant = { request: verdict.digest, certificate: Uint8Array.of(1), url: 'mqtts://127.0.0.1:1' };
  const answer = sealPairingGrant(invitation.token, grant);
  assert.deepEqual(judgePairingAnswer(answer, request, invitation.token), { status: 'granted', grant });
  assert.equal(reasonOf(judgePairingAnswer(answer, request, new Uint8Array(32))), 'wrong-token');
  const other = sealPairingRequest(invitation, { ...keys, publicKey: new Uint8Array(91) });
  assert.equal(reasonOf(judgePairingAnswer(answer, other, invitation.token)), 'other-request');
  assert.equal(reasonOf(judgePairingAnswer(request, request, invitation.token)), 'malformed');
  assert.equal(reasonOf(judgePairingAnswer(refusePairing('name-taken', 'x'.repeat(9_999)), request, invitation.token)), 'name-taken');
});

test('an invitation is read back from its line; a cut, changed or foreign line is not', () => {
  const line = formatInvitation(invitation);
  assert.deepEqual(parseInvitation(`\n ${line} \n`), { status: 'decoded', value: invitation });
  for (const wrong of [line.slice(1), line.slice(0, -4), `${line}AAAA`, `${line}=`, '', 'x'.repeat(99_999)])
    assert.equal(parseInvitation(wrong).status, 'malformed');
});

test('names that mean something else, and what can stand in no topic, are no names', () => {
  assert.equal(objectionToName('render-box-2'), undefined);
  for (const name of ['device', 'peer', 'operator', '', 'A', '-a', 'a-', 'a/b', '+', '#', '%u', 'a\n', 'é', 'a'.repeat(33), '..'])
    assert.notEqual(objectionToName(name), undefined, name);
});
