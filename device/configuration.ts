/** What the operator of a device says to it: `configuration.json` in its state folder, read once. */
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { Height } from '#protocol/chain/finality-certificate.ts';
import { decodeJson, encodeJson } from '#protocol/codec.ts';
import { Digest } from '#protocol/digest.ts';
import { integer, list, optional, struct, text, variant, type Infer } from '#protocol/schema.ts';
import { objectionToOtherBroker, otherBrokerFields } from '#protocol/relay/other-broker.ts';
import { Name } from '#protocol/topics.ts';
import { ipmiFields, redfishFields, trustOf } from './bmc/bmc-configuration.ts';
import { controlFields } from './control/control-configuration.ts';
import { Spending } from './layer1/spending.ts';
import { MQTT_LIMITS } from './limits.ts';
import { writeWholeFile } from './mqtt/whole-file.ts';

const Port = integer({ min: 0, max: 65_535 });

/** By what the device holds a box: the wires of its board, or the box's BMC (§16). */
export const ControlEntry = variant('by', {
  board: struct({ box: Name }),
  ipmi: struct({ box: Name, ...ipmiFields }),
  redfish: struct({ box: Name, ...redfishFields }),
});
export type ControlEntry = Infer<typeof ControlEntry>;

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
  /** A broker of somebody else by which boxes come that reach no device (§5.7); `name` is the device's there, its own where absent. */
  relay: optional(struct({ ...otherBrokerFields, name: optional(Name) })),
  /** A checkpoint of the chain that the operator vouches for: for a device that joins late, or was away for long (§13.7). */
  checkpoint: optional(struct({ number: Height, height: Height, block: Digest })),
  /** What may be paid on layer 1; absent: nothing (§20.8). */
  spending: optional(Spending),
  /** One entry a box; a box without one is sensed by nothing (§17). */
  control: optional(list(ControlEntry, { max: MQTT_LIMITS.boxConnectionsMax })),
  ...controlFields,
});
export type DeviceConfiguration = Infer<typeof DeviceConfiguration>;

const FILE = 'configuration.json';
const BYTES_MAX = 65_536; // 64 boxes at a BMC each

/** @throws Error that names the file and what is wrong with it */
export function readConfiguration(stateFolder: string): DeviceConfiguration {
  const file = join(stateFolder, FILE);
  const decoded = decodeJson(DeviceConfiguration, readFileSync(file), BYTES_MAX);
  if (decoded.status === 'malformed') throw new Error(`${file}: ${decoded.detail.replaceAll('message.', '')}`);
  const wrong = wrongEntry(decoded.value.control ?? []) ?? wrongRelay(decoded.value);
  if (wrong !== undefined) throw new Error(`${file}: ${wrong}`);
  return decoded.value;
}

function wrongEntry(entries: readonly ControlEntry[]): string | undefined {
  for (const [index, entry] of entries.entries()) {
    if (entries.findIndex(({ box }) => box === entry.box) !== index)
      return `control[${index}].box is "${entry.box}" again; a box has one entry`;
    if (entry.by === 'redfish' && !trustOf(entry))
      return `control[${index}] must have one of authority and fingerprint, to know the BMC's certificate by`;
  }
  return undefined;
}

function wrongRelay({ relay }: DeviceConfiguration): string | undefined {
  const objection = relay && objectionToOtherBroker(relay);
  return objection === undefined ? undefined : `relay: ${objection}`;
}

export function writeConfiguration(stateFolder: string, configuration: DeviceConfiguration): void {
  writeWholeFile(join(stateFolder, FILE), `${encodeJson(DeviceConfiguration, configuration)}\n`, 0o600);
}
