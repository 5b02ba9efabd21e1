/** One proper value or more of every declared message, from which mutations and properties start. Specification §2 to §9. */
import { Beacon, BeaconMessage } from '#protocol/beacon.ts';
import { BlobChunk, BlobNeed } from '#protocol/blob-transfer.ts';
import * as boxes from '#protocol/box-messages.ts';
import {
  CancelRequest,
  AcceptanceMessage,
  Answer,
  LogNews,
  ProgressNews,
  Query,
  ResultNews,
  StateNews,
  Submission,
  WrittenSubmission,
} from '#protocol/client-messages.ts';
import { decodeStrict } from '#protocol/codec.ts';
import { ClockState, Continuity } from '#protocol/continuity.ts';
import { Activations, Answers, Credential, CredentialMessage, Credentials } from '#protocol/credential.ts';
import { DeviceEvidence } from '#protocol/evidence.ts';
import { FinalityNews } from '#protocol/finality-news.ts';
import { LIMITS } from '#protocol/limits.ts';
import { encodeManifest, Manifest, WrittenManifest } from '#protocol/manifest.ts';
import { MemberCard } from '#protocol/enrolment.ts';
import { Network } from '#protocol/network.ts';
import { PairingAnswer, PairingCall, PairingGrant, PairingRequest } from '#protocol/pairing.ts';
import { RunNews, RunOrder } from '#protocol/peer-messages.ts';
import { Receipt, ReceiptMessage } from '#protocol/receipt.ts';
import type { Schema } from '#protocol/schema.ts';
import { Envelope, peekSigned, type SignedKind } from '#protocol/signed.ts';
import { DeviceStatus } from '#protocol/status.ts';
import * as workshop from '../unit/protocol/workshop.ts';
import { sample, type Sample } from './doors.ts';

const { alpha, bravo, manifest, networkIdentity: network, software, startMs: atMs } = workshop;
const receipt = workshop.receiptValue();
const { capsule, request } = receipt;
const run = boxes.runIdOf(capsule, 1);
const address = { network, device: 'alpha', box: 'alpha-box', run };
const digest = new Uint8Array(32).fill(7);
const evidence = requireDecoded(DeviceEvidence, alpha.evidence);
const blob = { digest, bytes: 12 };
const line = { capsule, name: 'sum', state: 'failed', reason: 'wall-time', submittedAtMs: atMs, endedAtMs: atMs } as const;
const written: WrittenManifest = {
  capsule: 1,
  name: 'Łódź 🧭',
  runtime: 'python',
  entry: 'code/main.py',
  arguments: ['--width', '12'],
  environment: { LANG: 'C', __proto__x: '1' },
  files: ['code/main.py', 'data'],
  content: { 'code/main.py': 'print(3)\n' },
  limits: { wallSeconds: 60, memoryMegabytes: 64 },
  policy: { replicas: 1, agreement: 1, trust: 'self-reported', deadlineSeconds: 600 },
};
const clock: ClockState = {
  resetCount: 3,
  restartCount: 0,
  timeMs: 10_000,
  clockMs: 20_000,
  safe: true,
  attestationKeyDigest: digest,
  operationalKey: alpha.publicKey,
  beaconIssuedAtMs: atMs,
  seenAtMs: atMs,
};
const share = Uint8Array.fromHex(
  '04ef3bd051bf78a2234ec0df197f7828060fe9856503579bb1733009042c15c0c1de127727f418b5966afadfdd95a6e4591d171056b333dab97a79c7193e341727',
);
const certificate = Uint8Array.of(0x30, 0);

export const samples: readonly Sample[] = [
  sample('Envelope', Envelope, LIMITS.receiptBytesMax, { body: Uint8Array.of(0xa0), signature: new Uint8Array(64) }),
  sample('Beacon', Beacon, 512, bodyOf(BeaconMessage, evidence.beacon)),
  sample('Credential', Credential, 1_024, ...evidence.credentials.map((one) => bodyOf(CredentialMessage, one))),
  sample('Credentials', Credentials, LIMITS.packetBytesMax, [], evidence.credentials),
  sample(
    'Activations',
    Activations,
    LIMITS.packetBytesMax,
    [],
    [{ issuer: digest, subject: alpha.node, credentialBlob: digest, encryptedSecret: new Uint8Array(258) }],
  ),
  sample('Answers', Answers, LIMITS.packetBytesMax, [{ issuer: digest, subject: alpha.node, proof: digest }]),
  sample('DeviceEvidence', DeviceEvidence, LIMITS.evidenceBytesMax, evidence, requireDecoded(DeviceEvidence, bravo.evidence)),
  sample('MemberCard', MemberCard, LIMITS.signedBytesMax, requireDecoded(MemberCard, workshop.memberCard)),
  sample('Network', Network, LIMITS.networkBytesMax, workshop.network),
  sample('ClockState', ClockState, LIMITS.signedBytesMax, clock),
  sample('Continuity', Continuity, LIMITS.signedBytesMax, { latest: clock, bootSeenAtMs: atMs }),
  sample(
    'DeviceStatus',
    DeviceStatus,
    LIMITS.packetBytesMax,
    { status: 'offline', device: 'alpha' },
    { status: 'online', device: 'alpha', node: alpha.node, version: '0.1.0', sinceMs: atMs, evidence: alpha.evidence },
  ),
  sample(
    'PairingCall',
    PairingCall,
    LIMITS.pairingRequestBytesMax,
    { call: 'greet', version: 1, kind: 'box', name: 'alpha-box', nonce: digest },
    { call: 'share', share },
    { call: 'confirm', confirmation: digest, sealed: digest },
    { call: 'abandon' },
  ),
  sample(
    'PairingAnswer',
    PairingAnswer,
    LIMITS.pairingAnswerBytesMax,
    { answer: 'greeting', network, device: 'alpha', node: alpha.node, nonce: digest, salt: digest },
    { answer: 'share', share, confirmation: digest },
    { answer: 'grant', sealed: digest },
    { answer: 'refused', reason: 'closed', detail: 'there have been too many attempts' },
  ),
  sample('PairingRequest', PairingRequest, LIMITS.pairingRequestBytesMax, { publicKey: digest }, { publicKey: digest, signingKey: digest }),
  sample(
    'PairingGrant',
    PairingGrant,
    LIMITS.pairingAnswerBytesMax,
    { status: 'granted', certificate, authority: certificate, url: 'mqtts://alpha.example:8886', network: workshop.networkFile },
    { status: 'refused', reason: 'name-taken', detail: 'it is paired with other keys' },
  ),

  sample('Introduction', boxes.Introduction, LIMITS.packetBytesMax, { evidence: alpha.evidence }),
  sample('Hello', boxes.Hello, LIMITS.packetBytesMax, { software, processors: 8, memoryBytes: 2 ** 34, runs: [run] }),
  sample('Challenge', boxes.Challenge, LIMITS.signedBytesMax, { ...address, nonce: digest, issuedAtMs: atMs }),
  sample('BoxEvidence', boxes.BoxEvidence, LIMITS.boxEvidenceBytesMax, bodyOf(boxes.BoxEvidenceMessage, receipt.measuredBefore.evidence)),
  sample('Assignment', boxes.Assignment, boxes.AssignmentMessage.bytesMax, {
    ...address,
    capsule,
    attempt: 1,
    manifest: receipt.manifest,
    assignedAtMs: atMs,
  }),
  sample('Cancellation', boxes.Cancellation, LIMITS.signedBytesMax, { ...address, reason: 'cancelled-by-client' }),
  sample('Acknowledgement', boxes.Acknowledgement, LIMITS.signedBytesMax, address),
  sample('RunState', boxes.RunState, LIMITS.packetBytesMax, { run, state: 'running' }, { run, state: 'fetching', note: '2 of 3 files' }),
  sample('RunProgress', boxes.RunProgress, LIMITS.packetBytesMax, { run, permille: 400, note: 'half' }),
  sample('RunLog', boxes.RunLog, LIMITS.packetBytesMax, { run, stream: 'stderr', offset: 70_000, content: digest }),
  sample(
    'Outcome',
    boxes.Outcome,
    LIMITS.signedBytesMax,
    { outcome: 'exited', status: 3 },
    { outcome: 'killed', reason: 'memory', signal: 'SIGKILL' },
    { outcome: 'failed', reason: 'blob-wrong', detail: 'other bytes' },
  ),
  sample('Report', boxes.Report, LIMITS.reportBytesMax, bodyOf(boxes.ReportMessage, receipt.report)),
  sample('BlobNeed', BlobNeed, LIMITS.packetBytesMax, { digest, offset: 65_536, bytes: 1_000 }),
  sample(
    'BlobChunk',
    BlobChunk,
    LIMITS.packetBytesMax,
    { chunk: 'missing', digest },
    { chunk: 'content', digest, offset: 0, total: 34, content: workshop.text('what a file holds, as it stands in it') },
  ),

  sample('Manifest', Manifest, LIMITS.manifestBytesMax, manifest),
  sample('WrittenManifest', WrittenManifest, LIMITS.manifestBytesMax, written, { capsule: 1, runtime: 'node', entry: 'a.js' }),
  sample('Submission', Submission, LIMITS.packetBytesMax, { network, request, manifest: encodeManifest(manifest) }),
  sample('WrittenSubmission', WrittenSubmission, LIMITS.packetBytesMax, { ...written, request }),
  sample('CancelRequest', CancelRequest, LIMITS.packetBytesMax, { capsule }),
  sample('Query', Query, LIMITS.packetBytesMax, { query: 'list' }, { query: 'capsule', capsule }),
  sample('Acceptance', AcceptanceMessage.body, LIMITS.signedBytesMax, {
    network,
    node: alpha.node,
    device: 'alpha',
    client: 'you',
    request,
    capsule,
    digest,
    acceptedAtMs: atMs,
  }),
  sample(
    'Answer',
    Answer,
    LIMITS.packetBytesMax,
    { answer: 'accepted', capsule, state: 'submitted', acceptance: digest },
    { answer: 'capsules', capsules: [line, { capsule, name: 'two', state: 'running', submittedAtMs: atMs }] },
    { answer: 'capsule', ...line },
    { answer: 'refused', reason: 'queue-full', detail: 'there are 64 capsules; fewer are accepted' },
  ),
  sample('StateNews', StateNews, LIMITS.packetBytesMax, { capsule, state: 'running', box: 'alpha-box', attempt: 2, atMs }),
  sample('ProgressNews', ProgressNews, LIMITS.packetBytesMax, { capsule, permille: 1_000 }),
  sample('LogNews', LogNews, LIMITS.packetBytesMax, { capsule, attempt: 1, stream: 'stdout', offset: 0, text: '3\n' }),
  sample('ResultNews', ResultNews, LIMITS.packetBytesMax, {
    capsule,
    state: 'agreed',
    exitStatus: 0,
    outputs: [{ path: 'a/b.txt', ...blob, text: 'x' }],
    stdout: blob,
    stderr: blob,
  }),
  sample('Receipt', Receipt, ReceiptMessage.bytesMax, receipt),
  sample(
    'RunOrder',
    RunOrder,
    LIMITS.packetBytesMax,
    { order: 'run', run, client: 'you', request, manifest: receipt.manifest },
    { order: 'cancel', run },
    { order: 'acknowledge', run },
  ),
  sample(
    'RunNews',
    RunNews,
    LIMITS.packetBytesMax,
    { news: 'state', run, state: 'failed', reason: 'box-lost', detail: 'it is silent' },
    { news: 'progress', run, permille: 400 },
    { news: 'log', run, stream: 'stdout', offset: 0, content: digest },
    { news: 'receipt', run, receipt: workshop.receiptWith() },
  ),
  sample(
    'FinalityNews',
    FinalityNews,
    LIMITS.packetBytesMax,
    { finality: 'not-final', capsule, height: 12, block: digest },
    { finality: 'final', capsule, proof: digest },
  ),
];

function bodyOf<T>(kind: SignedKind<T>, envelope: Uint8Array): T {
  const peeked = peekSigned(kind, envelope);
  if (peeked.status === 'malformed') throw new Error(peeked.detail);
  return peeked.value;
}

function requireDecoded<T>(schema: Schema<T>, encoded: Uint8Array): T {
  const decoded = decodeStrict(schema, encoded, encoded.length);
  if (decoded.status === 'malformed') throw new Error(decoded.detail);
  return decoded.value;
}
