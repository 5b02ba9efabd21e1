/** The pretended TPM passes the rules that a real one passes, and none that it should not. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { judgeVoucher } from '#protocol/chain/voucher.ts';
import { judgeTimeCertificate } from '#protocol/chain/wait-certificate.ts';
import { judgeMemberCard } from '#protocol/enrolment.ts';
import { attestationKeyOf } from '#protocol/member-keys.ts';
import { judgeVrfKey } from '#protocol/tpm/certified-key.ts';
import { judgeEndorsementKey } from '#protocol/tpm/endorsement-key.ts';
import { judgeVrfProof } from '#protocol/tpm/vrf.ts';
import { stubCrypto } from '../../simulation/stub-crypto.ts';
import { authority, createStubMember } from '../../simulation/stub-tpm.ts';

const alpha = createStubMember('alpha');
const bravo = createStubMember('bravo');
const digest = new Uint8Array(32).fill(3);
const reading = { timeMs: 5_000, resetCount: 2, restartCount: 1 };

test('the card of a pretended chip is judged like any other (§4.3)', () => {
  const salt = new Uint8Array(16);
  const context = { salt, authorities: [{ certificate: authority.certificate, softwareTpm: true }], crypto: stubCrypto, atMs: 1.7e12 };
  const verdict = judgeMemberCard(alpha.card(salt), context);
  assert.equal(verdict.status, 'accepted', 'detail' in verdict ? verdict.detail : '');
  assert.equal(judgeMemberCard(alpha.card(new Uint8Array(16).fill(1)), context).status, 'refused');
});

test('its certificates of time, vouchers and proofs are judged like any others (§12)', () => {
  const key = attestationKeyOf(alpha.member, stubCrypto);
  const other = attestationKeyOf(bravo.member, stubCrypto);
  assert.ok(key && other);
  const certificate = alpha.getTime(digest, reading);
  assert.equal(judgeTimeCertificate(stubCrypto, key, certificate, digest).status, 'accepted');
  assert.equal(judgeTimeCertificate(stubCrypto, other, certificate, digest).status, 'refused');
  const voucher = alpha.voucher(digest, reading, alpha.operationalKey('1').publicKey);
  const verdict = judgeVoucher(stubCrypto, key, digest, voucher);
  assert.equal(verdict.status, 'accepted', 'detail' in verdict ? verdict.detail : '');
  const endorsement = judgeEndorsementKey(stubCrypto, alpha.member.endorsementKey);
  assert.ok(endorsement.status === 'accepted');
  const vrf = judgeVrfKey(stubCrypto, alpha.member.vrfKey, endorsement.key);
  assert.ok(vrf.status === 'accepted');
  assert.equal(judgeVrfProof(stubCrypto, vrf.key.modulus, digest, alpha.prove(digest)).status, 'accepted');
  assert.equal(judgeVrfProof(stubCrypto, vrf.key.modulus, digest, bravo.prove(digest)).status, 'refused');
});
