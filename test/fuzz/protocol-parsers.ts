/**
 * Fuzz targets of the protocol's doors and judgements (§2 to §9): foreign bytes never make them throw; what is decoded
 * is within its declared bounds and has one strict form; what is refused is refused in a sentence that may be shown.
 */
import assert from 'node:assert/strict';

import { BeaconMessage, judgeBeacon } from '#protocol/beacon.ts';
import * as boxes from '#protocol/box-messages.ts';
import { AcceptanceMessage } from '#protocol/client-messages.ts';
import { decodeStrict, encodeForeign, encodeJson, type Decoded } from '#protocol/codec.ts';
import { CredentialMessage, judgeCredential } from '#protocol/credential.ts';
import { judgeMemberCard } from '#protocol/enrolment.ts';
import { DeviceEvidence, judgeDeviceEvidence } from '#protocol/evidence.ts';
import { LIMITS } from '#protocol/limits.ts';
import { decodeManifest, encodeManifest, Manifest, manifestFrom, readWrittenManifest } from '#protocol/manifest.ts';
import { judgeMemberKeys } from '#protocol/member-keys.ts';
import { decodeNetwork, encodeNetwork, networkLabel } from '#protocol/network.ts';
import { ReceiptMessage } from '#protocol/receipt.ts';
import { judgeReceipt } from '#protocol/receipt-verifier.ts';
import { signMessage, type SignedKind } from '#protocol/signed.ts';
import { parseTopic, topicOf, type Topic } from '#protocol/topics.ts';
import { decodeCertificate } from '#protocol/tpm/certificate.ts';
import * as workshop from '../unit/protocol/workshop.ts';
import { accepted, hostileJson, inCbor, inJson, oneForm, refusing, signed } from './doors.ts';
import { samples } from './protocol-samples.ts';
import type { FuzzTarget } from './tpm-parsers.ts';

const { alpha, crypto, manifest, network, startMs: atMs } = workshop;

const { measuredBefore, report } = workshop.receiptValue();
const evidenceSeeds = [alpha.evidence, workshop.bravo.evidence];
const evidence = requireValue(decodeStrict(DeviceEvidence, alpha.evidence, LIMITS.evidenceBytesMax));
const keys = requireKeys();
const founding = { salt: workshop.foundingSalt, authorities: network.genesis.endorsementAuthorities, crypto, atMs };
const certificates = network.members.flatMap(({ endorsementCertificate }) => endorsementCertificate);

export const protocolParsers: FuzzTarget[] = [
  ...samples.map(inCbor),
  ...samples.map(inJson),
  { name: 'manifest', seeds: [encodeManifest(manifest), ...manyPaths()], run: oneForm(decodeManifest, encodeManifest) },
  { name: 'written manifest', seeds: [...jsonSeeds('WrittenManifest'), ...hostileJson], run: readsWritten },
  { name: 'network file', seeds: [workshop.networkFile, workshop.gridNetworkFile], run: oneForm(decodeNetwork, encodeNetwork) },
  { name: 'topic', seeds: topics().map((topic) => workshop.text(topicOf(networkLabel(network), topic))), run: parsesTopic },
  { name: 'certificate of a member', seeds: certificates, run: (bytes) => void decodeCertificate(bytes) },
  signed('signed beacon', BeaconMessage, evidence.beacon),
  signed('signed credential', CredentialMessage, ...evidence.credentials),
  signed('signed box evidence', boxes.BoxEvidenceMessage, measuredBefore.evidence),
  signed('signed report', boxes.ReportMessage, report),
  signed('signed receipt', ReceiptMessage, workshop.receiptWith(), workshop.gridReceipt),
  signed('signed challenge', boxes.ChallengeMessage, signedSample('Challenge', boxes.ChallengeMessage)),
  signed('signed assignment', boxes.AssignmentMessage, signedSample('Assignment', boxes.AssignmentMessage)),
  signed('signed cancellation', boxes.CancellationMessage, signedSample('Cancellation', boxes.CancellationMessage)),
  signed('signed acknowledgement', boxes.AcknowledgementMessage, signedSample('Acknowledgement', boxes.AcknowledgementMessage)),
  signed('signed acceptance', AcceptanceMessage, signedSample('Acceptance', AcceptanceMessage)),
  refusing('judgeReceipt', [workshop.receiptWith()], (bytes) => judgeReceipt(bytes, { network, crypto })),
  refusing('judgeReceipt of a grid', [workshop.gridReceipt], judgesGrid()),
  refusing('judgeDeviceEvidence', evidenceSeeds, (bytes) => judgeDeviceEvidence(bytes, { network, crypto, atMs }), 'trusted'),
  refusing('judgeBeacon', [evidence.beacon], (bytes) => judgeBeacon(bytes, alpha.node, { network, crypto, atMs })),
  refusing('judgeCredential', evidence.credentials, (bytes) => judgeCredential(bytes, keys, { network, crypto, atMs })),
  refusing('judgeMemberCard', [workshop.memberCard], (bytes) => judgeMemberCard(bytes, founding)),
];

/** Whatever a person wrote becomes a manifest within bounds, or one that is refused in words. */
function readsWritten(bytes: Uint8Array): void {
  const written = accepted(readWrittenManifest(bytes));
  if (!written) return;
  const encoded = accepted(encodeForeign(Manifest, manifestFrom(written.value, manifest.files, atMs)));
  assert.ok(encoded, 'a manifest as people write it makes one that is out of bounds');
  if (encoded.value.length <= LIMITS.manifestBytesMax) accepted(decodeManifest(encoded.value));
}

function parsesTopic(bytes: Uint8Array): void {
  const words = new TextDecoder().decode(bytes);
  const topic = parseTopic(networkLabel(network), words);
  if (!topic) return;
  assert.equal(topicOf(networkLabel(network), topic), words);
  assert.match(words, /^[a-z0-9/-]+$/);
}

function judgesGrid(): (bytes: Uint8Array) => { status: string; detail?: string } {
  const grid = workshop.networkFrom(workshop.gridNetworkFile);
  return (bytes) => judgeReceipt(bytes, { network: grid, crypto });
}

function topics(): Topic[] {
  const parties = { device: 'alpha', client: 'you' };
  const capsule = '00112233445566778899aabbccddeeff';
  return [
    { to: 'gossip', kind: 'beacon' },
    { to: 'status', device: 'alpha' },
    { to: 'client', ...parties, kind: 'upload/chunk' },
    { to: 'capsule', ...parties, capsule, kind: 'receipt' },
    { to: 'box', device: 'alpha', box: 'alpha-box', direction: 'up', kind: 'report' },
  ];
}

/** As many folders as fit into a manifest: each is compared with each file. */
function manyPaths(): Uint8Array[] {
  const files = Array.from({ length: 220 }, (_, index) => ({ ...manifest.files[0]!, path: `${'abcdefg/'.repeat(29)}${index}` }));
  return [encodeManifest({ ...manifest, entry: files[0]!.path, files })];
}

function jsonSeeds(name: string): Uint8Array[] {
  return samples
    .filter((sample) => sample.name === name)
    .flatMap(({ schema, values }) => values.map((value) => workshop.text(encodeJson(schema, value))));
}

function signedSample<T>(name: string, kind: SignedKind<T>): Uint8Array {
  const found = samples.find((sample) => sample.name === name);
  assert.ok(found, name);
  return signMessage(kind, found.values[0] as T, alpha.sign);
}

function requireKeys() {
  const [member] = network.members;
  const verdict = judgeMemberKeys(member!, network.genesis.endorsementAuthorities, { crypto, atMs });
  assert.ok(verdict.status === 'accepted');
  return verdict.keys;
}

function requireValue<T>(decoded: Decoded<T>): T {
  assert.ok(decoded.status === 'decoded');
  return decoded.value;
}
