/**
 * Makes workshop.json: a network of three software TPMs, and of two of its devices the evidence together with the
 * operational key that it shows, so that a test can sign whatever a device could. Run: see README.md here.
 */
import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';

import { decodeStrict } from '#protocol/codec.ts';
import { encodeNetwork, networkId } from '#protocol/network.ts';
import { BootRecord } from '../../../device/identity/boot-record.ts';
import { makeCard } from '../../../device/identity/card.ts';
import { measuredSelection } from '../../../device/identity/operational-key.ts';
import { keyHandles } from '../../../device/tpm/keys.ts';
import { unseal } from '../../../device/tpm/sealed.ts';
import { beaconBy, cardRequest, credentialBy, salt, startBench, type Bench, type Device } from '../../integration/attestation/bench.ts';

const bench = await startBench();
try {
  const [alpha, bravo, charlie] = bench.devices;
  const made = {
    network: encodeNetwork(bench.network).toHex(),
    salt: salt.toHex(),
    card: (await makeCard(alpha.identity, cardRequest('alpha'))).toHex(),
    alpha: await capture(bench, alpha, [bravo, charlie]),
    bravo: await capture(bench, bravo, [alpha, charlie]),
  };
  writeFileSync(join(import.meta.dirname, 'workshop.json'), `${JSON.stringify(made, undefined, 1)}\n`);
} finally {
  await bench.stop();
}

async function capture({ network }: Bench, device: Device, others: readonly [Device, Device]) {
  const issuedAtMs = Date.now();
  const beacon = await beaconBy(others[0].identity, network, issuedAtMs);
  const credentials = await Promise.all(others.map((other) => credentialBy(other.identity, device.identity, network)));
  const evidence = await device.identity.makeEvidence({
    network: networkId(network),
    beacon: beacon.envelope,
    beaconValue: beacon.value,
    credentials,
  });
  return { evidence: evidence.toHex(), beaconIssuedAtMs: issuedAtMs, operationalSeed: (await operationalSeed(device)).toHex() };
}

async function operationalSeed({ folder, identity }: Device): Promise<Uint8Array> {
  const encoded = readFileSync(join(folder, 'state', 'boot.cbor'));
  const record = decodeStrict(BootRecord, encoded, encoded.length);
  if (record.status === 'malformed') throw new Error(record.detail);
  const { sealed } = record.value;
  return identity.ask((tpm) => unseal(tpm, { parent: keyHandles.storageKey, sealed, policy: { selection: measuredSelection } }));
}
