/**
 * A device's certificate authorities, one for each kind of name, so that the issuer of a certificate says what its
 * holder is: `device` (the broker's server certificate and the device as a peer of others), `clients` and `boxes`.
 * Specification §5.3.
 */
import { createPrivateKey, generateKeyPairSync, randomBytes, X509Certificate, type KeyObject } from 'node:crypto';
import { existsSync, mkdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { LIMITS } from '#protocol/limits.ts';
import { MQTT_LIMITS } from '../limits.ts';
import {
  certifyAuthority,
  isAuthorityCertificate,
  issueCertificate,
  issueRevocationList,
  pemOf,
  publicKeyOf,
  type Issuer,
  type RevokedSerial,
} from './certificate.ts';
import { writeWholeFile } from './whole-file.ts';

export type AuthorityKind = 'device' | 'clients' | 'boxes';
export type HolderKind = 'client' | 'box';

export interface IssuedCertificate {
  /** DER. */
  readonly certificate: Uint8Array;
  /** Lower-case hexadecimal. */
  readonly serial: string;
  readonly expiresAt: Date;
}

/** Where a certificate and its key lie, for programs that want files. */
export interface CredentialFiles {
  readonly certificateFile: string;
  readonly keyFile: string;
}

/** The authority of another device, DER, and the only name whose certificates it may issue. */
export interface PeerAuthority {
  readonly name: string;
  readonly root: Uint8Array;
}

export interface Authority {
  /** The root certificate of a kind, DER; `device`'s stands in the network file and in invitations. */
  root(kind: AuthorityKind): Uint8Array;
  rootFile(kind: AuthorityKind): string;
  /** Certifies a name that was judged before. `publicKey` is SubjectPublicKeyInfo of a P-256 key, DER. */
  certify(kind: HolderKind, name: string, publicKey: Uint8Array): IssuedCertificate;
  /** The revocation list of a kind, PEM. */
  revocationList(kind: HolderKind, revoked: readonly RevokedSerial[]): string;
  /** The broker's server certificate. */
  readonly server: CredentialFiles;
  /** With which the device reads from other devices' brokers. */
  readonly peer: CredentialFiles;
}

export interface AuthorityOptions {
  /** Made when absent, 0700; keys inside are 0600. */
  readonly folder: string;
  /** The device's name. */
  readonly device: string;
  /** Names and addresses under which the broker is reached, besides those of this machine itself. */
  readonly hosts: readonly string[];
}

/** Opens the authorities of a device, or founds them. The device's own two certificates are new at each start. */
export function openAuthority(options: AuthorityOptions): Authority {
  mkdirSync(options.folder, { recursive: true, mode: 0o700 });
  const open = (kind: AuthorityKind): Issuer => openRoot(options.folder, kind, `Capstan ${options.device} ${kind}`);
  const issuers = { device: open('device'), clients: open('clients'), boxes: open('boxes') };
  const issuerFor = (kind: HolderKind): Issuer => (kind === 'client' ? issuers.clients : issuers.boxes);
  const hosts = [...new Set(['localhost', '127.0.0.1', '::1', ...options.hosts])];
  return {
    root: (kind) => issuers[kind].certificate,
    rootFile: (kind) => rootFiles(options.folder, kind).certificateFile,
    certify: (kind, name, publicKey) => certify(issuerFor(kind), name, publicKey),
    revocationList: (kind, revoked) => {
      const list = issueRevocationList(issuerFor(kind), revoked, new Date(), new Date(Date.now() + MQTT_LIMITS.authorityValidMs));
      return pemOf('X509 CRL', list);
    },
    server: ownCredential(options.folder, 'server', options.device, issuers.device, hosts),
    peer: ownCredential(options.folder, 'client', options.device, issuers.device),
  };
}

/**
 * What a broker must trust so that each peer's authority vouches for that peer alone, PEM: a root whose key is forgotten at
 * once, and its word for each. Trusted as they are, any member's authority could issue certificates in the name of another.
 */
export function peerTrust(peers: readonly PeerAuthority[]): string {
  const key = generateKey();
  const notAfter = new Date(Date.now() + MQTT_LIMITS.authorityValidMs);
  const request = { commonName: 'Capstan peers', publicKey: publicKeyOf(key), serial: newSerial(), notBefore: foundedAt, notAfter };
  const root = issueCertificate({ ...request, use: 'authorities' }, { ownKey: key });
  const certified = peers
    .filter((peer) => isAuthorityCertificate(peer.root))
    .map((peer) => certifyAuthority(peer.root, peer.name, { certificate: root, key }, newSerial()));
  return [root, ...certified].map((certificate) => pemOf('CERTIFICATE', certificate)).join('');
}

/** A board without a clock may think that it is 1970; an authority is valid then as well. */
const foundedAt = new Date('2020-01-01T00:00:00Z');

function openRoot(folder: string, kind: AuthorityKind, commonName: string): Issuer {
  const { certificateFile, keyFile } = rootFiles(folder, kind);
  if (existsSync(certificateFile)) {
    return {
      certificate: new Uint8Array(new X509Certificate(readFileSync(certificateFile)).raw),
      key: createPrivateKey(readFileSync(keyFile)),
    };
  }
  const key = generateKey();
  const notAfter = new Date(Date.now() + MQTT_LIMITS.authorityValidMs);
  const certificate = issueCertificate(
    { commonName, use: 'authority', publicKey: publicKeyOf(key), serial: newSerial(), notBefore: foundedAt, notAfter },
    { ownKey: key },
  );
  writeKey(keyFile, key);
  writeWholeFile(certificateFile, pemOf('CERTIFICATE', certificate), 0o644);
  return { certificate, key };
}

function certify(issuer: Issuer, commonName: string, publicKey: Uint8Array): IssuedCertificate {
  const serial = newSerial();
  const expiresAt = new Date(Date.now() + LIMITS.certificateValidMs);
  const notBefore = new Date(Date.now() - LIMITS.clockSkewMaxMs);
  const certificate = issueCertificate({ commonName, use: 'client', publicKey, serial, notBefore, notAfter: expiresAt }, issuer);
  return { certificate, serial: serial.toHex(), expiresAt };
}

function ownCredential(
  folder: string,
  use: 'server' | 'client',
  commonName: string,
  issuer: Issuer,
  hosts?: readonly string[],
): CredentialFiles {
  const label = use === 'server' ? 'server' : 'peer';
  const files = { certificateFile: join(folder, `${label}.certificate.pem`), keyFile: join(folder, `${label}.key.pem`) };
  const key = generateKey();
  const notAfter = new Date(new X509Certificate(issuer.certificate).validTo);
  const request = { commonName, use, publicKey: publicKeyOf(key), serial: newSerial(), notBefore: foundedAt, notAfter };
  writeKey(files.keyFile, key);
  writeWholeFile(files.certificateFile, pemOf('CERTIFICATE', issueCertificate(hosts ? { ...request, hosts } : request, issuer)), 0o644);
  return files;
}

function rootFiles(folder: string, kind: AuthorityKind): CredentialFiles {
  return { certificateFile: join(folder, `${kind}.certificate.pem`), keyFile: join(folder, `${kind}.key.pem`) };
}

function generateKey(): KeyObject {
  return generateKeyPairSync('ec', { namedCurve: 'P-256' }).privateKey;
}

/** 16 random bytes whose first is 0x40 to 0x7f: positive, and always of one length in DER. */
function newSerial(): Uint8Array {
  const serial = new Uint8Array(randomBytes(16));
  serial[0] = 0x40 | ((serial[0] ?? 0) & 0x3f);
  return serial;
}

function writeKey(file: string, key: KeyObject): void {
  writeWholeFile(file, key.export({ format: 'pem', type: 'pkcs8' }), 0o600);
}
