/** What the operator of a device says to it: `configuration.json` in its state folder, read once. */
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { Height } from '#protocol/chain/finality-certificate.ts';
import { decodeJson, encodeJson } from '#protocol/codec.ts';
import { Digest } from '#protocol/digest.ts';
import { integer, list, optional, struct, text, type Infer } from '#protocol/schema.ts';
import { Name } from '#protocol/topics.ts';
import { writeWholeFile } from './mqtt/whole-file.ts';

const Port = integer({ min: 0, max: 65_535 });

export const DeviceConfiguration = struct({
  name: Name,
  /** Which TPM, in the words of tpm2-tss: `device:/dev/tpmrm0`, `swtpm:path=…`. Never guessed. */
  tcti: text({ min: 3, max: 255 }),
  /** A folder of `board-configs/`. */
  board: Name,
  /** Of a simulated board: the socket at which its wires end (§16.4). */
  wires: optional(text({ min: 1, max: 107 })),
  /** Address at which the broker listens; absent means every interface. */
  address: optional(text({ min: 1, max: 64 })),
  /** Names and addresses under which others reach the broker; the first one stands in invitations and the network file. */
  hosts: list(text({ min: 1, max: 255 }), { min: 1, max: 8 }),
  /** Ports of the broker; 0 means any free port, the same at every start. */
  ports: optional(struct({ clients: Port, boxes: Port, peers: Port, pairing: Port })),
  /** A checkpoint of the chain that the operator vouches for: for a device that joins late, or was away for long (§13.7). */
  checkpoint: optional(struct({ number: Height, height: Height, block: Digest })),
});
export type DeviceConfiguration = Infer<typeof DeviceConfiguration>;

const FILE = 'configuration.json';
const BYTES_MAX = 16_384;

/** @throws Error that names the file and what is wrong with it */
export function readConfiguration(stateFolder: string): DeviceConfiguration {
  const file = join(stateFolder, FILE);
  const decoded = decodeJson(DeviceConfiguration, readFileSync(file), BYTES_MAX);
  if (decoded.status === 'malformed') throw new Error(`${file}: ${decoded.detail.replaceAll('message.', '')}`);
  return decoded.value;
}

export function writeConfiguration(stateFolder: string, configuration: DeviceConfiguration): void {
  writeWholeFile(join(stateFolder, FILE), `${encodeJson(DeviceConfiguration, configuration)}\n`, 0o600);
}
