/** Certificates with chosen parts, for the rules that no certificate maker breaks. RFC 5280 section 4.1. */
import { derElement, derElements, derTag } from '#protocol/tpm/der.ts';
import { captured, hex } from './captured.ts';

export const real = hex(captured.certificate);
const [realSigned, realAlgorithm, realSignature] = children(real);
type Fields = [Uint8Array, Uint8Array, Uint8Array, Uint8Array, Uint8Array, Uint8Array, Uint8Array];
const [version, serial, algorithm, issuer, validity, subject, publicKey] = children(realSigned!) as Fields;
/** SubjectPublicKeyInfo of the real one. */
export const realPublicKey = publicKey;

export const oid = {
  rsa: '06092a864886f70d010101',
  rsaSha256: '06092a864886f70d01010b',
  rsaSha1: '06092a864886f70d010105',
  ecdsaSha256: '06082a8648ce3d040302',
  ecPublicKey: '06072a8648ce3d0201',
  p256: '06082a8648ce3d030107',
  p521: '06052b81040023',
  basicConstraints: '0603551d13',
  keyUsage: '0603551d0f',
  extendedKeyUsage: '0603551d25',
  unknown: '06032a0304',
};
export const nothing = hex('0500');
export const no = hex('010100');
export const yes = hex('0101ff');

export interface CertificateParts {
  version?: Uint8Array;
  innerAlgorithm?: Uint8Array;
  outerAlgorithm?: Uint8Array;
  validity?: Uint8Array;
  publicKey?: Uint8Array;
  extensions?: Uint8Array[] | 'none';
  behind?: Uint8Array[];
}

/** The real certificate with some of its parts replaced; its signature then no longer fits, which the reader doesn't look at. */
export function certificateWith(parts: CertificateParts): Uint8Array {
  const extensions = parts.extensions === 'none' ? [] : [tlv(0xa3, sequence(...(parts.extensions ?? [])))];
  const signed = sequence(
    ...[
      parts.version ?? version,
      serial,
      parts.innerAlgorithm ?? algorithm,
      issuer,
      parts.validity ?? validity,
      subject,
      parts.publicKey ?? publicKey,
    ],
    ...extensions,
    ...(parts.behind ?? []),
  );
  return sequence(signed, parts.outerAlgorithm ?? parts.innerAlgorithm ?? realAlgorithm!, realSignature!);
}

export function children(encoded: Uint8Array): Uint8Array[] {
  return derElements(derElement(encoded, derTag.sequence, 'it').contents, 10, 'it').map((element) => element.encoded);
}

function tlv(tag: number, contents: Uint8Array): Uint8Array {
  const { length } = contents;
  const header = length < 0x80 ? [length] : length < 0x100 ? [0x81, length] : [0x82, length >> 8, length & 0xff];
  return Uint8Array.of(tag, ...header, ...contents);
}

export function sequence(...parts: Uint8Array[]): Uint8Array {
  return tlv(derTag.sequence, Uint8Array.from(parts.flatMap((part) => [...part])));
}

export function octets(contents: Uint8Array): Uint8Array {
  return tlv(derTag.octetString, contents);
}

export function bits(contents: Uint8Array): Uint8Array {
  return tlv(derTag.bitString, Uint8Array.of(0, ...contents));
}
