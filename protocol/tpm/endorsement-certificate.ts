/**
 * Does a vendor vouch for this endorsement key? The chain from its certificate to an authority that the network names.
 * RFC 5280 section 6; TCG EK Credential Profile 2.5 section 3.2.
 */
import { equalBytes } from '@noble/curves/utils.js';
import type { Crypto } from '../crypto.ts';
import { LIMITS } from '../limits.ts';
import { decodeCertificate, ecdsaSignatureOf, type Certificate } from './certificate.ts';
import { rsaExponent, type EndorsementKey } from './endorsement-key.ts';

/** tcg-kp-EKCertificate. */
const endorsementKeyUsage = '2.23.133.8.1';

export interface EndorsementAuthority {
  /** DER. Trusted for its name, key and constraints because the network's user chose it; its own signature isn't looked at. */
  certificate: Uint8Array;
  /** Certifies software TPMs: refused where only chips count. */
  softwareTpm: boolean;
}

export interface CertificateChain {
  /** Of the endorsement key, DER. */
  certificate: Uint8Array;
  /** In any order, DER; those that don't belong to the chain are ignored. */
  intermediates: readonly Uint8Array[];
}

export type EndorsementCertificateRefusal =
  | 'malformed'
  | 'other-key'
  | 'not-an-endorsement-certificate'
  | 'unknown-authority'
  | 'signature-wrong'
  | 'not-an-authority'
  | 'path-too-long'
  | 'unknown-critical-extension'
  | 'not-yet-valid'
  | 'expired';

export type EndorsementCertificateVerdict =
  { status: 'accepted'; authority: EndorsementAuthority } | { status: 'refused'; reason: EndorsementCertificateRefusal; detail: string };

type Refusal = { status: 'refused'; reason: EndorsementCertificateRefusal; detail: string };
type Anchor = { certificate: Certificate; authority: EndorsementAuthority };

/** @param atMs ms since 1970: the time at which the whole chain must be valid */
export function judgeEndorsementCertificate(
  crypto: Crypto,
  key: EndorsementKey,
  chain: CertificateChain,
  authorities: readonly EndorsementAuthority[],
  atMs: number,
): EndorsementCertificateVerdict {
  const decoded = decodeCertificate(chain.certificate);
  if (decoded.status === 'malformed') return refused('malformed', decoded.detail);
  const leaf = judgeLeaf(decoded.value, key);
  if (leaf !== undefined) return leaf;
  if (chain.intermediates.length > LIMITS.certificateIntermediatesMax) {
    return refused(
      'path-too-long',
      `${chain.intermediates.length} intermediate certificates; at most ${LIMITS.certificateIntermediatesMax} are looked at`,
    );
  }
  const intermediates = decodedOf(chain.intermediates);
  const anchors = authorities.flatMap((authority) => decodedOf([authority.certificate]).map((certificate) => ({ certificate, authority })));
  return walk(crypto, decoded.value, intermediates, anchors, atMs);
}

function judgeLeaf(certificate: Certificate, key: EndorsementKey): Refusal | undefined {
  const { publicKey, extensions } = certificate;
  if (publicKey.type !== 'rsa' || publicKey.exponent !== rsaExponent || !equalBytes(publicKey.modulus, key.modulus)) {
    return refused('other-key', 'the certificate is for another key than the endorsement key');
  }
  if (extensions.basicConstraints?.authority === true || extensions.keyUsage?.keyCertSign === true) {
    return refused('not-an-endorsement-certificate', 'the certificate is an authority’s');
  }
  if (extensions.extendedKeyUsage !== undefined && !extensions.extendedKeyUsage.includes(endorsementKeyUsage)) {
    return refused('not-an-endorsement-certificate', `the extended key usage lacks ${endorsementKeyUsage}`);
  }
  return undefined;
}

/** From the leaf upwards, one issuer at a time; no certificate twice, so it ends. */
function walk(
  crypto: Crypto,
  leaf: Certificate,
  intermediates: readonly Certificate[],
  anchors: readonly Anchor[],
  atMs: number,
): EndorsementCertificateVerdict {
  let subject = leaf;
  let remaining = [...intermediates];
  for (let below = 0; below <= intermediates.length; below++) {
    const flaw = judgeAlone(subject, atMs);
    if (flaw !== undefined) return flaw;
    const anchor = anchors.find(({ certificate }) => issued(crypto, certificate, subject));
    if (anchor !== undefined)
      return (
        judgeIssuer(anchor.certificate, below) ??
        judgeAlone(anchor.certificate, atMs) ?? { status: 'accepted', authority: anchor.authority }
      );
    const issuer = remaining.find((candidate) => issued(crypto, candidate, subject));
    if (issuer === undefined) return noIssuer(subject, [...remaining, ...anchors.map(({ certificate }) => certificate)]);
    const unfit = judgeIssuer(issuer, below);
    if (unfit !== undefined) return unfit;
    remaining = remaining.filter((candidate) => candidate !== issuer);
    subject = issuer;
  }
  return refused('unknown-authority', 'the chain does not end at an authority of the network');
}

function judgeAlone(certificate: Certificate, atMs: number): Refusal | undefined {
  const { notBeforeMs, notAfterMs, extensions } = certificate;
  const [unknown] = extensions.unknownCritical;
  if (unknown !== undefined)
    return refused('unknown-critical-extension', `a certificate of the chain has the critical extension ${unknown}, which is not known`);
  if (atMs < notBeforeMs)
    return refused('not-yet-valid', `a certificate of the chain is valid from ${new Date(notBeforeMs).toISOString()}`);
  if (atMs > notAfterMs) return refused('expired', `a certificate of the chain was valid until ${new Date(notAfterMs).toISOString()}`);
  return undefined;
}

/** @param below intermediate certificates between this one and the leaf */
function judgeIssuer(certificate: Certificate, below: number): Refusal | undefined {
  const { basicConstraints, keyUsage } = certificate.extensions;
  if (basicConstraints?.authority !== true || keyUsage?.keyCertSign === false) {
    return refused('not-an-authority', 'a certificate of the chain was issued by one that may not issue certificates');
  }
  if (basicConstraints.pathLengthMax !== undefined && below > basicConstraints.pathLengthMax) {
    return refused(
      'path-too-long',
      `an authority allows ${basicConstraints.pathLengthMax} intermediate certificates below it; there are ${below}`,
    );
  }
  return undefined;
}

function issued(crypto: Crypto, issuer: Certificate, subject: Certificate): boolean {
  return equalBytes(issuer.subject, subject.issuer) && signatureHolds(crypto, issuer, subject);
}

function signatureHolds(crypto: Crypto, { publicKey }: Certificate, { signed, signature, signatureAlgorithm }: Certificate): boolean {
  if (publicKey.type !== signatureAlgorithm.type) return false;
  if (publicKey.type === 'rsa')
    return crypto.verifyRsaPkcs1(publicKey.modulus, publicKey.exponent, signatureAlgorithm.hash, signed, signature);
  const fixed = ecdsaSignatureOf(signature, (publicKey.point.length - 1) / 2);
  return fixed !== undefined && crypto.verifyEcdsa(publicKey.curve, publicKey.point, signatureAlgorithm.hash, signed, fixed);
}

function noIssuer(subject: Certificate, candidates: readonly Certificate[]): Refusal {
  return candidates.some((candidate) => equalBytes(candidate.subject, subject.issuer))
    ? refused('signature-wrong', 'a certificate of the chain is not signed by the issuer that it names')
    : refused('unknown-authority', 'the chain does not end at an authority of the network');
}

function decodedOf(certificates: readonly Uint8Array[]): Certificate[] {
  return certificates.flatMap((certificate) => {
    const decoded = decodeCertificate(certificate);
    return decoded.status === 'decoded' ? [decoded.value] : [];
  });
}

function refused(reason: EndorsementCertificateRefusal, detail: string): Refusal {
  return { status: 'refused', reason, detail };
}
