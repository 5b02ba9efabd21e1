/** TPM structures on the wire: exact length, one form, bounded. TPM 2.0 Part 2. */
import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import fc from 'fast-check';
import { Attest, decodeAttestOf } from '#protocol/tpm/attest.ts';
import { TimeInfo } from '#protocol/tpm/clock-info.ts';
import { CredentialBlob } from '#protocol/tpm/credential-blob.ts';
import { nameOf, nameOfNvIndex } from '#protocol/tpm/name.ts';
import { NvPublic } from '#protocol/tpm/nv-public.ts';
import { differingAttributes, objectAttributes } from '#protocol/tpm/object-attributes.ts';
import { PcrSelection, pcrIndices, selectPcrs } from '#protocol/tpm/pcr-selection.ts';
import { PublicArea, SizedPublicArea } from '#protocol/tpm/public-area.ts';
import { Signature } from '#protocol/tpm/signature.ts';
import { SizedBuffer } from '#protocol/tpm/sized-buffer.ts';
import {
  attestationKeyTemplate,
  departureFrom,
  eccEndorsementKeyTemplate,
  endorsementKeyTemplate,
  storageKeyTemplate,
  vrfKeyTemplate,
} from '#protocol/tpm/templates.ts';
import type { Decoded, Structure } from '#protocol/tpm/wire.ts';
import { attestationKey, captured, crypto, endorsementKey, hex, reasonOf, vrfKey } from './captured.ts';

interface RealBytes {
  name: string;
  bytes: Uint8Array;
  decode: (bytes: Uint8Array) => Decoded<unknown>;
  /** Hexadecimal of what the decoded value encodes to. */
  reencoded: (bytes: Uint8Array) => string;
}

function real<T>({ name, decode, encode }: Structure<T>, text: string): RealBytes {
  const reencoded = (bytes: Uint8Array) => {
    const decoded = decode(bytes);
    return decoded.status === 'decoded' ? encode(decoded.value).toHex() : decoded.detail;
  };
  return { name, bytes: hex(text), decode, reencoded };
}

const attested = [captured.quote, captured.time, captured.certify, captured.certifyCreation, captured.attacks.nvCertified];
const realStructures = [
  ...[captured.endorsementKey, captured.attestationKey, captured.vrfKey].map((area) => real(PublicArea, area)),
  ...attested.flatMap(({ attestation, signature }) => [real(Attest, attestation), real(Signature, signature)]),
];

describe('structures of a real TPM', () => {
  test('decode and encode to the same bytes', () => {
    for (const { name, bytes, reencoded } of realStructures) assert.equal(reencoded(bytes), bytes.toHex(), name);
  });

  test('cut off anywhere are truncated, with a byte more have trailing bytes', () => {
    for (const { bytes, decode } of realStructures) {
      for (let length = 0; length < bytes.length; length++) assert.equal(reasonOf(decode(bytes.subarray(0, length))), 'truncated');
      assert.equal(reasonOf(decode(Uint8Array.of(...bytes, 0))), 'trailing-bytes');
    }
  });

  test('templates are those from which tpm2-tools made the keys', () => {
    for (const [template, text] of [
      [endorsementKeyTemplate, captured.endorsementKey],
      [attestationKeyTemplate, captured.attestationKey],
      [vrfKeyTemplate, captured.vrfKey],
    ] as const) {
      const decoded = PublicArea.decode(hex(text));
      assert.ok(decoded.status === 'decoded');
      assert.equal(departureFrom(template, decoded.value), undefined);
    }
  });

  test('names and qualified names are those that the TPM computes (Part 1 sections 14 and 25.5)', () => {
    const certified = decodeAttestOf('certify', hex(captured.certify.attestation));
    assert.ok(certified.status === 'decoded');
    const { qualifiedSigner, attested } = certified.value;
    assert.equal(qualifiedSigner.toHex(), attestationKey().qualifiedName.toHex());
    assert.deepEqual([attested.name.toHex(), attested.qualifiedName.toHex()], [vrfKey().name.toHex(), vrfKey().qualifiedName.toHex()]);
    assert.equal(endorsementKey().qualifiedName.length, 34);
  });

  test('the name of an NV index is that which NV_Certify shows', () => {
    const certified = decodeAttestOf('nv', hex(captured.attacks.nvCertified.attestation));
    const decoded = NvPublic.decode(hex('01500001' + '000b' + '20060006' + '0000' + '0020'));
    assert.ok(certified.status === 'decoded' && decoded.status === 'decoded');
    assert.equal(decoded.value.attributes.written, true);
    assert.equal(nameOfNvIndex(crypto, decoded.value).toHex(), certified.value.attested.indexName.toHex());
  });
});

describe('what no TPM of ours makes is invalid', () => {
  const area = captured.attestationKey;
  const invalid = <T>({ decode }: Structure<T>, text: string) => assert.equal(reasonOf(decode(hex(text))), 'invalid-value', text);

  test('reserved attribute bits', () => {
    assert.equal(area.slice(8, 16), '00050472');
    for (const bits of ['00050473', '0005047a', '80050472', '00051472']) invalid(PublicArea, area.slice(0, 8) + bits + area.slice(16));
  });

  test('unknown types, SHA-1 names, unknown curves and schemes', () => {
    invalid(PublicArea, '0024' + area.slice(4));
    invalid(PublicArea, '00230004' + area.slice(8));
    invalid(PublicArea, area.replace('00030010', '00990010'));
    invalid(Signature, '0010' + '000b');
    invalid(Signature, '001a' + captured.quote.signature.slice(4));
  });

  test('digests, names, points and signatures longer than any algorithm makes', () => {
    invalid(PublicArea, area.slice(0, 16) + '0041' + '00'.repeat(65) + area.slice(20));
    invalid(Signature, '0018000b' + '0043' + '00'.repeat(67) + '0001' + '00');
    invalid(Signature, '0014000b' + '0201' + '00'.repeat(513));
  });

  test('bytes that are encoded but have no TPM_GENERATED, and credentials that are longer than a name', () => {
    invalid(Attest, captured.attacks.forgedMagic.attestation);
    invalid(CredentialBlob, '0065' + '0020' + '00'.repeat(32) + '00'.repeat(67));
  });

  test('a boolean that is neither 0 nor 1', () => {
    const bytes = TimeInfo.encode({ time: 1n, clockInfo: { clock: 1n, resetCount: 1, restartCount: 1, safe: true } });
    invalid(TimeInfo, bytes.with(-1, 2).toHex());
  });

  test('more PCR banks than there are hashes, and masks of no byte or more than four', () => {
    invalid(PcrSelection, 'ffffffff');
    invalid(PcrSelection, '00000011' + '000b03000000'.repeat(17));
    invalid(PcrSelection, '00000001' + '000b00');
    invalid(PcrSelection, '00000001' + '000b050000000000');
  });

  test('a TPM2B whose content is shorter or longer than it says', () => {
    const sized = SizedBuffer.encode(hex(area));
    assert.equal(SizedPublicArea.decode(sized).status, 'decoded');
    assert.equal(reasonOf(SizedPublicArea.decode(sized.with(1, (sized[1] ?? 0) - 1))), 'truncated');
    assert.equal(reasonOf(SizedPublicArea.decode(Uint8Array.of(0, (sized[1] ?? 0) + 1, ...hex(area), 0))), 'trailing-bytes');
  });

  test('bytes beyond any structure are not looked at', () => {
    assert.equal(reasonOf(PublicArea.decode(new Uint8Array(2_049))), 'too-large');
  });

  test('bytes without TPM_GENERATED, whatever follows', () => {
    assert.equal(reasonOf(decodeAttestOf('quote', hex(captured.attacks.forgedMagic.attestation))), 'not-tpm-generated');
    assert.equal(reasonOf(decodeAttestOf('quote', new Uint8Array())), 'not-tpm-generated');
    assert.equal(reasonOf(decodeAttestOf('quote', hex('ff544347'))), 'malformed');
    assert.equal(reasonOf(decodeAttestOf('quote', hex(captured.time.attestation))), 'other-kind');
  });
});

describe('the longest that is allowed', () => {
  const decodes = <T>({ decode, encode }: Structure<T>, text: string) => {
    const decoded = decode(hex(text));
    assert.ok(decoded.status === 'decoded', decoded.status === 'malformed' ? decoded.detail : '');
    assert.equal(encode(decoded.value).toHex(), text);
  };

  test('is decoded and encoded: digests, points, RSA-4096, masks of 32 registers, all banks, a whole structure', () => {
    decodes(PublicArea, captured.attestationKey.slice(0, 16) + '0040' + '00'.repeat(64) + captured.attestationKey.slice(20));
    decodes(Signature, '0018000b' + '0042' + '00'.repeat(66) + '0001' + '00');
    decodes(Signature, '0014000b' + '0200' + '00'.repeat(512));
    decodes(PcrSelection, '00000010' + '000b0400000000'.repeat(16));
    decodes(CredentialBlob, '0064' + '0020' + '00'.repeat(32) + '00'.repeat(66));
    decodes(SizedBuffer, '07fe' + '00'.repeat(2_046));
  });

  test('is the longest that is encoded', () => {
    assert.throws(() => PcrSelection.encode(Array.from({ length: 17 }, () => selectPcrs('sha256', [1])[0]!)), RangeError);
    assert.throws(() => Signature.encode({ scheme: 'ecdsa', hash: 'sha256', r: new Uint8Array(67), s: new Uint8Array(1) }), RangeError);
  });
});

describe('values', () => {
  test('a PCR selection lists its indices in the order in which a TPM hashes them', () => {
    fc.assert(
      fc.property(fc.uniqueArray(fc.nat(23)), (indices) => {
        const [selection] = selectPcrs('sha256', indices);
        assert.deepEqual(
          pcrIndices(selection!.mask),
          indices.toSorted((left, right) => left - right),
        );
      }),
    );
    for (const index of [24, -1, 0.5]) assert.throws(() => selectPcrs('sha256', [index]), RangeError);
  });

  test('attributes are named, and differences found by name', () => {
    assert.deepEqual(differingAttributes(objectAttributes('sign'), objectAttributes('decrypt', 'noDA')), ['noDA', 'decrypt', 'sign']);
    const departure = departureFrom(attestationKeyTemplate, storageKeyTemplate);
    assert.equal(departure, 'decrypt is set, sign is clear, unlike the template');
    assert.equal(departureFrom(endorsementKeyTemplate, eccEndorsementKeyTemplate), 'the key is ecc; the template says rsa');
  });

  test('a name begins with its algorithm', () => {
    assert.equal(
      nameOf(crypto, { ...attestationKeyTemplate, nameAlgorithm: 'sha384' })
        .subarray(0, 2)
        .toHex(),
      '000c',
    );
    assert.equal(nameOf(crypto, attestationKeyTemplate).length, 34);
  });

  test('a credential keeps its integrity value apart from what is encrypted', () => {
    const value = { integrityHmac: new Uint8Array(32).fill(1), encryptedIdentity: new Uint8Array(34).fill(2) };
    const bytes = CredentialBlob.encode(value);
    assert.equal(bytes.subarray(0, 4).toHex(), '00440020');
    assert.deepEqual(CredentialBlob.decode(bytes), { status: 'decoded', value });
  });
});
