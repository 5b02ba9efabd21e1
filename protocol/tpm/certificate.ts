/**
 * X.509 certificates of endorsement keys and of the authorities above them. RFC 5280; TCG EK Credential Profile 2.5.
 *
 * Own code, since judging is synchronous and pure and the libraries are neither; and strict, since this decides
 * who may hold a seat: version 3, algorithms in use, no extension twice, nothing behind the end.
 */
import type { Curve, HashAlgorithm } from '../crypto.ts';
import { LIMITS } from '../limits.ts';
import {
  derBitString,
  derBoolean,
  derBytes,
  derElement,
  derElements,
  derObjectIdentifier,
  derSmallUnsigned,
  derTag,
  derTime,
  derUnsigned,
  expected,
  MalformedDer,
  type DerElement,
} from './der.ts';

export type CertifiedPublicKey = { type: 'rsa'; modulus: Uint8Array; exponent: number } | { type: 'ecc'; curve: Curve; point: Uint8Array };

export interface Certificate {
  encoded: Uint8Array;
  /** TBSCertificate, what the issuer signed. */
  signed: Uint8Array;
  signatureAlgorithm: { type: 'rsa' | 'ecc'; hash: HashAlgorithm };
  signature: Uint8Array;
  /** Distinguished names as DER, compared byte by byte. */
  issuer: Uint8Array;
  subject: Uint8Array;
  /** ms since 1970, both inclusive. */
  notBeforeMs: number;
  notAfterMs: number;
  publicKey: CertifiedPublicKey;
  extensions: CertificateExtensions;
}

export interface CertificateExtensions {
  /** Absent: not an authority. */
  basicConstraints?: { authority: boolean; pathLengthMax?: number };
  keyUsage?: { keyCertSign: boolean };
  /** Object identifiers. */
  extendedKeyUsage?: string[];
  /** Critical extensions that nothing here understands. */
  unknownCritical: string[];
}

export type DecodedCertificate =
  { status: 'decoded'; value: Certificate } | { status: 'malformed'; reason: 'not-a-certificate'; detail: string };

/** @param encoded DER */
export function decodeCertificate(encoded: Uint8Array): DecodedCertificate {
  try {
    if (encoded.length > LIMITS.certificateBytesMax)
      throw new MalformedDer(`${encoded.length} bytes; at most ${LIMITS.certificateBytesMax} are accepted`);
    return { status: 'decoded', value: readCertificate(encoded) };
  } catch (error) {
    if (!(error instanceof MalformedDer)) throw error;
    return { status: 'malformed', reason: 'not-a-certificate', detail: `certificate: ${error.message}` };
  }
}

/** r then s, each `bytes` long; undefined where it is no such signature. RFC 3279 section 2.2.3. */
export function ecdsaSignatureOf(signature: Uint8Array, bytes: number): Uint8Array | undefined {
  try {
    const [r, s, ...more] = derElements(derElement(signature, derTag.sequence, 'signature').contents, 3, 'signature');
    const numbers = [derUnsigned(r, 'r'), derUnsigned(s, 's')];
    if (more.length > 0 || numbers.some((number) => number.length > bytes)) return undefined;
    const fixed = new Uint8Array(2 * bytes);
    numbers.forEach((number, index) => fixed.set(number, (index + 1) * bytes - number.length));
    return fixed;
  } catch (error) {
    if (!(error instanceof MalformedDer)) throw error;
    return undefined;
  }
}

const oid = {
  rsaEncryption: '1.2.840.113549.1.1.1',
  ecPublicKey: '1.2.840.10045.2.1',
  keyUsage: '2.5.29.15',
  subjectAltName: '2.5.29.17',
  basicConstraints: '2.5.29.19',
  certificatePolicies: '2.5.29.32',
  extendedKeyUsage: '2.5.29.37',
} as const;

const signatureAlgorithms: Readonly<Record<string, Certificate['signatureAlgorithm']>> = {
  '1.2.840.113549.1.1.11': { type: 'rsa', hash: 'sha256' },
  '1.2.840.113549.1.1.12': { type: 'rsa', hash: 'sha384' },
  '1.2.840.113549.1.1.13': { type: 'rsa', hash: 'sha512' },
  '1.2.840.10045.4.3.2': { type: 'ecc', hash: 'sha256' },
  '1.2.840.10045.4.3.3': { type: 'ecc', hash: 'sha384' },
  '1.2.840.10045.4.3.4': { type: 'ecc', hash: 'sha512' },
};

const curves: Readonly<Record<string, { curve: Curve; pointBytes: number }>> = {
  '1.2.840.10045.3.1.7': { curve: 'P-256', pointBytes: 65 },
  '1.3.132.0.34': { curve: 'P-384', pointBytes: 97 },
};

const versionTag = 0xa0;
const extensionsTag = 0xa3;
const versionEncoded = '0201' + '02';

function readCertificate(encoded: Uint8Array): Certificate {
  const parts = derElements(derElement(encoded, derTag.sequence, 'the whole').contents, 3, 'the whole');
  const signed = expected(parts[0], derTag.sequence, 'the signed part');
  const algorithm = expected(parts[1], derTag.sequence, 'the signature algorithm');
  const [version, serial, innerAlgorithm, issuer, validity, subject, publicKey, extensions, ...more] = derElements(
    signed.contents,
    10,
    'the signed part',
  );
  if (expected(version, versionTag, 'the version').contents.toHex() !== versionEncoded) throw new MalformedDer('the version is not 3');
  expected(serial, derTag.integer, 'the serial number');
  if (innerAlgorithm?.encoded.toHex() !== algorithm.encoded.toHex())
    throw new MalformedDer('the signature algorithm differs inside and outside');
  if (more.length > 0) throw new MalformedDer('fields of the signed part that are not used any more');
  return {
    encoded,
    signed: signed.encoded,
    signatureAlgorithm: readSignatureAlgorithm(algorithm),
    signature: derBytes(parts[2], 'the signature'),
    issuer: expected(issuer, derTag.sequence, 'the issuer').encoded,
    subject: expected(subject, derTag.sequence, 'the subject').encoded,
    ...readValidity(expected(validity, derTag.sequence, 'the validity')),
    publicKey: readPublicKey(expected(publicKey, derTag.sequence, 'the public key')),
    extensions: readExtensions(expected(extensions, extensionsTag, 'the extensions')),
  };
}

/** RSA has NULL as its parameter (RFC 4055 section 5), ECDSA none (RFC 5758 section 3.2). */
function readSignatureAlgorithm(element: DerElement): Certificate['signatureAlgorithm'] {
  const [identifier, parameter] = derElements(element.contents, 2, 'the signature algorithm');
  const algorithm = signatureAlgorithms[derObjectIdentifier(identifier, 'the signature algorithm')];
  if (algorithm === undefined) throw new MalformedDer('the signature is neither RSA PKCS #1 nor ECDSA with SHA-256, SHA-384 or SHA-512');
  if (parameter?.encoded.toHex() !== (algorithm.type === 'rsa' ? '0500' : undefined))
    throw new MalformedDer('the signature algorithm has a wrong parameter');
  return algorithm;
}

function readValidity(element: DerElement): { notBeforeMs: number; notAfterMs: number } {
  const [notBefore, notAfter] = derElements(element.contents, 2, 'the validity');
  return { notBeforeMs: derTime(notBefore, 'the start of validity'), notAfterMs: derTime(notAfter, 'the end of validity') };
}

function readPublicKey(element: DerElement): CertifiedPublicKey {
  const [algorithm, bits] = derElements(element.contents, 2, 'the public key');
  const [identifier, parameter] = derElements(expected(algorithm, derTag.sequence, 'the key algorithm').contents, 2, 'the key algorithm');
  const bytes = derBytes(bits, 'the public key');
  switch (derObjectIdentifier(identifier, 'the key algorithm')) {
    case oid.rsaEncryption:
      return readRsaKey(parameter, bytes);
    case oid.ecPublicKey:
      return readEccKey(parameter, bytes);
    default:
      throw new MalformedDer('the public key is neither RSA nor ECC');
  }
}

function readRsaKey(parameter: DerElement | undefined, bytes: Uint8Array): CertifiedPublicKey {
  if (parameter?.encoded.toHex() !== '0500') throw new MalformedDer('the key algorithm has a wrong parameter');
  const [modulus, exponent] = derElements(derElement(bytes, derTag.sequence, 'the RSA key').contents, 2, 'the RSA key');
  return { type: 'rsa', modulus: derUnsigned(modulus, 'the modulus'), exponent: derSmallUnsigned(exponent, 'the exponent') };
}

function readEccKey(parameter: DerElement | undefined, point: Uint8Array): CertifiedPublicKey {
  const curve = curves[derObjectIdentifier(parameter, 'the curve')];
  if (curve === undefined) throw new MalformedDer('the curve is neither P-256 nor P-384');
  if (point.length !== curve.pointBytes || point[0] !== 4) throw new MalformedDer('the point is not uncompressed');
  return { type: 'ecc', curve: curve.curve, point };
}

function readExtensions(element: DerElement): CertificateExtensions {
  const list = derElement(element.contents, derTag.sequence, 'the extensions');
  const extensions: CertificateExtensions = { unknownCritical: [] };
  const seen = new Set<string>();
  for (const extension of derElements(list.contents, LIMITS.certificateExtensionsMax, 'the extensions')) {
    const { id, critical, value } = readExtension(extension);
    if (seen.has(id)) throw new MalformedDer(`the extension ${id} stands there twice`);
    seen.add(id);
    if (!interpret(extensions, id, value) && critical) extensions.unknownCritical.push(id);
  }
  return extensions;
}

function readExtension(element: DerElement): { id: string; critical: boolean; value: Uint8Array } {
  const parts = derElements(expected(element, derTag.sequence, 'an extension').contents, 3, 'an extension');
  const flag = parts.length === 3 ? parts[1] : undefined;
  return {
    id: derObjectIdentifier(parts[0], 'an extension'),
    critical: flag !== undefined && derBoolean(flag, 'the criticality of an extension'),
    value: expected(parts.at(-1), derTag.octetString, 'the value of an extension').contents,
  };
}

/**
 * Names of the chip (subjectAltName) and policies restrict nothing here: the key alone is compared, any policy will do.
 * @returns whether the extension is understood
 */
function interpret(extensions: CertificateExtensions, id: string, value: Uint8Array): boolean {
  switch (id) {
    case oid.basicConstraints:
      extensions.basicConstraints = readBasicConstraints(value);
      return true;
    case oid.keyUsage:
      extensions.keyUsage = {
        keyCertSign: ((derBitString(derElement(value, derTag.bitString, 'the key usage'), 'the key usage').bytes[0] ?? 0) & 0x04) !== 0,
      };
      return true;
    case oid.extendedKeyUsage:
      extensions.extendedKeyUsage = readExtendedKeyUsage(value);
      return true;
    case oid.subjectAltName:
    case oid.certificatePolicies:
      return true;
    default:
      return false;
  }
}

function readBasicConstraints(value: Uint8Array): { authority: boolean; pathLengthMax?: number } {
  const parts = derElements(derElement(value, derTag.sequence, 'the basic constraints').contents, 2, 'the basic constraints');
  const authority = parts[0]?.tag === derTag.boolean && derBoolean(parts[0], 'the authority flag');
  const length = parts[0]?.tag === derTag.boolean ? parts[1] : parts[0];
  if (parts.length === 2 && parts[0]?.tag !== derTag.boolean) throw new MalformedDer('the basic constraints are out of order');
  return length === undefined ? { authority } : { authority, pathLengthMax: derSmallUnsigned(length, 'the path length') };
}

function readExtendedKeyUsage(value: Uint8Array): string[] {
  const list = derElement(value, derTag.sequence, 'the extended key usage');
  return derElements(list.contents, LIMITS.certificateExtensionsMax, 'the extended key usage').map((element) =>
    derObjectIdentifier(element, 'an extended key usage'),
  );
}
