/**
 * The invited side of pairing, of a box and of a client: makes the keys, asks the device, keeps the certificate.
 * Specification §5.6. Keys never leave the folder in which they were made.
 */
import { createPrivateKey, createPublicKey, generateKeyPairSync, X509Certificate, type KeyObject } from 'node:crypto';
import { chmod, mkdir, writeFile } from 'node:fs/promises';
import path from 'node:path';
import { encodeJson } from '#protocol/codec.ts';
import type { Connection } from '#protocol/mqtt-port.ts';
import { decodeNetwork, networkId } from '#protocol/network.ts';
import { judgePairingAnswer, sealPairingRequest, type AnswerVerdict, type Invitation, type PairingGrant } from '#protocol/pairing.ts';
import { topicOf, type Topic } from '#protocol/topics.ts';
import { readIfThere, writeAtomic } from './atomic-file.ts';
import { BoxConnectionFile, ClientConnectionFile, HOLDER_FILES } from './holder-files.ts';
import { pairingRepeatMs, pairingWaitMs } from './limits.ts';

/** Opens a connection to a device's pairing broker; the caller brings it, because the agent owns no MQTT library. */
export type OpenPairingConnection = (
  address: { url: string; authority: string; server: string },
  options: { clientId: string },
) => Connection;

export interface PairedHolder {
  readonly folder: string;
  readonly device: string;
  readonly name: string;
  readonly url: string;
}

/** Pairing was refused or nobody answered. `code` is a word of `PAIRING_REFUSALS`, `no-answer` or `foreign-answer`. */
export class PairingFailed extends Error {
  readonly code: string;

  constructor(code: string, message: string) {
    super(message);
    this.code = code;
  }
}

/**
 * Pairs and writes {@link HOLDER_FILES} into `folder` (0700; keys 0600), `connection.json` last. May be repeated after a
 * failure: keys are kept, and the device answers the same request again.
 * @throws PairingFailed
 */
export async function pairHolder(invitation: Invitation, folder: string, open: OpenPairingConnection): Promise<PairedHolder> {
  await mkdir(folder, { recursive: true, mode: 0o700 });
  await chmod(folder, 0o700);
  const key = await keyIn(path.join(folder, HOLDER_FILES.key), () => generateKeyPairSync('ec', { namedCurve: 'P-256' }).privateKey);
  const signingKey =
    invitation.kind === 'box'
      ? await keyIn(path.join(folder, HOLDER_FILES.signingKey), () => generateKeyPairSync('ed25519').privateKey)
      : undefined;
  const request = sealPairingRequest(invitation, {
    publicKey: publicKeyOf(key),
    ...(signingKey ? { signingKey: rawPublicKeyOf(signingKey) } : {}),
  });
  const verdict = await ask(invitation, request, open);
  if (verdict.status === 'refused')
    throw new PairingFailed(verdict.reason, `device ${invitation.device} refused to pair: ${verdict.detail}`);
  requireFitting(verdict.grant, invitation, key);
  await keep(verdict.grant, invitation, folder);
  return { folder, device: invitation.device, name: invitation.name, url: verdict.grant.url };
}

/** A grant must certify this key under this name; that the device made it, its MAC has shown. */
function requireFitting(grant: PairingGrant, invitation: Invitation, key: KeyObject): void {
  const certificate = new X509Certificate(grant.certificate);
  if (!certificate.checkPrivateKey(key)) throw new PairingFailed('foreign-answer', 'the certificate is for another key');
  if (certificate.subject !== `CN=${invitation.name}`)
    throw new PairingFailed('foreign-answer', `the certificate names ${certificate.subject}; it must name CN=${invitation.name}`);
  if (!grant.network) return;
  const network = decodeNetwork(grant.network);
  if (network.status === 'malformed') throw new PairingFailed('foreign-answer', `the device's network file is damaged: ${network.detail}`);
  if (Buffer.compare(networkId(network.value), invitation.network) !== 0)
    throw new PairingFailed('foreign-answer', 'the network file is not that of the invitation');
}

/** Asks until answered: the device may be about to open its door, and messages may be lost. */
async function ask(invitation: Invitation, request: Uint8Array, open: OpenPairingConnection): Promise<AnswerVerdict> {
  const id = invitation.id.toHex();
  const topic = (kind: 'request' | 'response'): string => {
    const to: Topic = { to: 'pairing', device: invitation.device, invitation: id, kind };
    return topicOf(invitation.network.subarray(0, 8).toHex(), to);
  };
  const authority = new X509Certificate(invitation.authority).toString();
  const connection = open({ url: invitation.url, authority, server: invitation.device }, { clientId: id });
  try {
    const answer = Promise.withResolvers<AnswerVerdict>();
    connection
      .subscribe(topic('response'), (message) => {
        const verdict = judgePairingAnswer(message.payload, request, invitation.token);
        answer.resolve(verdict);
      })
      .catch(() => undefined);
    await connection.connected(pairingWaitMs).catch((error: unknown) => {
      throw new PairingFailed(
        'no-answer',
        `device ${invitation.device} can't be reached for pairing: ${error instanceof Error ? error.message : String(error)}; is it running, and is the invitation still valid?`,
      );
    });
    return await repeatUntil(
      answer.promise,
      () => void connection.publish(topic('request'), request, { expirySeconds: Math.ceil(pairingRepeatMs / 1_000) }),
    );
  } finally {
    await connection.close();
  }
}

async function repeatUntil(answer: Promise<AnswerVerdict>, say: () => void): Promise<AnswerVerdict> {
  say();
  const repeat = setInterval(say, pairingRepeatMs);
  const limit = Promise.withResolvers<never>();
  const timer = setTimeout(
    () => limit.reject(new PairingFailed('no-answer', 'the device did not answer; run the same command again')),
    pairingWaitMs,
  );
  try {
    return await Promise.race([answer, limit.promise]);
  } finally {
    clearInterval(repeat);
    clearTimeout(timer);
  }
}

async function keep(grant: PairingGrant, { kind, name, device, network, authority }: Invitation, folder: string): Promise<void> {
  const write = (file: string, content: string | Uint8Array): Promise<void> =>
    writeAtomic(path.join(folder, file), typeof content === 'string' ? Buffer.from(content) : content);
  await write(HOLDER_FILES.certificate, new X509Certificate(grant.certificate).toString());
  await write(HOLDER_FILES.authority, new X509Certificate(authority).toString());
  if (grant.network) await write(HOLDER_FILES.network, grant.network);
  const common = { url: grant.url, device, network };
  const connection =
    kind === 'client'
      ? encodeJson(ClientConnectionFile, { ...common, client: name })
      : encodeJson(BoxConnectionFile, { ...common, box: name });
  await write(HOLDER_FILES.connection, `${connection}\n`);
}

async function keyIn(file: string, generate: () => KeyObject): Promise<KeyObject> {
  const known = await readIfThere(file);
  if (known) return createPrivateKey(Buffer.from(known));
  const key = generate();
  await writeFile(file, key.export({ format: 'pem', type: 'pkcs8' }), { mode: 0o600, flag: 'wx', flush: true });
  return key;
}

function publicKeyOf(key: KeyObject): Uint8Array {
  return new Uint8Array(createPublicKey(key).export({ format: 'der', type: 'spki' }));
}

/** The last 32 bytes of an Ed25519 SubjectPublicKeyInfo are the key (RFC 8410 §4). */
function rawPublicKeyOf(key: KeyObject): Uint8Array {
  return publicKeyOf(key).slice(-32);
}
