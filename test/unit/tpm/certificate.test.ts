/** The certificate reader: strict about everything that decides, one reason for all that is not a certificate. RFC 5280, X.690. */
import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { decodeCertificate, type Certificate } from '#protocol/tpm/certificate.ts';
import { derElement, derSmallUnsigned, derTag, derTime, MalformedDer } from '#protocol/tpm/der.ts';
import {
  bits,
  certificateWith,
  children,
  no,
  nothing,
  octets,
  oid,
  real,
  realPublicKey,
  sequence,
  yes,
  type CertificateParts,
} from './built-certificate.ts';
import { hex } from './captured.ts';

function decoded(parts: CertificateParts): Certificate {
  const result = decodeCertificate(certificateWith(parts));
  assert.ok(result.status === 'decoded', result.status === 'malformed' ? result.detail : '');
  return result.value;
}

function assertMalformed(parts: CertificateParts, detail: RegExp): void {
  const result = decodeCertificate(certificateWith(parts));
  assert.ok(result.status === 'malformed', String(detail));
  assert.match(result.detail, detail);
}

describe('certificate', () => {
  test('a real one is decoded, with its key, times and purposes', () => {
    const result = decodeCertificate(real);
    assert.ok(result.status === 'decoded');
    const { publicKey: key, extensions, signatureAlgorithm } = result.value;
    assert.ok(key.type === 'rsa' && key.exponent === 65_537 && key.modulus.length === 256);
    assert.deepEqual(signatureAlgorithm, { type: 'rsa', hash: 'sha256' });
    assert.deepEqual(extensions, {
      basicConstraints: { authority: false },
      keyUsage: { keyCertSign: false },
      extendedKeyUsage: ['2.23.133.8.1'],
      unknownCritical: [],
    });
  });

  test('version 3 is the only one', () => {
    assertMalformed({ version: hex('a003020101') }, /version/);
    assertMalformed({ version: hex('a003020103') }, /version/);
    assertMalformed({ version: hex('a103020102') }, /version/);
  });

  test('the algorithm is the same inside and outside', () => {
    assertMalformed({ outerAlgorithm: sequence(hex(oid.rsaSha256)) }, /differs/);
  });

  test('algorithms out of use, and parameters that do not belong to them, are refused', () => {
    assertMalformed({ innerAlgorithm: sequence(hex(oid.rsaSha1), nothing) }, /neither RSA/);
    assertMalformed({ innerAlgorithm: sequence(hex(oid.rsaSha256)) }, /parameter/);
    assertMalformed({ innerAlgorithm: sequence(hex(oid.ecdsaSha256), nothing) }, /parameter/);
    assert.deepEqual(decoded({ innerAlgorithm: sequence(hex(oid.ecdsaSha256)) }).signatureAlgorithm, { type: 'ecc', hash: 'sha256' });
  });

  test('unique identifiers and fields behind the extensions are refused', () => {
    assertMalformed({ behind: [nothing] }, /not used any more/);
    assertMalformed({ extensions: 'none', behind: [hex('810100')] }, /extensions/);
    assertMalformed({ extensions: 'none' }, /extensions/);
  });

  test('the validity is two times', () => {
    const start = hex('170d3236303130313030303030305a');
    const end = hex('180f39393939313233313233353935395a');
    assert.equal(decoded({ validity: sequence(start, end) }).notAfterMs, 253_402_300_799_000);
    assertMalformed({ validity: sequence(start) }, /end of validity/);
    assertMalformed({ validity: sequence(start, end, end) }, /more than 2/);
  });

  test('keys are RSA, or points of P-256 and P-384 without compression', () => {
    const point = hex(`04${'11'.repeat(64)}`);
    const eccKey = (curve: string, bytes: Uint8Array) => ({ publicKey: sequence(sequence(hex(oid.ecPublicKey), hex(curve)), bits(bytes)) });
    assert.deepEqual(decoded(eccKey(oid.p256, point)).publicKey, { type: 'ecc', curve: 'P-256', point });
    assertMalformed(eccKey(oid.p521, point), /curve/);
    assertMalformed(eccKey(oid.p256, point.subarray(1)), /point/);
    assertMalformed(eccKey(oid.p256, point.with(0, 2)), /point/);
    const rsaBits = children(realPublicKey)[1]!;
    assertMalformed({ publicKey: sequence(sequence(hex(oid.rsa)), rsaBits) }, /parameter/);
    assertMalformed({ publicKey: sequence(sequence(hex(oid.unknown), nothing), rsaBits) }, /neither RSA nor ECC/);
    assertMalformed(
      { publicKey: sequence(sequence(hex(oid.rsa), nothing), bits(sequence(hex('020109'), hex('02050100000001')))) },
      /exponent/,
    );
  });

  test('a bit string has at most seven unused bits, which are zero, and a key none', () => {
    const key = (bitString: string) => ({ publicKey: sequence(sequence(hex(oid.rsa), nothing), hex(bitString)) });
    assertMalformed(key('03020108'), /whole number of bytes/);
    assertMalformed(key('03020801'), /not a bit string/);
    assertMalformed(key('03020780'), /whole number of bytes/);
    assertMalformed(key('03020101'), /unused bits/);
    assertMalformed(key('030101'), /not a bit string/);
    assertMalformed(key('0300'), /not a bit string/);
  });

  test('an extension stands there once', () => {
    const unknown = sequence(hex(oid.unknown), octets(nothing));
    assertMalformed({ extensions: [unknown, unknown] }, /twice/);
  });

  test('unknown extensions are reported if they are critical', () => {
    const unknown = (critical: Uint8Array[]) => [sequence(hex(oid.unknown), ...critical, octets(nothing))];
    assert.deepEqual(decoded({ extensions: unknown([yes]) }).extensions, { unknownCritical: ['1.2.3.4'] });
    assert.deepEqual(decoded({ extensions: unknown([no]) }).extensions, { unknownCritical: [] });
    assertMalformed({ extensions: unknown([hex('010101')]) }, /neither true nor false/);
    assertMalformed({ extensions: unknown([hex('01020000')]) }, /neither true nor false/);
    assertMalformed({ extensions: unknown([nothing]) }, /criticality/);
    assertMalformed({ extensions: [sequence(hex(oid.unknown))] }, /value/);
  });

  test('basic constraints: absent flag means no authority, then an optional path length', () => {
    const constraints = (...parts: string[]) => [sequence(hex(oid.basicConstraints), yes, octets(sequence(...parts.map(hex))))];
    const of = (...parts: string[]) => decoded({ extensions: constraints(...parts) }).extensions.basicConstraints;
    assert.deepEqual(of(), { authority: false });
    assert.deepEqual(of('010100'), { authority: false });
    assert.deepEqual(of('0101ff'), { authority: true });
    assert.deepEqual(of('0101ff', '020100'), { authority: true, pathLengthMax: 0 });
    assert.deepEqual(of('0101ff', '020103'), { authority: true, pathLengthMax: 3 });
    assertMalformed({ extensions: constraints('0101ff', '0201ff') }, /positive/);
    assertMalformed({ extensions: constraints('020101', '0101ff') }, /out of order/);
    assertMalformed({ extensions: constraints('0101ff', '020101', '0500') }, /more than 2/);
  });

  test('key usage: the sixth bit is that of authorities', () => {
    const usage = (bitString: string) =>
      decoded({ extensions: [sequence(hex(oid.keyUsage), yes, octets(hex(bitString)))] }).extensions.keyUsage;
    assert.deepEqual(
      [usage('03020204'), usage('03020106'), usage('03020520'), usage('030100')].map((each) => each?.keyCertSign),
      [true, true, false, false],
    );
  });

  test('more extensions than any vendor uses, and certificates beyond the limit, are not looked at', () => {
    const many = Array.from({ length: 33 }, (_, index) => sequence(hex('06032a03' + index.toString(16).padStart(2, '0')), octets(nothing)));
    assertMalformed({ extensions: many }, /more than 32/);
    assert.equal(decoded({ extensions: many.slice(1) }).extensions.unknownCritical.length, 0);
    assertMalformed({ extensions: [sequence(hex(oid.unknown), octets(new Uint8Array(4_096)))] }, /at most 4096/);
  });
});

describe('distinguished encoding rules', () => {
  test('times are real times of the calendar, in the two forms of RFC 5280', () => {
    const utc = (text: string) => at(derTag.utcTime, text);
    const generalized = (text: string) => at(derTag.generalizedTime, text);
    assert.equal(utc('491231235959Z'), Date.UTC(2049, 11, 31, 23, 59, 59));
    assert.equal(utc('500101000000Z'), Date.UTC(1950, 0, 1));
    assert.equal(generalized('20240229000000Z'), Date.UTC(2024, 1, 29));
    assert.equal(generalized('20000229000000Z'), Date.UTC(2000, 1, 29));
    assert.equal(generalized('99991231235959Z'), 253_402_300_799_000);
    for (const bad of [
      '20230229000000Z',
      '21000229000000Z',
      '20241301000000Z',
      '20240001000000Z',
      '20240100000000Z',
      '20240132000000Z',
      '20240431000000Z',
    ])
      assert.throws(() => generalized(bad), MalformedDer, bad);
    for (const bad of [
      '20240101240000Z',
      '20240101006000Z',
      '20240101000060Z',
      '19491231235959Z',
      '240101000000Z',
      '20240101000000',
      '20240101000000+0100',
      '2024010100000zZ',
    ])
      assert.throws(() => generalized(bad), MalformedDer, bad);
    assert.throws(() => utc('20240101000000Z'), MalformedDer);
    for (const text of ['240101000000Z', '20240101000000Z']) assert.throws(() => at(derTag.integer, text), MalformedDer);
  });

  test('lengths are definite and in their shortest form', () => {
    const long = (header: string, length: number) => Uint8Array.of(4, ...hex(header), ...new Uint8Array(length));
    for (const [header, length] of [
      ['7f', 127],
      ['8180', 128],
      ['81ff', 255],
      ['820100', 256],
      ['82ffff', 65_535],
    ] as const)
      assert.equal(derElement(long(header, length), 4, 'it').contents.length, length);
    for (const [header, length] of [
      ['80', 0],
      ['80', 128],
      ['817f', 127],
      ['8200ff', 255],
      ['83010000', 65_536],
      ['7f', 126],
      ['81', 0],
      ['8201', 0],
      ['ff', 0],
    ] as const)
      assert.throws(() => derElement(long(header, length), 4, 'it'), MalformedDer, header);
    assert.throws(() => derElement(hex('1f0100'), 0x1f, 'it'), /several bytes/);
    assert.throws(() => derElement(hex('04'), 4, 'it'), /cut off/);
    assert.throws(() => derElement(hex('040000'), 4, 'it'), /behind/);
  });

  test('object identifiers are in their shortest form and complete', () => {
    const usage = (identifier: string) => ({ extensions: [sequence(hex(identifier), octets(nothing), yes)] });
    const unknown = (identifier: string) =>
      decoded({ extensions: [sequence(hex(identifier), yes, octets(nothing))] }).extensions.unknownCritical;
    assert.deepEqual(unknown('0603550401'), ['2.5.4.1']);
    assert.deepEqual(unknown('0603883701'), ['2.999.1']);
    assert.deepEqual(unknown('060127'), ['0.39']);
    assert.deepEqual(unknown('06042a818001'), ['1.2.16385']);
    for (const bad of ['06028001', '06022a80', '0600', '06082affffffffffff7f'])
      assertMalformed({ extensions: [sequence(hex(bad), yes, octets(nothing))] }, /object identifier/);
    assertMalformed(usage(oid.unknown), /criticality|value/);
  });

  test('integers are positive and in their shortest form', () => {
    const small = (text: string) => derSmallUnsigned(derElement(hex(text), derTag.integer, 'it'), 'it');
    assert.deepEqual(['020100', '02017f', '02020080', '020500ffffffff'].map(small), [0, 127, 128, 0xffffffff]);
    for (const bad of ['0200', '020180', '0202007f', '02050100000000', '02020000']) assert.throws(() => small(bad), MalformedDer, bad);
  });
});

function at(tag: number, text: string): number {
  return derTime({ tag, contents: new TextEncoder().encode(text), encoded: new Uint8Array() }, 'it');
}
