/** A device's card for a network that is being founded: written beside its state, for the founder to collect. Specification §4.3. */
import { join } from 'node:path';
import { X509Certificate } from 'node:crypto';
import { readConfiguration } from './configuration.ts';
import { createNodeCrypto } from './crypto-node.ts';
import { openDeviceAuthority } from './device.ts';
import { makeCard } from './identity/card.ts';
import { openIdentity } from './identity/identity.ts';
import { claimPorts } from './mqtt/ports.ts';
import { writeWholeFile } from './mqtt/whole-file.ts';
import { measureSoftware } from './software.ts';

/** @param salt of the genesis, 16 bytes @returns the file that holds the encoded `MemberCard` */
export async function writeCard(stateFolder: string, salt: Uint8Array, endorsementIntermediates: readonly Uint8Array[]): Promise<string> {
  const configuration = readConfiguration(stateFolder);
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
      peersUrl: `mqtts://${configuration.hosts[0] ?? 'localhost'}:${ports.peers}`,
      peersAuthority: openDeviceAuthority(stateFolder, configuration).root('device'),
      endorsementIntermediates: endorsementIntermediates.filter((certificate) => !isRoot(certificate)),
      crypto,
    });
    const file = join(stateFolder, 'card.cbor');
    writeWholeFile(file, card, 0o644);
    return file;
  } finally {
    await identity.close();
  }
}

/** The verifier brings the roots; only what lies between is shown. */
function isRoot(certificate: Uint8Array): boolean {
  const { subject, issuer } = new X509Certificate(certificate);
  return subject === issuer;
}
