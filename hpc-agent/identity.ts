/** Who this box is, as pairing has settled it: the network, the device that it belongs to, its name and its keys. Specification §5.6, §6.2. */
import { createPrivateKey, createPublicKey, sign as signWith } from 'node:crypto';
import { readFile } from 'node:fs/promises';
import path from 'node:path';
import { decodeJson, sameBytes } from '#protocol/codec.ts';
import { LIMITS } from '#protocol/limits.ts';
import { decodeNetwork, networkId, networkLabel, type Network } from '#protocol/network.ts';
import type { Sign } from '#protocol/signed.ts';
import { errorCode } from './atomic-file.ts';
import { BoxConnectionFile, HOLDER_FILES, type Through } from './holder-files.ts';

export interface BoxIdentity {
  /** From the network file that pairing left or the box's operator put there, checked against the invitation's network id. */
  readonly network: Network;
  readonly networkId: Uint8Array;
  readonly networkLabel: string;
  readonly device: string;
  readonly box: string;
  /** The box's Ed25519 key, 32 bytes. */
  readonly publicKey: Uint8Array;
  /** By the box's Ed25519 key, whose public half the device took over at pairing. */
  readonly sign: Sign;
}

/** Where the device's broker is and how to be let in; PEM texts. */
export interface BrokerAccess {
  readonly url: string;
  readonly authority: string;
  /** Common name of the broker's certificate. */
  readonly server: string;
  readonly certificate: string;
  readonly key: string;
  /** The broker of somebody else by which the device is reached, where it is not reached by itself (§5.7). */
  readonly through: Through | undefined;
}

/** The box has no usable pairing; the message says what to do. */
export class NotPaired extends Error {
  readonly code = 'not-paired';
}

/** @param folder where pairing left its files @throws NotPaired */
export async function readIdentity(folder: string): Promise<{ identity: BoxIdentity; access: BrokerAccess }> {
  const connection = decodeJson(BoxConnectionFile, await read(folder, 'connection'), LIMITS.signedBytesMax);
  if (connection.status === 'malformed') throw damaged(folder, 'connection', connection.detail);
  const network = decodeNetwork(await read(folder, 'network'));
  if (network.status === 'malformed') throw damaged(folder, 'network', network.detail);
  const { url, device, box, through } = connection.value;
  if (!sameBytes(networkId(network.value), connection.value.network))
    throw damaged(folder, 'network', 'it is of another network than the pairing');
  const pem = async (file: keyof typeof HOLDER_FILES) => new TextDecoder().decode(await read(folder, file));
  return {
    identity: {
      network: network.value,
      networkId: networkId(network.value),
      networkLabel: networkLabel(network.value),
      device,
      box,
      ...signerFrom(await pem('signingKey')),
    },
    access: {
      ...{ url, server: device, through },
      ...{ authority: await pem('authority'), certificate: await pem('certificate'), key: await pem('key') },
    },
  };
}

async function read(folder: string, file: keyof typeof HOLDER_FILES): Promise<Uint8Array> {
  try {
    return await readFile(path.join(folder, HOLDER_FILES[file]));
  } catch (error) {
    throw new NotPaired(
      `${HOLDER_FILES[file]} in ${folder} can't be read (${errorCode(error) ?? 'unknown failure'}): pair this box with its device first (npm run pair)`,
    );
  }
}

function damaged(folder: string, file: keyof typeof HOLDER_FILES, detail: string): NotPaired {
  return new NotPaired(`${HOLDER_FILES[file]} in ${folder} is damaged (${detail}): pair this box again (npm run pair)`);
}

/** The last 32 bytes of an Ed25519 SubjectPublicKeyInfo are the key (RFC 8410 §4). */
function signerFrom(pem: string): Pick<BoxIdentity, 'publicKey' | 'sign'> {
  const key = createPrivateKey(pem);
  const publicKey = Uint8Array.from(createPublicKey(key).export({ format: 'der', type: 'spki' }).subarray(-32));
  return { publicKey, sign: (input) => Uint8Array.from(signWith(null, input, key)) };
}
