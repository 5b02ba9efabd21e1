/** Whether, and as whom, a device belongs to the network of its network file. Specification §4, §11.5. */
import { existsSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { decodeStrict, sameBytes } from '#protocol/codec.ts';
import { MemberCard } from '#protocol/enrolment.ts';
import { LIMITS } from '#protocol/limits.ts';
import { decodeNetwork, memberOf, nodeIdOf, type Member, type Network } from '#protocol/network.ts';
import type { DeviceConfiguration } from './configuration.ts';
import type { Identity } from './identity/identity.ts';

/** @throws Error in a sentence for the operator */
export function readNetwork(stateFolder: string): Network {
  const file = join(stateFolder, 'network.cbor');
  if (!existsSync(file)) throw new Error(`${file} is missing: a device needs the network file of the network that it belongs to`);
  const decoded = decodeNetwork(readFileSync(file));
  if (decoded.status === 'malformed') throw new Error(`${file} is no network file: ${decoded.detail}`);
  return decoded.value;
}

/**
 * The device's own entry: a founder's from the network file; that of a device which wants to become a member from its card.
 * @throws Error in a sentence for the operator where it is neither
 */
export function requireSeat(network: Network, identity: Identity, { name }: DeviceConfiguration, stateFolder: string): Member {
  const member = memberOf(network, identity.node) ?? applicantOf(network, identity, stateFolder);
  if (!member)
    throw new Error(
      `the network ${network.genesis.name} has no seat for the TPM of this device (node ${identity.node.toHex().slice(0, 16)}), and there is no card for this network in ${stateFolder}; to apply, make one: node device/main.ts card --state ${stateFolder}`,
    );
  if (member.name !== name) throw new Error(`the network knows this device as "${member.name}"; its configuration says "${name}"`);
  return member;
}

/** Its card counts as far as its VRF key was made for this network: the members judge the rest. */
function applicantOf({ genesis }: Network, identity: Identity, stateFolder: string): Member | undefined {
  const file = join(stateFolder, 'card.cbor');
  if (!identity.vrfKey || !sameBytes(identity.vrfKey.salt, genesis.salt) || !existsSync(file)) return undefined;
  const card = decodeStrict(MemberCard, readFileSync(file), LIMITS.signedBytesMax);
  if (card.status === 'malformed') throw new Error(`${file} is no member card: ${card.detail}`);
  const { member } = card.value;
  return sameBytes(nodeIdOf(member.endorsementKey), identity.node) ? member : undefined;
}
