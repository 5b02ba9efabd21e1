/** Three devices with a software TPM each, founded as a network: what the tests of identity and attestation stand on. */
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

import { createNodeCrypto } from '../../../device/crypto-node.ts';
import { makeCard } from '../../../device/identity/card.ts';
import { openIdentity, type Identity } from '../../../device/identity/identity.ts';
import type { Measurements } from '../../../device/identity/measurement.ts';
import { startSoftwareTpm, type SoftwareTpm } from '../../../device/tpm/swtpm.ts';
import { Beacon, BeaconMessage, beaconValue } from '#protocol/beacon.ts';
import { encodeStrict } from '#protocol/codec.ts';
import { Credential, CredentialMessage } from '#protocol/credential.ts';
import { blobDigest } from '#protocol/digest.ts';
import { judgeMemberCard } from '#protocol/enrolment.ts';
import { attestationKeyOf } from '#protocol/member-keys.ts';
import { memberOf, networkId, nodeIdOf, type Member, type Network } from '#protocol/network.ts';
import { sealBody, signingInput } from '#protocol/signed.ts';

export const crypto = createNodeCrypto();
export const salt: Uint8Array = blobDigest(Uint8Array.of(1)).slice(0, 16);

export const measurements: Measurements = {
  firmware: blobDigest(Uint8Array.of(2)),
  addon: blobDigest(Uint8Array.of(3)),
  board: blobDigest(Uint8Array.of(4)),
};

export interface Device {
  readonly name: string;
  readonly folder: string;
  tpm: SoftwareTpm;
  identity: Identity;
}

export interface Bench {
  readonly folder: string;
  readonly authorities: readonly Uint8Array[];
  readonly devices: readonly [Device, Device, Device];
  readonly network: Network;
  readonly stop: () => Promise<void>;
}

export async function startBench(): Promise<Bench> {
  const folder = await mkdtemp(join(tmpdir(), 'capstan-bench-'));
  const devices: Device[] = [];
  for (const name of ['alpha', 'bravo', 'charlie']) devices.push(await startDevice(folder, name));
  const authorities = devices[0]?.tpm.caCertificates ?? [];
  const members = await Promise.all(devices.map((device) => memberFor(device, authorities)));
  const stop = async (): Promise<void> => {
    for (const { identity, tpm } of devices) {
      await identity.close().catch(() => undefined);
      await tpm.kill();
    }
    await rm(folder, { recursive: true, force: true });
  };
  return { folder, authorities, devices: devices as unknown as Bench['devices'], network: networkOf(members, authorities), stop };
}

export function networkOf(members: readonly Member[], authorities: readonly Uint8Array[]): Network {
  return {
    genesis: {
      version: 1,
      name: 'bench',
      salt,
      members: members.map(({ endorsementKey }) => nodeIdOf(endorsementKey)),
      endorsementAuthorities: authorities.map((certificate) => ({ certificate, softwareTpm: true })),
      credentialsMin: 2,
      consensus: { targetIntervalMs: 1_000, minimumWaitMs: 100, epochHeights: 1_000 },
    },
    members: [...members],
    references: [
      { kind: 'firmware', digest: measurements.firmware, label: 'test firmware' },
      { kind: 'addon', digest: measurements.addon, label: 'test addon' },
      { kind: 'board', digest: measurements.board, label: 'test board' },
    ],
  };
}

export async function openDevice(tpm: SoftwareTpm, folder: string, shown: Measurements = measurements): Promise<Identity> {
  return openIdentity({ tcti: tpm.tcti, folder: join(folder, 'state'), measurements: shown, crypto });
}

export function cardRequest(name: string): Parameters<typeof makeCard>[1] {
  return { salt, name, peersUrl: `mqtts://${name}:8884`, peersAuthority: Uint8Array.of(0x30), endorsementIntermediates: [], crypto };
}

/** A beacon by one device, signed by its attestation key. */
export async function beaconBy(
  issuer: Identity,
  network: Network,
  issuedAtMs: number,
): Promise<{ envelope: Uint8Array; value: Uint8Array }> {
  const nonce = globalThis.crypto.getRandomValues(new Uint8Array(32));
  const body = encodeStrict(Beacon, { network: networkId(network), issuer: issuer.node, nonce, issuedAtMs });
  const signature = await issuer.signWithAttestationKey(signingInput(BeaconMessage.domain, body));
  return { envelope: sealBody(body, signature), value: beaconValue(networkId(network), nonce) };
}

/** A credential as it is signed after the exchange; `changes` make it a wrong one. */
export async function credentialBy(
  issuer: Identity,
  subject: Identity,
  network: Network,
  changes: Partial<Credential> = {},
): Promise<Uint8Array> {
  const member = memberOf(network, subject.node);
  if (!member) throw new Error('the subject is no member');
  const name = attestationKeyOf(member, crypto)?.name ?? new Uint8Array(34);
  const body = encodeStrict(Credential, {
    network: networkId(network),
    issuer: issuer.node,
    subject: subject.node,
    endorsementKeyName: subject.keys.endorsementKey.name,
    attestationKeyName: name,
    vrfKeyDigest: blobDigest(member.vrfKey),
    issuedAtMs: Date.now(),
    ...changes,
  });
  return sealBody(body, await issuer.signWithAttestationKey(signingInput(CredentialMessage.domain, body)));
}

async function startDevice(folder: string, name: string): Promise<Device> {
  const own = join(folder, name);
  const tpm = await startSoftwareTpm({ folder: join(own, 'tpm'), authorityFolder: join(folder, 'authority') });
  return { name, folder: own, tpm, identity: await openDevice(tpm, own) };
}

async function memberFor({ name, identity }: Device, authorities: readonly Uint8Array[]): Promise<Member> {
  const card = await makeCard(identity, cardRequest(name));
  const context = { salt, authorities: authorities.map((certificate) => ({ certificate, softwareTpm: true })), crypto, atMs: Date.now() };
  const verdict = judgeMemberCard(card, context);
  if (verdict.status === 'refused') throw new Error(`the card of ${name} is refused: ${verdict.reason}, ${verdict.detail}`);
  return verdict.member;
}
