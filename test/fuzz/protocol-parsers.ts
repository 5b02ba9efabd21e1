/**
 * Fuzz targets of the protocol's doors and judgements (§2 to §9): foreign bytes never make them throw; what is decoded
 * is within its declared bounds and has one strict form; what is refused is refused in a sentence that may be shown.
 */
import assert from 'node:assert/strict';

import { BeaconMessage, judgeBeacon } from '#protocol/beacon.ts';
import * as boxes from '#protocol/box-messages.ts';
import { AcceptanceMessage } from '#protocol/client-messages.ts';
import {
  decodeBulk,
  decodeJson,
  decodeStrict,
  encodeBulk,
  encodeForeign,
  encodeJson,
  encodeStrict,
  type Decoded,
} from '#protocol/codec.ts';
import { CredentialMessage, judgeCredential } from '#protocol/credential.ts';
import { judgeMemberCard } from '#protocol/enrolment.ts';
import { DeviceEvidence, judgeDeviceEvidence } from '#protocol/evidence.ts';
import { LIMITS } from '#protocol/limits.ts';
import { decodeManifest, encodeManifest, Manifest, manifestFrom, readWrittenManifest } from '#protocol/manifest.ts';
import { judgeMemberKeys } from '#protocol/member-keys.ts';
import { decodeNetwork, encodeNetwork, networkLabel } from '#protocol/network.ts';
import * as pairingRules from '#protocol/pairing.ts';
import { ReceiptMessage } from '#protocol/receipt.ts';
import { judgeReceipt } from '#protocol/receipt-verifier.ts';
import type { Schema } from '#protocol/schema.ts';
import { openSigned, signMessage, type SignedKind } from '#protocol/signed.ts';
import { parseTopic, topicOf, type Topic } from '#protocol/topics.ts';
import { decodeCertificate } from '#protocol/tpm/certificate.ts';
import * as workshop from '../unit/protocol/workshop.ts';
import { pairing, samples, type Sample } from './protocol-samples.ts';
import type { FuzzTarget } from './tpm-parsers.ts';

const { alpha, box, crypto, manifest, network, startMs: atMs } = workshop;
const { invitation, grant } = pairing;

/** What every reader meets, whatever it expects: RFC 8949 at its edges, and JSON at its own. */
const hostileCbor = [
  'a0',
  '80',
  'f6',
  'f97e00',
  'a1616101',
  'bf616101ff',
  'a2616101616102',
  'a1695f5f70726f746f5f5fa0',
  'd9d9f7a0',
  'c249010000000000000000',
  '9f9f9fffffff',
  '1bffffffffffffffff',
  '9bffffffffffffffff',
  '63eda080',
  'a163efbbbf00',
].map((hex) => Uint8Array.fromHex(hex));
const hostileJson = [
  '{}',
  '[]',
  'null',
  '{"__proto__":{"capsule":1}}',
  '{"constructor":1,"constructor":2}',
  '1e999',
  '-0',
  '"\\ud800"',
  '\ufeff{}',
  '[[[[[[]]]]]]',
  '{"capsule":9007199254740993}',
].map(workshop.text);

const { measuredBefore, report } = workshop.receiptValue();
const evidenceSeeds = [alpha.evidence, workshop.bravo.evidence];
const evidence = requireValue(decodeStrict(DeviceEvidence, alpha.evidence, LIMITS.evidenceBytesMax));
const keys = requireKeys();
const invitationLine = workshop.text(pairingRules.formatInvitation(invitation));
const request = pairingRules.sealPairingRequest(invitation, { publicKey: new Uint8Array(91), signingKey: box.publicKey });
const answers = [pairingRules.sealPairingGrant(invitation.token, grant), pairingRules.refusePairing('expired', 'it has expired')];
const founding = { salt: workshop.foundingSalt, authorities: network.genesis.endorsementAuthorities, crypto, atMs };
const certificates = network.members.flatMap(({ endorsementCertificate }) => endorsementCertificate);

export const protocolParsers: FuzzTarget[] = [
  ...samples.map(inCbor),
  ...samples.map(inJson),
  { name: 'manifest', seeds: [encodeManifest(manifest), ...manyPaths()], run: oneForm(decodeManifest, encodeManifest) },
  { name: 'written manifest', seeds: [...jsonSeeds('WrittenManifest'), ...hostileJson], run: readsWritten },
  { name: 'network file', seeds: [workshop.networkFile, workshop.gridNetworkFile], run: oneForm(decodeNetwork, encodeNetwork) },
  { name: 'topic', seeds: topics().map((topic) => workshop.text(topicOf(networkLabel(network), topic))), run: parsesTopic },
  { name: 'invitation line', seeds: [invitationLine], run: readsInvitation },
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
  refusing('judgePairingRequest', [request], (bytes) => pairingRules.judgePairingRequest(bytes, invitation, atMs)),
  refusing('judgePairingAnswer', answers, (bytes) => pairingRules.judgePairingAnswer(bytes, request, invitation.token), 'granted'),
];

/** Strict and bulk: the same bytes through both doors. */
function inCbor({ name, schema, bytesMax, values }: Sample): FuzzTarget {
  const seeds = [...values.flatMap((value) => [encodeStrict(schema, value), encodeBulk(schema, value)]), ...hostileCbor];
  const run = (bytes: Uint8Array) => {
    const strict = accepted(decodeStrict(schema, bytes, bytesMax));
    if (strict) assert.equal(encodeStrict(schema, strict.value).toHex(), bytes.toHex(), `${name} has two strict forms`);
    const bulk = accepted(decodeBulk(schema, bytes, bytesMax));
    if (strict) assert.deepEqual(bulk, strict, `${name} is read differently in bulk form`);
    if (bulk) travels(schema, bulk.value, name);
  };
  return { name, seeds, run };
}

function inJson({ name, schema, bytesMax, values }: Sample): FuzzTarget {
  const seeds = [...values.map((value) => workshop.text(encodeJson(schema, value))), ...hostileJson];
  const run = (bytes: Uint8Array) => {
    const read = accepted(decodeJson(schema, bytes, bytesMax));
    if (read) travels(schema, read.value, name);
  };
  return { name: `${name} in JSON`, seeds, run };
}

/** What was read is within bounds, for it can be written in every notation and comes out again as it was. */
function travels<T>(schema: Schema<T>, value: T, name: string): void {
  const strict = encodeForeign(schema, value);
  assert.ok(strict.status === 'decoded', `${name} was read, and is out of bounds`);
  assert.deepEqual(decodeStrict(schema, strict.value, strict.value.length), { status: 'decoded', value }, `${name} changes in strict form`);
  const bulk = encodeBulk(schema, value);
  assert.deepEqual(decodeBulk(schema, bulk, bulk.length), { status: 'decoded', value }, `${name} changes in bulk form`);
  const json = workshop.text(encodeJson(schema, value));
  assert.deepEqual(decodeJson(schema, json, json.length), { status: 'decoded', value }, `${name} changes in JSON`);
}

function oneForm<T>(decode: (bytes: Uint8Array) => Decoded<T>, encode: (value: T) => Uint8Array): FuzzTarget['run'] {
  return (bytes) => {
    const decoded = accepted(decode(bytes));
    if (decoded) assert.equal(encode(decoded.value).toHex(), bytes.toHex());
  };
}

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

function readsInvitation(bytes: Uint8Array): void {
  const read = accepted(pairingRules.parseInvitation(new TextDecoder().decode(bytes)));
  if (read) assert.deepEqual(pairingRules.parseInvitation(pairingRules.formatInvitation(read.value)), read);
}

/** A key that signed none of it: opening must get as far as the signature, and no further. */
function signed<T>(name: string, kind: SignedKind<T>, ...seeds: readonly Uint8Array[]): FuzzTarget {
  const noble = { algorithm: 'ed25519', publicKey: workshop.stranger.publicKey } as const;
  const run = (bytes: Uint8Array) => {
    const opened = openSigned(kind, bytes, noble, crypto);
    assert.ok(opened.status === 'refused', `${name} by nobody is accepted`);
    requireSentence(opened.detail);
  };
  return { name, seeds: [...seeds], run };
}

/** Only the seeds may be accepted. (The second signature that ECDSA allows for one is nothing that chance finds.) */
function refusing(
  name: string,
  seeds: readonly Uint8Array[],
  judge: (bytes: Uint8Array) => { status: string; detail?: string },
  good = name.startsWith('judgeReceipt') ? 'verified' : 'accepted',
): FuzzTarget {
  const known = new Set(seeds.map((seed) => seed.toHex()));
  const run = (bytes: Uint8Array) => {
    const verdict = judge(bytes);
    if (verdict.detail !== undefined) requireSentence(verdict.detail);
    if (verdict.status === good) assert.ok(known.has(bytes.toHex()), `${name} accepts what nobody made`);
  };
  return { name, seeds: [...seeds], run };
}

function judgesGrid(): (bytes: Uint8Array) => { status: string; detail?: string } {
  const grid = workshop.networkFrom(workshop.gridNetworkFile);
  return (bytes) => judgeReceipt(bytes, { network: grid, crypto });
}

function accepted<T>(decoded: Decoded<T>): { readonly status: 'decoded'; readonly value: T } | undefined {
  if (decoded.status === 'decoded') return decoded;
  requireSentence(decoded.detail);
  return undefined;
}

/** A detail is shown to people, logged, and sent on as a note: one line, of a length to be read. */
function requireSentence(detail: string): void {
  assert.ok(detail.length > 0 && detail.length <= 1_000, `a detail of ${detail.length} characters`);
  assert.ok(
    detail.isWellFormed() && !/[\p{Cc}\p{Bidi_Control}]/u.test(detail),
    `a detail with control characters: ${JSON.stringify(detail)}`,
  );
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
    { to: 'pairing', device: 'alpha', invitation: capsule, kind: 'request' },
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
