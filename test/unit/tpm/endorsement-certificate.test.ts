/** Certificate chains of endorsement keys. RFC 5280 section 6, TCG EK Credential Profile. */
import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { nobleCrypto } from '#protocol/crypto-noble.ts';
import { decodeCertificate, ecdsaSignatureOf } from '#protocol/tpm/certificate.ts';
import { judgeEndorsementCertificate, type EndorsementAuthority } from '#protocol/tpm/endorsement-certificate.ts';
import { judgeEndorsementKey } from '#protocol/tpm/endorsement-key.ts';
import { PublicArea } from '#protocol/tpm/public-area.ts';
import { endorsementKeyTemplate } from '#protocol/tpm/templates.ts';
import { bits, certificateWith, nothing, octets, oid, sequence, yes, type CertificateParts } from './built-certificate.ts';
import { captured, crypto, endorsementKey, flipped, hex, reasonOf, vectors } from './captured.ts';

type Case = { name: string; verdict: string; certificate: string; intermediates: string[] };
const { modulus, atMs, authorities, cases } = vectors('certificates.json') as {
  modulus: string;
  atMs: number;
  authorities: string[];
  cases: Case[];
};

const trusted = authorities.map((certificate) => ({ certificate: hex(certificate), softwareTpm: false }));
const certified = keyWith(hex(modulus));

function keyWith(unique: Uint8Array) {
  const verdict = judgeEndorsementKey(crypto, PublicArea.encode({ ...endorsementKeyTemplate, unique }));
  assert.ok(verdict.status === 'accepted');
  return verdict.key;
}

function verdictOn(
  { certificate, intermediates }: { certificate: Uint8Array; intermediates: Uint8Array[] },
  at = atMs,
  roots: EndorsementAuthority[] = trusted,
) {
  return judgeEndorsementCertificate(crypto, certified, { certificate, intermediates }, roots, at);
}

describe('a certificate of the endorsement key', () => {
  for (const { name, verdict, certificate, intermediates } of cases) {
    test(`${name} is ${verdict}`, () => {
      const chain = { certificate: hex(certificate), intermediates: intermediates.map(hex) };
      assert.equal(reasonOf(verdictOn(chain)), verdict);
      assert.equal(reasonOf(judgeEndorsementCertificate(nobleCrypto, certified, chain, trusted, atMs)), verdict);
    });
  }

  const first = { certificate: hex(cases[0]!.certificate), intermediates: cases[0]!.intermediates.map(hex) };

  test('without authorities nothing is accepted', () => {
    assert.equal(reasonOf(verdictOn(first, atMs, [])), 'unknown-authority');
  });

  test('validity includes both of its ends', () => {
    const decoded = decodeCertificate(first.certificate);
    assert.ok(decoded.status === 'decoded');
    const { notBeforeMs, notAfterMs } = decoded.value;
    assert.equal(new Date(notBeforeMs).toISOString(), '2026-01-01T00:00:00.000Z');
    assert.deepEqual(
      [notBeforeMs - 1, notBeforeMs, notAfterMs, notAfterMs + 1].map((at) => reasonOf(verdictOn(first, at))),
      ['not-yet-valid', 'accepted', 'accepted', 'expired'],
    );
  });

  test('an intermediate may itself be the authority, and then constrains the path', () => {
    assert.equal(
      verdictOn({ ...first, intermediates: [] }, atMs, [{ certificate: first.intermediates[0]!, softwareTpm: false }]).status,
      'accepted',
    );
  });

  test('a changed byte anywhere is refused', () => {
    for (let at = 0; at < first.certificate.length; at += 3)
      assert.notEqual(verdictOn({ ...first, certificate: flipped(first.certificate, at) }).status, 'accepted');
  });

  test('trailing bytes, truncation and indefinite lengths are refused', () => {
    const { certificate } = first;
    const indefinite = Uint8Array.of(0x30, 0x80, ...certificate.subarray(4), 0, 0);
    for (const bad of [
      Uint8Array.of(...certificate, 0),
      certificate.subarray(0, -1),
      indefinite,
      new Uint8Array(),
      new Uint8Array(5_000),
    ]) {
      assert.equal(decodeCertificate(bad).status, 'malformed');
    }
  });

  test('up to four intermediates are looked at', () => {
    assert.equal(verdictOn({ ...first, intermediates: Array.from({ length: 4 }, () => first.intermediates[0]!) }).status, 'accepted');
  });

  test('more intermediates than are looked at are refused before any is', () => {
    assert.equal(
      reasonOf(verdictOn({ ...first, intermediates: Array.from({ length: 5 }, () => first.intermediates[0]!) })),
      'path-too-long',
    );
  });

  test('of another kind of key, exponent or purpose is refused before its signature is looked at', () => {
    const judged = (parts: CertificateParts) =>
      reasonOf(
        judgeEndorsementCertificate(crypto, endorsementKey(), { certificate: certificateWith(parts), intermediates: [] }, trusted, atMs),
      );
    const modulusInteger = sequence(hex(`0282010100${endorsementKey().modulus.toHex()}`), hex('020103'));
    assert.equal(judged({}), 'unknown-authority');
    assert.equal(judged({ publicKey: sequence(sequence(hex(oid.rsa), nothing), bits(modulusInteger)) }), 'other-key');
    assert.equal(
      judged({ publicKey: sequence(sequence(hex(oid.ecPublicKey), hex(oid.p256)), bits(hex(`04${'11'.repeat(64)}`))) }),
      'other-key',
    );
    assert.equal(judged({ extensions: [sequence(hex(oid.basicConstraints), octets(sequence(yes)))] }), 'not-an-endorsement-certificate');
    assert.equal(judged({ extensions: [sequence(hex(oid.keyUsage), octets(hex('03020204')))] }), 'not-an-endorsement-certificate');
    assert.equal(judged({ extensions: [sequence(hex(oid.extendedKeyUsage), octets(sequence()))] }), 'not-an-endorsement-certificate');
  });

  test('of a software TPM names its authority, so that a network of chips can refuse it', () => {
    const chain = { certificate: hex(captured.certificate), intermediates: [hex(captured.intermediate)] };
    const authority = { certificate: hex(captured.root), softwareTpm: true };
    const at = Date.UTC(2027, 0, 1);
    assert.deepEqual(judgeEndorsementCertificate(crypto, endorsementKey(), chain, [authority], at), { status: 'accepted', authority });
    assert.equal(reasonOf(judgeEndorsementCertificate(crypto, endorsementKey(), chain, trusted, at)), 'unknown-authority');
  });
});

test('an ECDSA signature in DER has two positive integers that fit the curve, in shortest form, and nothing else', () => {
  const one = '020101';
  assert.equal(ecdsaSignatureOf(hex(`3006${one}${one}`), 2)?.toHex(), '00010001');
  for (const bad of [
    '',
    '3000',
    `3003${one}`,
    `3009${one}${one}${one}`,
    `3006${one}0201ff`,
    `3007${one}02020001`,
    `3008${one}0203010000`,
    `3006${one}${one}00`,
  ])
    assert.equal(ecdsaSignatureOf(hex(bad), 2), undefined, bad);
});
