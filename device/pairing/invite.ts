/** Makes invitations from a device's state folder, in a process of its own beside the firmware. Specification §5.6. */
import { X509Certificate } from 'node:crypto';
import { existsSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { decodeNetwork, networkId } from '#protocol/network.ts';
import { objectionToName, type HolderKind, type Invitation } from '#protocol/pairing.ts';
import { readConfiguration } from '../configuration.ts';
import { MQTT_LIMITS } from '../limits.ts';
import { claimPorts } from '../mqtt/ports.ts';
import { Invitations } from './invitations.ts';
import { PairedNames } from './paired-names.ts';
import { brokerUrl } from './pairing-service.ts';

export type InvitationObjection = 'bad-name' | 'name-taken' | 'too-many-invitations' | 'not-a-device' | 'never-started';

export class NotInvited extends Error {
  readonly code: InvitationObjection;

  constructor(code: InvitationObjection, message: string) {
    super(message);
    this.code = code;
  }
}

/**
 * Leaves an invitation in the state folder of a device, which opens its door when it sees it.
 * @throws NotInvited
 */
export async function inviteHolder(stateFolder: string, kind: HolderKind, name: string, nowMs = Date.now()): Promise<Invitation> {
  const objection = objectionToName(name);
  if (objection !== undefined) throw new NotInvited('bad-name', `"${name}" can't be the name of a ${kind}: ${objection}`);
  const place = await placeOf(stateFolder);
  if (new PairedNames(stateFolder).find(kind, name)) {
    throw new NotInvited(
      'name-taken',
      `device ${place.device} has a ${kind} named "${name}" already; choose another name, or remove that one first`,
    );
  }
  const invitations = new Invitations(stateFolder);
  invitations.dropExpired(nowMs);
  invitations.withdrawFor(kind, name);
  if (invitations.list().length >= MQTT_LIMITS.invitationsMax) {
    throw new NotInvited(
      'too-many-invitations',
      `${MQTT_LIMITS.invitationsMax} invitations wait at device ${place.device}; use them or wait until they expire`,
    );
  }
  return invitations.create({ ...place, kind, name }, nowMs);
}

async function placeOf(stateFolder: string) {
  const file = (...words: string[]): string => join(stateFolder, ...words);
  if (!existsSync(file('configuration.json'))) throw new NotInvited('not-a-device', `${stateFolder} is not the state folder of a device`);
  const { name, hosts, ports } = readConfiguration(stateFolder);
  const [networkFile, authorityFile, portsFile] = [
    file('network.cbor'),
    file('authority', 'device.certificate.pem'),
    file('broker', 'ports.json'),
  ];
  if (![networkFile, authorityFile, portsFile].every(existsSync))
    throw new NotInvited('never-started', `device ${name} has never been started; start it first`);
  const network = decodeNetwork(new Uint8Array(readFileSync(networkFile)));
  if (network.status === 'malformed') throw new NotInvited('not-a-device', `${networkFile} is damaged: ${network.detail}`);
  const { pairing } = await claimPorts(portsFile, ports);
  return {
    device: name,
    network: networkId(network.value),
    url: brokerUrl(hosts[0] ?? 'localhost', pairing),
    authority: new Uint8Array(new X509Certificate(readFileSync(authorityFile)).raw),
  };
}
