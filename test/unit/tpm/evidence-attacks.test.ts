/** threats.md, "TPM evidence": what a naive verifier accepts, captured from a software TPM, is refused with its reason. */
import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { p256 } from '@noble/curves/nist.js';
import { judgeAttestationKey } from '#protocol/tpm/attestation-key.ts';
import { judgeCertification, judgeCreation, judgeVrfKey } from '#protocol/tpm/certified-key.ts';
import { judgeCertifiedTime } from '#protocol/tpm/certified-time.ts';
import { judgeEndorsementKey } from '#protocol/tpm/endorsement-key.ts';
import { PublicArea } from '#protocol/tpm/public-area.ts';
import { judgeQuote, type Quote } from '#protocol/tpm/quote.ts';
import { Signature } from '#protocol/tpm/signature.ts';
import { attestationKeyTemplate, eccEndorsementKeyTemplate, vrfKeyTemplate } from '#protocol/tpm/templates.ts';
import {
  attestationKey,
  captured,
  crypto,
  endorsementKey,
  flipped,
  hex,
  policy,
  qualifyingData,
  quoteOf,
  reasonOf,
  signed,
  vrfKey,
} from './captured.ts';

const good = quoteOf(captured.quote);

function quoteVerdict(quote: Quote, key = attestationKey(), data = qualifyingData): string {
  return reasonOf(judgeQuote(crypto, key, policy, quote, data));
}

describe('quote', () => {
  test('a proper quote by a child of the endorsement key is accepted, with plain clock fields', () => {
    const verdict = judgeQuote(crypto, attestationKey(), policy, good, qualifyingData);
    const time = judgeCertifiedTime(crypto, attestationKey(), signed(captured.time), qualifyingData);
    assert.ok(verdict.status === 'accepted' && time.status === 'accepted');
    assert.equal(verdict.clockInfo.resetCount, time.time.clockInfo.resetCount);
    assert.equal(verdict.firmwareVersion, time.time.firmwareVersion);
  });

  test('a genuine restricted key signing bytes without TPM_GENERATED is refused before its signature is looked at', () => {
    assert.equal(quoteVerdict(quoteOf(captured.attacks.forgedMagic)), 'not-tpm-generated');
    assert.equal(quoteVerdict({ ...quoteOf(captured.attacks.forgedMagic), signature: new Uint8Array() }), 'not-tpm-generated');
  });

  test('NV_Certify, GetTime and Certify are no quotes', () => {
    for (const other of [captured.attacks.nvCertified, captured.time, captured.certify])
      assert.equal(quoteVerdict(quoteOf(other)), 'other-kind');
  });

  test('a quote over other PCRs, more PCRs, none, or an inactive bank is refused', () => {
    for (const name of ['resettablePcrs', 'morePcrs', 'noPcrs', 'inactiveBank'] as const) {
      assert.equal(quoteVerdict(quoteOf(captured.attacks[name])), 'other-pcr-selection', name);
    }
  });

  test('a policy without PCRs accepts nothing', () => {
    const verdict = judgeQuote(crypto, attestationKey(), { bank: 'sha256', indices: [] }, quoteOf(captured.attacks.noPcrs), qualifyingData);
    assert.equal(reasonOf(verdict), 'other-pcr-selection');
  });

  test('PCRs that were never extended are refused', () => {
    assert.equal(quoteVerdict(quoteOf(captured.attacks.zeroPcrs)), 'pcr-not-extended');
  });

  test('PCR values that the TPM did not hash are refused: changed, missing, additional, swapped, of another length', () => {
    const [pcr8, pcr14] = [good.pcrs.get(8)!, good.pcrs.get(14)!];
    const given = (entries: [number, Uint8Array][]) => quoteVerdict({ ...good, pcrs: new Map(entries) });
    assert.equal(
      given([
        [8, pcr8],
        [14, pcr14],
      ]),
      'accepted',
    );
    assert.equal(
      given([
        [14, pcr14],
        [8, pcr8],
      ]),
      'accepted',
    );
    assert.equal(
      given([
        [8, flipped(pcr8, 0)],
        [14, pcr14],
      ]),
      'other-pcr-values',
    );
    assert.equal(given([[8, pcr8]]), 'other-pcr-values');
    assert.equal(
      given([
        [8, pcr8],
        [14, pcr14],
        [9, pcr14],
      ]),
      'other-pcr-values',
    );
    assert.equal(
      given([
        [8, pcr14],
        [14, pcr8],
      ]),
      'other-pcr-values',
    );
    assert.equal(
      given([
        [8, Uint8Array.of(...pcr8, ...pcr14)],
        [14, new Uint8Array()],
      ]),
      'other-pcr-values',
    );
  });

  test('evidence for another beacon, subject or purpose is refused: its qualifying data differs', () => {
    assert.equal(quoteVerdict(good, attestationKey(), flipped(qualifyingData, 31)), 'other-qualifying-data');
    assert.equal(quoteVerdict(good, attestationKey(), qualifyingData.subarray(1)), 'other-qualifying-data');
    assert.equal(quoteVerdict(good, attestationKey(), new Uint8Array()), 'other-qualifying-data');
  });

  test('a changed byte anywhere in attestation or signature is refused', () => {
    for (let at = 0; at < good.attestation.length; at++)
      assert.notEqual(quoteVerdict({ ...good, attestation: flipped(good.attestation, at) }), 'accepted');
    for (let at = 0; at < good.signature.length; at++)
      assert.notEqual(quoteVerdict({ ...good, signature: flipped(good.signature, at) }), 'accepted');
  });

  test('trailing bytes and truncated structures are refused', () => {
    assert.equal(quoteVerdict({ ...good, attestation: Uint8Array.of(...good.attestation, 0) }), 'malformed');
    assert.equal(quoteVerdict({ ...good, attestation: good.attestation.subarray(0, -1) }), 'malformed');
    assert.equal(quoteVerdict({ ...good, signature: Uint8Array.of(...good.signature, 0) }), 'signature-malformed');
    assert.equal(quoteVerdict({ ...good, signature: good.signature.subarray(0, -1) }), 'signature-malformed');
  });

  test('scheme and hash are the key’s, not those that the signature names', () => {
    const decoded = Signature.decode(good.signature);
    assert.ok(decoded.status === 'decoded' && decoded.value.scheme === 'ecdsa');
    assert.equal(quoteVerdict({ ...good, signature: Signature.encode({ ...decoded.value, hash: 'sha384' }) }), 'signature-scheme');
    const rsa = Signature.encode({ scheme: 'rsassa', hash: 'sha256', signature: new Uint8Array(256) });
    assert.equal(quoteVerdict({ ...good, signature: rsa }), 'signature-scheme');
  });

  test('both halves of s are accepted, so a signature is never an identifier', () => {
    const decoded = Signature.decode(good.signature);
    assert.ok(decoded.status === 'decoded' && decoded.value.scheme === 'ecdsa');
    const other = p256.Point.Fn.ORDER - BigInt(`0x${decoded.value.s.toHex()}`);
    const s = hex(other.toString(16).padStart(64, '0'));
    assert.equal(quoteVerdict({ ...good, signature: Signature.encode({ ...decoded.value, s }) }), 'accepted');
  });
});

describe('attestation key', () => {
  const verdictOn = (publicArea: Uint8Array) => judgeAttestationKey(crypto, publicArea, endorsementKey());

  test('an unrestricted key that signs a perfect attestation is refused', () => {
    const verdict = verdictOn(hex(captured.unrestrictedKey));
    assert.deepEqual(verdict, {
      status: 'refused',
      reason: 'not-the-template',
      detail: 'attestation key: restricted is clear, unlike the template',
    });
  });

  test('a key beside the endorsement key, which survives TPM2_Clear, is refused by its qualified name', () => {
    assert.equal(quoteVerdict(quoteOf(captured.attacks.primaryKeyQuote), attestationKey(captured.primaryKey)), 'other-signer');
  });

  test('a key of the owner hierarchy is refused by its qualified name', () => {
    const verdict = judgeCertifiedTime(crypto, attestationKey(captured.ownerKey), signed(captured.attacks.ownerKeyTime), qualifyingData);
    assert.equal(reasonOf(verdict), 'other-signer');
  });

  test('every attribute of the template counts', () => {
    const decoded = PublicArea.decode(hex(captured.attestationKey));
    assert.ok(decoded.status === 'decoded');
    const { value } = decoded;
    for (const name of Object.keys(value.attributes) as (keyof typeof value.attributes)[]) {
      const changed = PublicArea.encode({ ...value, attributes: { ...value.attributes, [name]: !value.attributes[name] } });
      assert.equal(reasonOf(verdictOn(changed)), 'not-the-template', name);
    }
  });

  test('another curve, scheme, hash, policy or type is refused', () => {
    const template = attestationKeyTemplate;
    const others: PublicArea[] = [
      { ...template, parameters: { ...template.parameters, curve: 'P-384' } },
      { ...template, parameters: { ...template.parameters, scheme: { scheme: 'null' } } },
      { ...template, parameters: { ...template.parameters, scheme: { scheme: 'ecdsa', hash: 'sha1' } } },
      { ...template, nameAlgorithm: 'sha384' },
      { ...template, authPolicy: new Uint8Array(32) },
      vrfKeyTemplate,
    ];
    for (const other of others) assert.equal(reasonOf(verdictOn(PublicArea.encode(other))), 'not-the-template');
  });

  test('a public area with trailing bytes is refused', () => {
    assert.equal(reasonOf(verdictOn(Uint8Array.of(...hex(captured.attestationKey), 0))), 'malformed');
  });

  test('the same key under another endorsement key is another signer', () => {
    const other = endorsementKey();
    const verdict = judgeAttestationKey(crypto, hex(captured.attestationKey), {
      ...other,
      qualifiedName: flipped(other.qualifiedName, 33),
    });
    assert.ok(verdict.status === 'accepted');
    assert.equal(quoteVerdict(good, verdict.key), 'other-signer');
  });
});

describe('endorsement key', () => {
  test('a public area of another template is refused: one chip, one seat', () => {
    assert.equal(reasonOf(judgeEndorsementKey(crypto, PublicArea.encode(eccEndorsementKeyTemplate))), 'not-the-template');
    assert.equal(reasonOf(judgeEndorsementKey(crypto, hex(captured.vrfKey))), 'not-the-template');
  });

  test('a modulus that is short or even is refused', () => {
    const decoded = PublicArea.decode(hex(captured.endorsementKey));
    assert.ok(decoded.status === 'decoded' && decoded.value.type === 'rsa');
    for (const unique of [decoded.value.unique.subarray(1), flipped(decoded.value.unique, -1), new Uint8Array(256)]) {
      assert.equal(reasonOf(judgeEndorsementKey(crypto, PublicArea.encode({ ...decoded.value, unique }))), 'unusable-key');
    }
  });

  test('a modulus with the ROCA fingerprint is refused (CVE-2017-15361)', () => {
    const decoded = PublicArea.decode(hex(captured.endorsementKey));
    assert.ok(decoded.status === 'decoded' && decoded.value.type === 'rsa');
    const weak = { ...decoded.value, unique: rocaModulus() };
    assert.equal(reasonOf(judgeEndorsementKey(crypto, PublicArea.encode(weak))), 'weak-key');
    assert.equal(
      reasonOf(judgeVrfKey(crypto, PublicArea.encode({ ...vrfKeyTemplate, unique: rocaModulus() }), endorsementKey())),
      'weak-key',
    );
  });
});

describe('certified time', () => {
  const judge = (given: { attestation: Uint8Array; signature: Uint8Array }) =>
    judgeCertifiedTime(crypto, attestationKey(), given, qualifyingData);

  test('GetTime by a child of the endorsement key is accepted, with the inner clock', () => {
    const verdict = judge(signed(captured.time));
    assert.ok(verdict.status === 'accepted');
    assert.ok(verdict.time.timeMs > 0n && verdict.time.clockInfo.resetCount > 0);
  });

  test('a quote is no certified time', () => {
    assert.equal(reasonOf(judge(good)), 'other-kind');
  });
});

describe('certified VRF key', () => {
  const keys = () => ({ attestationKey: attestationKey(), endorsementKey: endorsementKey(), vrfKey: vrfKey() });
  const creation = { ...signed(captured.certifyCreation), creationData: hex(captured.creationData) };
  const outsideInfo = hex(captured.outsideInfo);
  const certifyData = hex(captured.certifyQualifyingData);

  test('Certify of a child of the endorsement key is accepted', () => {
    assert.equal(judgeCertification(crypto, attestationKey(), vrfKey(), signed(captured.certify), certifyData).status, 'accepted');
  });

  test('a certificate for another key is refused', () => {
    const verdict = judgeCertification(crypto, attestationKey(), vrfKey(), signed(captured.attacks.certifiedOtherKey), certifyData);
    assert.equal(reasonOf(verdict), 'other-key');
  });

  test('a certified key with another parent is refused', () => {
    const elsewhere = { ...vrfKey(), qualifiedName: flipped(vrfKey().qualifiedName, 5) };
    assert.equal(reasonOf(judgeCertification(crypto, attestationKey(), elsewhere, signed(captured.certify), certifyData)), 'other-parent');
  });

  test('CertifyCreation for this parent and beacon is accepted', () => {
    assert.equal(judgeCreation(crypto, keys(), creation, qualifyingData, outsideInfo).status, 'accepted');
  });

  test('a key made for another beacon, under another parent, or with other creation data is refused', () => {
    assert.equal(reasonOf(judgeCreation(crypto, keys(), creation, qualifyingData, flipped(outsideInfo, 0))), 'other-outside-info');
    const changed = { ...creation, creationData: flipped(creation.creationData, -1) };
    assert.equal(reasonOf(judgeCreation(crypto, keys(), changed, qualifyingData, outsideInfo)), 'other-creation-data');
    const otherEk = { ...endorsementKey(), name: flipped(endorsementKey().name, 9) };
    assert.equal(
      reasonOf(judgeCreation(crypto, { ...keys(), endorsementKey: otherEk }, creation, qualifyingData, outsideInfo)),
      'other-parent',
    );
    const otherKey = { ...vrfKey(), name: flipped(vrfKey().name, 9) };
    assert.equal(reasonOf(judgeCreation(crypto, { ...keys(), vrfKey: otherKey }, creation, qualifyingData, outsideInfo)), 'other-key');
  });

  test('a key that may also sign, or has a scheme, is no VRF key', () => {
    const attributes = { ...vrfKeyTemplate.attributes, sign: true };
    const signing = PublicArea.encode({ ...vrfKeyTemplate, attributes, unique: vrfKey().modulus });
    assert.equal(reasonOf(judgeVrfKey(crypto, signing, endorsementKey())), 'not-the-template');
    const parameters = { ...vrfKeyTemplate.parameters, scheme: { scheme: 'rsaes' } } as const;
    assert.equal(
      reasonOf(judgeVrfKey(crypto, PublicArea.encode({ ...vrfKeyTemplate, parameters, unique: vrfKey().modulus }), endorsementKey())),
      'not-the-template',
    );
  });
});

/** A product of two numbers of the form k·M + 65537^a mod M, M the product of the primes up to 167. */
function rocaModulus(): Uint8Array {
  const sieve = Array.from({ length: 166 }, (_, index) => BigInt(index + 2)).filter(
    (n) => ![2n, 3n, 5n, 7n, 11n].some((p) => p < n && n % p === 0n),
  );
  const product = sieve.reduce((all, prime) => all * prime, 1n);
  const factor = (a: number) => {
    let power = 1n;
    for (let step = 0; step < a; step++) power = (power * 65537n) % product;
    return ((3n << 1022n) / product + BigInt(2 * a)) * product + power;
  };
  const n = factor(12_345) * factor(54_321);
  return hex(n.toString(16));
}
