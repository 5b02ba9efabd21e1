/** The folder of a paired box or client: which files pairing leaves there, and what `connection.json` says. Specification §5.6. */
import path from 'node:path';
import { decodeJson } from '#protocol/codec.ts';
import { Digest } from '#protocol/digest.ts';
import type { HolderKind } from '#protocol/pairing-code.ts';
import { otherBrokerFields } from '#protocol/relay/other-broker.ts';
import { optional, struct, text, type Infer } from '#protocol/schema.ts';
import { Name } from '#protocol/topics.ts';
import { readIfThere } from './atomic-file.ts';

export const HOLDER_FILES = {
  key: 'key.pem',
  /** Ed25519, of a box. */
  signingKey: 'signing-key.pem',
  certificate: 'certificate.pem',
  authority: 'ca.pem',
  connection: 'connection.json',
  network: 'network.cbor',
} as const;

/** A key or a certificate in PEM has 1 to 4 KiB, `connection.json` less. */
export const HOLDER_FILE_BYTES_MAX = 16_384;

const common = {
  url: text({ max: 255, pattern: /^mqtts:\/\/[^\s/]+$/, like: 'a mqtts:// address' }),
  device: Name,
  network: Digest,
};

export const ClientConnectionFile = struct({ ...common, client: Name });
/** `through`: the broker of somebody else by which the device is reached, and the device's name there (§5.7). */
export const BoxConnectionFile = struct({ ...common, box: Name, through: optional(struct({ ...otherBrokerFields, name: Name })) });
export type ClientConnectionFile = Infer<typeof ClientConnectionFile>;
export type BoxConnectionFile = Infer<typeof BoxConnectionFile>;
export type Through = NonNullable<BoxConnectionFile['through']>;

export interface Holder {
  readonly kind: HolderKind;
  readonly device: string;
  readonly name: string;
}

/** Whose files a folder holds, if anybody's; what is damaged is nobody's. */
export async function holderIn(folder: string): Promise<Holder | undefined> {
  const content = await readIfThere(path.join(folder, HOLDER_FILES.connection));
  if (!content) return undefined;
  const client = decodeJson(ClientConnectionFile, content, HOLDER_FILE_BYTES_MAX);
  if (client.status === 'decoded') return { kind: 'client', device: client.value.device, name: client.value.client };
  const box = decodeJson(BoxConnectionFile, content, HOLDER_FILE_BYTES_MAX);
  return box.status === 'decoded' ? { kind: 'box', device: box.value.device, name: box.value.box } : undefined;
}
