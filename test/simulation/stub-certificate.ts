/** X.509 certificates of endorsement keys with pretended signatures. RFC 5280 section 4.1; read by `protocol/tpm/certificate.ts`. */
import { derTag } from '#protocol/tpm/der.ts';
import { stretched, stubRsaOperation, stubCrypto } from './stub-crypto.ts';
import { pkcs1Encoding } from '#protocol/rsa.ts';

/** An authority that certifies whatever it is asked to. */
export interface StubAuthority {
  /** DER. */
  readonly certificate: Uint8Array;
  issue(modulus: Uint8Array): Uint8Array;
}

export function stubAuthority(name: string): StubAuthority {
  const modulus = stubModulus(`authority ${name}`);
  const issuer = nameOf(name);
  const sign = (signed: Uint8Array): Uint8Array => {
    const encoded = pkcs1Encoding('sha256', stubCrypto.sha256(signed), modulus.length);
    return sequence(signed, rsaSha256, bitString(stubRsaOperation(modulus, encoded)));
  };
  const authorityFlag = sequence(hex('0603551d13'), tlv(derTag.octetString, sequence(hex('0101ff'))));
  return {
    certificate: sign(signedPart(issuer, issuer, modulus, [authorityFlag])),
    issue: (subject) => sign(signedPart(issuer, nameOf('chip'), subject, [])),
  };
}

/** 2,048 bits, odd, without a known fingerprint. */
export function stubModulus(seed: string): Uint8Array {
  const bytes = stretched(new TextEncoder().encode(seed), 256);
  return bytes.with(0, (bytes[0] ?? 0) | 0xc0).with(255, (bytes[255] ?? 0) | 1);
}

const hex = (text: string): Uint8Array => Uint8Array.fromHex(text);
const rsaSha256 = sequence(hex('06092a864886f70d01010b'), hex('0500'));
const always = sequence(time('20200101000000Z'), time('21191231235959Z'));

function signedPart(issuer: Uint8Array, subject: Uint8Array, modulus: Uint8Array, extensions: readonly Uint8Array[]): Uint8Array {
  const key = sequence(
    sequence(hex('06092a864886f70d010101'), hex('0500')),
    bitString(sequence(tlv(derTag.integer, Uint8Array.of(0, ...modulus)), hex('0203010001'))),
  );
  return sequence(hex('a003020102'), hex('020101'), rsaSha256, issuer, always, subject, key, tlv(0xa3, sequence(...extensions)));
}

/** A common name. */
function nameOf(name: string): Uint8Array {
  return sequence(tlv(0x31, sequence(hex('0603550403'), tlv(0x0c, new TextEncoder().encode(name)))));
}

function time(text: string): Uint8Array {
  return tlv(0x18, new TextEncoder().encode(text));
}

function bitString(contents: Uint8Array): Uint8Array {
  return tlv(derTag.bitString, Uint8Array.of(0, ...contents));
}

function sequence(...parts: readonly Uint8Array[]): Uint8Array {
  return tlv(derTag.sequence, Uint8Array.from(parts.flatMap((part) => [...part])));
}

function tlv(tag: number, contents: Uint8Array): Uint8Array {
  const { length } = contents;
  const header = length < 0x80 ? [length] : length < 0x100 ? [0x81, length] : [0x82, length >> 8, length & 0xff];
  return Uint8Array.of(tag, ...header, ...contents);
}
