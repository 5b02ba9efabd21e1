/**
 * X.509 certificates and revocation lists as a device's authorities issue them: P-256, SHA-256, as narrow as their use.
 * RFC 5280 §4.1, §4.2, §5.1. Owner of the ASN.1 library (`@peculiar/asn1-*`).
 */
import { createHash, createPublicKey, sign, X509Certificate, type KeyObject } from 'node:crypto';
import { isIP } from 'node:net';
import { AsnConvert, OctetString } from '@peculiar/asn1-schema';
import * as asn1 from '@peculiar/asn1-x509';

/** What a certificate is for. `authority` may issue others, directly below itself only; `authorities` may certify authorities. */
export type CertificateUse = 'authority' | 'authorities' | 'server' | 'client';

export interface Issuer {
  /** The certificate whose subject and key stand in what is issued, DER. */
  readonly certificate: Uint8Array;
  readonly key: KeyObject;
}

export interface CertificateRequest {
  readonly commonName: string;
  readonly use: CertificateUse;
  /** SubjectPublicKeyInfo, DER. */
  readonly publicKey: Uint8Array;
  /** Positive, at most 20 bytes (RFC 5280 §4.1.2.2). */
  readonly serial: Uint8Array;
  readonly notBefore: Date;
  readonly notAfter: Date;
  /** Names and addresses of a server. */
  readonly hosts?: readonly string[];
}

export interface RevokedSerial {
  readonly serial: Uint8Array;
  readonly revokedAt: Date;
}

/** Issues a certificate, DER. Without an issuer it is signed by `ownKey` itself: the root of an authority. */
export function issueCertificate(request: CertificateRequest, issuer: Issuer | { readonly ownKey: KeyObject }): Uint8Array {
  const authority = 'ownKey' in issuer ? undefined : parseCertificate(issuer.certificate).tbsCertificate;
  const subject = nameOf(request.commonName);
  const tbsCertificate = new asn1.TBSCertificate({
    version: asn1.Version.v3,
    serialNumber: buffer(request.serial),
    signature: ecdsaWithSha256(),
    issuer: authority?.subject ?? subject,
    validity: new asn1.Validity({ notBefore: request.notBefore, notAfter: request.notAfter }),
    subject,
    subjectPublicKeyInfo: AsnConvert.parse(buffer(request.publicKey), asn1.SubjectPublicKeyInfo),
    extensions: new asn1.Extensions(extensionsOf(request, authority)),
  });
  return signedCertificate(tbsCertificate, 'ownKey' in issuer ? issuer.ownKey : issuer.key);
}

/**
 * Certifies the key of a foreign authority for holders of one name only (RFC 5280 §4.2.1.10), DER: whatever else that
 * authority issues is worth nothing to whoever trusts `issuer` alone.
 * @param authority its own certificate, DER
 * @throws Error where `authority` is no certificate
 */
export function certifyAuthority(authority: Uint8Array, holder: string, issuer: Issuer, serial: Uint8Array): Uint8Array {
  const foreign = parseCertificate(authority).tbsCertificate;
  const own = parseCertificate(issuer.certificate).tbsCertificate;
  const identifier = foreign.extensions?.find(({ extnID }) => extnID === asn1.id_ce_subjectKeyIdentifier);
  const permitted = new asn1.GeneralSubtree({ base: new asn1.GeneralName({ directoryName: nameOf(holder) }) });
  const constraints = new asn1.NameConstraints({ permittedSubtrees: new asn1.GeneralSubtrees([permitted]) });
  const tbsCertificate = new asn1.TBSCertificate({
    version: asn1.Version.v3,
    serialNumber: buffer(serial),
    signature: ecdsaWithSha256(),
    issuer: own.subject,
    validity: own.validity,
    subject: foreign.subject,
    subjectPublicKeyInfo: foreign.subjectPublicKeyInfo,
    extensions: new asn1.Extensions([
      extension(
        asn1.id_ce_basicConstraints,
        AsnConvert.serialize(new asn1.BasicConstraints({ cA: true, pathLenConstraint: 0 })),
        'critical',
      ),
      extension(asn1.id_ce_keyUsage, AsnConvert.serialize(new asn1.KeyUsage(asn1.KeyUsageFlags.keyCertSign)), 'critical'),
      extension(asn1.id_ce_nameConstraints, AsnConvert.serialize(constraints), 'critical'),
      ...(identifier ? [identifier] : []),
      authorityKeyOf(own),
    ]),
  });
  return signedCertificate(tbsCertificate, issuer.key);
}

/** A revocation list, DER. Its number, which rises from list to list (RFC 5280 §5.2.3), is the time in seconds. */
export function issueRevocationList(issuer: Issuer, revoked: readonly RevokedSerial[], thisUpdate: Date, nextUpdate: Date): Uint8Array {
  const authority = parseCertificate(issuer.certificate).tbsCertificate;
  const entries = revoked.map(
    ({ serial, revokedAt }) => new asn1.RevokedCertificate({ userCertificate: buffer(serial), revocationDate: new asn1.Time(revokedAt) }),
  );
  const tbsCertList = new asn1.TBSCertList({
    version: asn1.Version.v2,
    signature: ecdsaWithSha256(),
    issuer: authority.subject,
    thisUpdate: new asn1.Time(thisUpdate),
    nextUpdate: new asn1.Time(nextUpdate),
    ...(entries.length > 0 ? { revokedCertificates: entries } : {}),
    crlExtensions: [
      authorityKeyOf(authority),
      extension(asn1.id_ce_cRLNumber, AsnConvert.serialize(new asn1.CRLNumber(Math.floor(thisUpdate.getTime() / 1000)))),
    ],
  });
  const signature = signDer(AsnConvert.serialize(tbsCertList), issuer.key);
  return new Uint8Array(AsnConvert.serialize(new asn1.CertificateList({ tbsCertList, signatureAlgorithm: ecdsaWithSha256(), signature })));
}

/** RFC 7468: the textual form of DER. */
export function pemOf(label: 'CERTIFICATE' | 'X509 CRL', der: Uint8Array): string {
  const lines = der.toBase64().match(/.{1,64}/g) ?? [];
  return `-----BEGIN ${label}-----\n${lines.join('\n')}\n-----END ${label}-----\n`;
}

/** Whether these bytes are the certificate of an authority: what a member says of itself may be anything. */
export function isAuthorityCertificate(der: Uint8Array): boolean {
  try {
    return new X509Certificate(der).ca && parseCertificate(der).tbsCertificate.subject.length > 0;
  } catch {
    return false;
  }
}

/** Whether these bytes are a SubjectPublicKeyInfo with a P-256 key, the only kind that is certified. */
export function isP256PublicKey(publicKey: Uint8Array): boolean {
  try {
    const key = createPublicKey({ key: Buffer.from(publicKey), format: 'der', type: 'spki' });
    return key.asymmetricKeyDetails?.namedCurve === 'prime256v1' && publicKeyOf(key).equals(publicKey);
  } catch {
    return false;
  }
}

/** SubjectPublicKeyInfo of a key, DER. */
export function publicKeyOf(key: KeyObject): Buffer {
  return (key.type === 'private' ? createPublicKey(key) : key).export({ format: 'der', type: 'spki' });
}

function signedCertificate(tbsCertificate: asn1.TBSCertificate, key: KeyObject): Uint8Array {
  const signatureValue = signDer(AsnConvert.serialize(tbsCertificate), key);
  return new Uint8Array(
    AsnConvert.serialize(new asn1.Certificate({ tbsCertificate, signatureAlgorithm: ecdsaWithSha256(), signatureValue })),
  );
}

function extensionsOf(request: CertificateRequest, authority: asn1.TBSCertificate | undefined): asn1.Extension[] {
  const isAuthority = request.use === 'authority' || request.use === 'authorities';
  const constraints = isAuthority
    ? new asn1.BasicConstraints({ cA: true, pathLenConstraint: request.use === 'authority' ? 0 : 1 })
    : new asn1.BasicConstraints({ cA: false });
  const usage = new asn1.KeyUsage(
    isAuthority ? asn1.KeyUsageFlags.keyCertSign | asn1.KeyUsageFlags.cRLSign : asn1.KeyUsageFlags.digitalSignature,
  );
  const listed = [
    extension(asn1.id_ce_basicConstraints, AsnConvert.serialize(constraints), 'critical'),
    extension(asn1.id_ce_keyUsage, AsnConvert.serialize(usage), 'critical'),
    extension(asn1.id_ce_subjectKeyIdentifier, AsnConvert.serialize(new asn1.SubjectKeyIdentifier(keyIdentifier(request.publicKey)))),
  ];
  if (authority) listed.push(authorityKeyOf(authority));
  if (!isAuthority) {
    const purpose = request.use === 'server' ? asn1.id_kp_serverAuth : asn1.id_kp_clientAuth;
    listed.push(extension(asn1.id_ce_extKeyUsage, AsnConvert.serialize(new asn1.ExtendedKeyUsage([purpose]))));
  }
  if (request.hosts)
    listed.push(extension(asn1.id_ce_subjectAltName, AsnConvert.serialize(new asn1.SubjectAlternativeName(request.hosts.map(hostName)))));
  return listed;
}

function authorityKeyOf(authority: asn1.TBSCertificate): asn1.Extension {
  const identifier = new asn1.AuthorityKeyIdentifier({
    keyIdentifier: new asn1.KeyIdentifier(keyIdentifier(new Uint8Array(AsnConvert.serialize(authority.subjectPublicKeyInfo)))),
  });
  return extension(asn1.id_ce_authorityKeyIdentifier, AsnConvert.serialize(identifier));
}

/** RFC 7093 §2 method 4: a hash of the SubjectPublicKeyInfo, here the leftmost 160 bits of SHA-256. */
function keyIdentifier(publicKey: Uint8Array): ArrayBuffer {
  return buffer(createHash('sha256').update(publicKey).digest().subarray(0, 20));
}

function extension(extnID: string, value: ArrayBuffer, importance: 'critical' | 'informative' = 'informative'): asn1.Extension {
  return new asn1.Extension({ extnID, critical: importance === 'critical', extnValue: new OctetString(value) });
}

function nameOf(commonName: string): asn1.Name {
  const attribute = new asn1.AttributeTypeAndValue({ type: '2.5.4.3', value: new asn1.AttributeValue({ utf8String: commonName }) });
  return new asn1.Name([new asn1.RelativeDistinguishedName([attribute])]);
}

function hostName(host: string): asn1.GeneralName {
  return new asn1.GeneralName(isIP(host) ? { iPAddress: host } : { dNSName: host });
}

function ecdsaWithSha256(): asn1.AlgorithmIdentifier {
  return new asn1.AlgorithmIdentifier({ algorithm: '1.2.840.10045.4.3.2' });
}

function signDer(content: ArrayBuffer, key: KeyObject): ArrayBuffer {
  return buffer(sign('sha256', new Uint8Array(content), { key, dsaEncoding: 'der' }));
}

function parseCertificate(der: Uint8Array): asn1.Certificate {
  return AsnConvert.parse(buffer(der), asn1.Certificate);
}

function buffer(bytes: Uint8Array): ArrayBuffer {
  return Uint8Array.from(bytes).buffer;
}
