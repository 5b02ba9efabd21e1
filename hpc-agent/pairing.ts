/**
 * The invited side of pairing, of a box and of a client: makes the keys, asks the device, keeps the certificate.
 * Specification §5.6. Keys never leave the folder in which they were made.
 */
import { createPrivateKey, createPublicKey, generateKeyPairSync, randomBytes, X509Certificate, type KeyObject } from 'node:crypto';
import { chmod, mkdir, writeFile } from 'node:fs/promises';
import path from 'node:path';
import { encodeJson, sameBytes } from '#protocol/codec.ts';
import { blobDigest } from '#protocol/digest.ts';
import type { Connection } from '#protocol/mqtt-port.ts';
import { decodeNetwork, networkId } from '#protocol/network.ts';
import type { PairingRequest, Scene } from '#protocol/pairing.ts';
import type { HolderKind, PairingCode, WindowAddress } from '#protocol/pairing-code.ts';
import { readIfThere, writeAtomic } from './atomic-file.ts';
import { BoxConnectionFile, ClientConnectionFile, HOLDER_FILES, holderIn, type Holder, type Through } from './holder-files.ts';
import { PairingFailed, talkToDevice, type Granted } from './prover-talk.ts';

/** Opens a connection to a pairing broker; the caller brings it, because the agent owns no MQTT library. */
export type OpenPairingConnection = (
  address: { url: string; onServerCertificate: (certificate: Uint8Array) => void },
  options: { clientId: string },
) => Connection;

/** What a person was told, and where the files go. */
export interface Invitation {
  readonly address: WindowAddress;
  readonly code: PairingCode;
  /** Made where it is missing; may depend on the device, whose name only the device says. */
  readonly folder: string | ((device: string) => string);
  /** Where a forwarder stands between here and the device: what to connect to afterwards, instead of what the device says. */
  readonly reachedAt?: string;
  /** The broker of somebody else through which the device is reached (§5.7). */
  readonly through?: Through;
}

export interface PairedHolder {
  readonly folder: string;
  readonly device: string;
  readonly kind: HolderKind;
  readonly name: string;
  readonly url: string;
  /** SHA-256 of the device's authority and of the new certificate, DER. */
  readonly authority: Uint8Array;
  readonly certificate: Uint8Array;
  /** Shown at the device too. */
  readonly digits: string;
}

/**
 * Pairs and writes {@link HOLDER_FILES} into a folder (0700; keys 0600), `connection.json` last. May be repeated: keys are
 * kept, and the device certifies them again.
 * @throws PairingFailed
 */
export async function pairHolder(
  { address, code, folder: place, reachedAt, through }: Invitation,
  open: OpenPairingConnection,
): Promise<PairedHolder> {
  const { kind, name } = address;
  const shown: { certificate?: Uint8Array } = {};
  const session = randomBytes(16).toString('hex');
  const connection = open({ url: address.url, onServerCertificate: (now) => (shown.certificate = now) }, { clientId: session });
  try {
    const line = { session, connection, certificate: () => shown.certificate };
    const { scene, grant, digits } = await talkToDevice(line, address, code, async (device) => {
      const folder = folderFor(place, device);
      await requireOwn(folder, { kind, device, name });
      return requestOf(kind, folder);
    });
    const folder = folderFor(place, scene.device);
    requireFitting(grant, scene, await keyIn(folder, 'key'));
    const url = reachedAt ?? grant.url;
    await keep(grant, scene, folder, { url, through });
    const fingerprints = { authority: blobDigest(grant.authority), certificate: blobDigest(grant.certificate) };
    return { folder, device: scene.device, kind, name, url, ...fingerprints, digits };
  } finally {
    await connection.close();
  }
}

function folderFor(place: Invitation['folder'], device: string): string {
  return typeof place === 'string' ? place : place(device);
}

/** @throws PairingFailed where the folder is another's */
async function requireOwn(folder: string, asked: Holder): Promise<void> {
  const known = await holderIn(folder);
  if (!known || (known.device === asked.device && known.kind === asked.kind && known.name === asked.name)) return;
  throw new PairingFailed(
    'other-holder',
    `${folder} holds the ${known.kind} "${known.name}" of device ${known.device}; name another folder`,
  );
}

async function requestOf(kind: HolderKind, folder: string): Promise<PairingRequest> {
  await mkdir(folder, { recursive: true, mode: 0o700 });
  await chmod(folder, 0o700);
  const publicKey = publicKeyOf(await keyIn(folder, 'key'));
  if (kind === 'client') return { publicKey };
  return { publicKey, signingKey: rawPublicKeyOf(await keyIn(folder, 'signingKey')) };
}

/** A grant must certify this key under this name, and be of the device whose broker was asked; that the device made it, its seal has shown. */
function requireFitting(grant: Granted, scene: Scene, key: KeyObject): void {
  const [certificate, authority, server] = [grant.certificate, grant.authority, scene.certificate].map((der) => readCertificate(der));
  if (!certificate?.checkPrivateKey(key)) throw new PairingFailed('foreign-answer', 'the certificate is for another key');
  if (certificate.subject !== `CN=${scene.name}`)
    throw new PairingFailed('foreign-answer', `the certificate names ${certificate.subject}; it must name CN=${scene.name}`);
  if (!authority || !server?.verify(authority.publicKey) || server.subject !== `CN=${scene.device}`)
    throw new PairingFailed('foreign-answer', `the authority in the grant did not certify the broker of ${scene.device}`);
  if (!grant.network) return;
  const network = decodeNetwork(grant.network);
  if (network.status === 'malformed') throw new PairingFailed('foreign-answer', `the device's network file is damaged: ${network.detail}`);
  if (!sameBytes(networkId(network.value), scene.network))
    throw new PairingFailed('foreign-answer', 'the network file is not that of the network in which the device greeted');
}

async function keep(
  grant: Granted,
  { kind, name, device, network }: Scene,
  folder: string,
  { url, through }: { readonly url: string; readonly through: Through | undefined },
): Promise<void> {
  const write = (file: string, content: string | Uint8Array): Promise<void> =>
    writeAtomic(path.join(folder, file), typeof content === 'string' ? Buffer.from(content) : content);
  await write(HOLDER_FILES.certificate, new X509Certificate(grant.certificate).toString());
  await write(HOLDER_FILES.authority, new X509Certificate(grant.authority).toString());
  if (grant.network) await write(HOLDER_FILES.network, grant.network);
  const common = { url, device, network };
  const connection =
    kind === 'client'
      ? encodeJson(ClientConnectionFile, { ...common, client: name })
      : encodeJson(BoxConnectionFile, { ...common, box: name, ...(through ? { through } : {}) });
  await write(HOLDER_FILES.connection, `${connection}\n`);
}

function readCertificate(der: Uint8Array): X509Certificate | undefined {
  try {
    return new X509Certificate(der);
  } catch {
    return undefined;
  }
}

/** The key of a folder, made where there is none: P-256 for TLS, Ed25519 for what a box signs. */
async function keyIn(folder: string, which: 'key' | 'signingKey'): Promise<KeyObject> {
  const file = path.join(folder, HOLDER_FILES[which]);
  const known = await readIfThere(file);
  if (known) return createPrivateKey(Buffer.from(known));
  const { privateKey } = which === 'key' ? generateKeyPairSync('ec', { namedCurve: 'P-256' }) : generateKeyPairSync('ed25519');
  await writeFile(file, privateKey.export({ format: 'pem', type: 'pkcs8' }), { mode: 0o600, flag: 'wx', flush: true });
  return privateKey;
}

function publicKeyOf(key: KeyObject): Uint8Array {
  return new Uint8Array(createPublicKey(key).export({ format: 'der', type: 'spki' }));
}

/** The last 32 bytes of an Ed25519 SubjectPublicKeyInfo are the key (RFC 8410 §4). */
function rawPublicKeyOf(key: KeyObject): Uint8Array {
  return publicKeyOf(key).slice(-32);
}
