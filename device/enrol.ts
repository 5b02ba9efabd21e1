/** A device's card: written beside its state, for the founder to collect, or for a member that brings it before the network. Specification §4.3, §11.5. */
import { isIPv6 } from 'node:net';
import { join } from 'node:path';
import { X509Certificate } from 'node:crypto';
import { readConfiguration } from './configuration.ts';
import { createNodeCrypto } from './crypto-node.ts';
import { openDeviceAuthority } from './device.ts';
import { makeCard } from './identity/card.ts';
import { openIdentity } from './identity/identity.ts';
import { claimPorts } from './mqtt/ports.ts';
import { writeWholeFile } from './mqtt/whole-file.ts';
import { readNetwork } from './seat.ts';
import { measureSoftware } from './software.ts';

/**
 * @param given.salt of a genesis that is to be, 16 bytes; absent where the network file in the state folder has it
 * @returns the file that holds the encoded `MemberCard`
 */
export async function writeCard(
  stateFolder: string,
  given: { readonly salt?: Uint8Array; readonly endorsementIntermediates: readonly Uint8Array[] },
): Promise<string> {
  const configuration = readConfiguration(stateFolder);
  const salt = given.salt ?? readNetwork(stateFolder).genesis.salt;
  const crypto = createNodeCrypto();
  const identity = await openIdentity({
    tcti: configuration.tcti,
    folder: stateFolder,
    measurements: await measureSoftware(configuration.board),
    crypto,
  });
  try {
    const ports = await claimPorts(join(stateFolder, 'broker', 'ports.json'), configuration.ports);
    const card = await makeCard(identity, {
      salt,
      name: configuration.name,
      peersUrl: `mqtts://${inUrl(configuration.hosts[0] ?? 'localhost')}:${ports.peers}`,
      peersAuthority: openDeviceAuthority(stateFolder, configuration).root('device'),
      endorsementIntermediates: given.endorsementIntermediates.filter((certificate) => !isRoot(certificate)),
      crypto,
    });
    const file = join(stateFolder, 'card.cbor');
    writeWholeFile(file, card, 0o644);
    return file;
  } finally {
    await identity.close();
  }
}

function inUrl(host: string): string {
  return isIPv6(host) ? `[${host}]` : host;
}

/** The verifier brings the roots; only what lies between is shown. */
function isRoot(certificate: Uint8Array): boolean {
  const { subject, issuer } = new X509Certificate(certificate);
  return subject === issuer;
}
