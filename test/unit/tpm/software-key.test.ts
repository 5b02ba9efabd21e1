/** Rules that a TPM never breaks, tried with a software key that signs what no TPM would. */
import assert from 'node:assert/strict';
import { generateKeyPairSync, sign } from 'node:crypto';
import { describe, test } from 'node:test';
import { Attest, type Attest as AttestValue } from '#protocol/tpm/attest.ts';
import { judgeAttestationKey } from '#protocol/tpm/attestation-key.ts';
import type { SignedAttestation } from '#protocol/tpm/attestation.ts';
import { judgeCertification, judgeCreation, judgeVrfKey } from '#protocol/tpm/certified-key.ts';
import { judgeCertifiedTime } from '#protocol/tpm/certified-time.ts';
import { judgeEndorsementKey } from '#protocol/tpm/endorsement-key.ts';
import { selectPcrs, type PcrSelection } from '#protocol/tpm/pcr-selection.ts';
import { PublicArea } from '#protocol/tpm/public-area.ts';
import { judgeQuote } from '#protocol/tpm/quote.ts';
import { Signature } from '#protocol/tpm/signature.ts';
import { attestationKeyTemplate } from '#protocol/tpm/templates.ts';
import { captured, crypto, endorsementKey, hex, policy, qualifyingData, reasonOf, vrfKey } from './captured.ts';

const { publicKey, privateKey } = generateKeyPairSync('ec', { namedCurve: 'P-256' });
const coordinate = (name: 'x' | 'y') => Uint8Array.fromBase64(publicKey.export({ format: 'jwk' })[name] ?? '', { alphabet: 'base64url' });
const publicArea = { ...attestationKeyTemplate, unique: { x: coordinate('x'), y: coordinate('y') } };
const ak = akWith(publicArea);
const keys = { attestationKey: ak, endorsementKey: endorsementKey(), vrfKey: vrfKey() };

const clockInfo = { clock: 5n, resetCount: 2, restartCount: 3, safe: true };
const common = { qualifiedSigner: ak.qualifiedName, extraData: qualifyingData, clockInfo, firmwareVersion: 7n };

function akWith(area: PublicArea) {
  const verdict = judgeAttestationKey(crypto, PublicArea.encode(area), endorsementKey());
  assert.ok(verdict.status === 'accepted');
  return verdict.key;
}

function signedBy(body: AttestValue['body']): SignedAttestation {
  const attestation = Attest.encode({ magic: 0xff544347, body });
  return { attestation, signature: Signature.encode({ scheme: 'ecdsa', hash: 'sha256', ...raw(attestation) }) };
}

function raw(message: Uint8Array): { r: Uint8Array; s: Uint8Array } {
  const bytes = new Uint8Array(sign('sha256', message, { key: privateKey, dsaEncoding: 'ieee-p1363' }));
  return { r: bytes.subarray(0, 32), s: bytes.subarray(32) };
}

describe('certified time', () => {
  const inner = { timeInfo: { time: 100n, clockInfo }, firmwareVersion: 7n };
  const judge = (outer: Partial<typeof common>) =>
    judgeCertifiedTime(crypto, ak, signedBy({ kind: 'time', ...common, ...outer, attested: inner }), qualifyingData);

  test('is the inner one', () => {
    assert.deepEqual(judge({}), { status: 'accepted', time: { timeMs: 100n, clockInfo, firmwareVersion: 7n } });
  });

  test('outer counters that are obfuscated show a key outside the endorsement hierarchy', () => {
    assert.equal(reasonOf(judge({ clockInfo: { ...clockInfo, resetCount: 9 } })), 'obfuscated-clock');
    assert.equal(reasonOf(judge({ clockInfo: { ...clockInfo, restartCount: 9 } })), 'obfuscated-clock');
    assert.equal(reasonOf(judge({ firmwareVersion: 9n })), 'obfuscated-clock');
  });
});

describe('quote', () => {
  const values = new Map([8, 14].map((index) => [index, new Uint8Array(32).fill(index)]));
  const digest = crypto.sha256(Uint8Array.of(...values.get(8)!, ...values.get(14)!));
  const judge = (pcrSelection: PcrSelection, pcrDigest = digest, pcrs = values) =>
    reasonOf(
      judgeQuote(
        crypto,
        ak,
        policy,
        { ...signedBy({ kind: 'quote', ...common, attested: { pcrSelection, pcrDigest } }), pcrs },
        qualifyingData,
      ),
    );
  const [wanted] = selectPcrs('sha256', [8, 14]);

  test('the selection is one bank with exactly the mask of the policy', () => {
    assert.equal(judge([wanted!]), 'accepted');
    assert.equal(judge([]), 'other-pcr-selection');
    assert.equal(judge([wanted!, wanted!]), 'other-pcr-selection');
    assert.equal(judge([wanted!, { bank: 'sha1', mask: new Uint8Array(3) }]), 'other-pcr-selection');
    assert.equal(judge([{ ...wanted!, bank: 'sha384' }]), 'other-pcr-selection');
    assert.equal(judge([{ ...wanted!, mask: Uint8Array.of(...wanted!.mask, 0) }]), 'other-pcr-selection');
  });

  test('registers of the dynamic launch that were never extended are ones', () => {
    const ones = new Map(values).set(14, new Uint8Array(32).fill(0xff));
    assert.equal(judge([wanted!], crypto.sha256(Uint8Array.of(...ones.get(8)!, ...ones.get(14)!)), ones), 'pcr-not-extended');
  });

  test('leading zeros that a chip leaves out of r or s change nothing', () => {
    const attestation = Attest.encode({
      magic: 0xff544347,
      body: { kind: 'quote', ...common, attested: { pcrSelection: [wanted!], pcrDigest: digest } },
    });
    const short = Array.from({ length: 4_000 }, () => raw(attestation)).find(({ r }) => r[0] === 0);
    assert.ok(short);
    const verdict = (r: Uint8Array) =>
      reasonOf(
        judgeQuote(
          crypto,
          ak,
          policy,
          { attestation, signature: Signature.encode({ scheme: 'ecdsa', hash: 'sha256', r, s: short.s }), pcrs: values },
          qualifyingData,
        ),
      );
    assert.equal(verdict(short.r), 'accepted');
    assert.equal(verdict(short.r.subarray(1)), 'accepted');
    assert.equal(verdict(Uint8Array.of(0, ...short.r)), 'signature-malformed');
  });
});

describe('keys', () => {
  test('a coordinate longer than the curve is malformed', () => {
    const area = { ...publicArea, unique: { ...publicArea.unique, x: new Uint8Array(33) } };
    assert.equal(reasonOf(judgeAttestationKey(crypto, PublicArea.encode(area), endorsementKey())), 'malformed');
  });

  test('a point off the curve signs nothing', () => {
    const key = akWith({ ...publicArea, unique: { x: publicArea.unique.x, y: publicArea.unique.x } });
    const time = signedBy({
      kind: 'time',
      ...common,
      qualifiedSigner: key.qualifiedName,
      attested: { timeInfo: { time: 1n, clockInfo }, firmwareVersion: 7n },
    });
    assert.equal(reasonOf(judgeCertifiedTime(crypto, key, time, qualifyingData)), 'signature-wrong');
  });

  test('bytes that are no public area are malformed', () => {
    for (const bytes of [new Uint8Array(), hex('0001'), new Uint8Array(3_000)]) {
      assert.equal(reasonOf(judgeEndorsementKey(crypto, bytes)), 'malformed');
      assert.equal(reasonOf(judgeVrfKey(crypto, bytes, endorsementKey())), 'malformed');
    }
  });
});

describe('certified key', () => {
  const certified = { name: keys.vrfKey.name, qualifiedName: keys.vrfKey.qualifiedName };
  const creationData = hex(captured.creationData);
  const creationOf = (data: Uint8Array, body: Partial<typeof common> = {}) => ({
    ...signedBy({ kind: 'creation', ...common, ...body, attested: { objectName: keys.vrfKey.name, creationHash: crypto.sha256(data) } }),
    creationData: data,
  });
  const judge = (creation: ReturnType<typeof creationOf>) =>
    reasonOf(judgeCreation(crypto, keys, creation, qualifyingData, hex(captured.outsideInfo)));

  test('what is refused of any attestation is refused of this one', () => {
    const certificationBy = (body: Partial<typeof common>) =>
      reasonOf(
        judgeCertification(crypto, ak, keys.vrfKey, signedBy({ kind: 'certify', ...common, ...body, attested: certified }), qualifyingData),
      );
    assert.equal(certificationBy({}), 'accepted');
    assert.equal(certificationBy({ extraData: new Uint8Array() }), 'other-qualifying-data');
    assert.equal(certificationBy({ qualifiedSigner: keys.vrfKey.qualifiedName }), 'other-signer');
    assert.equal(judge(creationOf(creationData)), 'accepted');
    assert.equal(judge(creationOf(creationData, { extraData: new Uint8Array() })), 'other-qualifying-data');
    assert.equal(judge(creationOf(creationData, { qualifiedSigner: keys.vrfKey.qualifiedName })), 'other-signer');
  });

  test('creation data that is hashed but is no creation data is malformed', () => {
    assert.equal(judge(creationOf(Uint8Array.of(...creationData, 0))), 'malformed');
    assert.equal(judge(creationOf(new Uint8Array())), 'malformed');
  });
});
