/** The folder of a paired box or client: which files pairing leaves there, and what `connection.json` says. Specification §5.6. */
import { Digest } from '#protocol/digest.ts';
import { struct, text, type Infer } from '#protocol/schema.ts';
import { Name } from '#protocol/topics.ts';

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
export const BoxConnectionFile = struct({ ...common, box: Name });
export type ClientConnectionFile = Infer<typeof ClientConnectionFile>;
