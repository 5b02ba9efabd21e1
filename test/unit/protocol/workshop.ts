/**
 * A device and a box whose keys a test holds, so that it can sign whatever they could: receipts with one thing wrong.
 * The device's evidence is real (test/vectors/receipt/README.md); the box is made up here.
 */
import { createPrivateKey, createPublicKey, sign as signWith } from 'node:crypto';
import { readFileSync } from 'node:fs';

import { BoxEvidenceMessage, ReportMessage, runIdOf, type BoxEvidence, type Report, type SoftwareState } from '#protocol/box-messages.ts';
import { capsuleIdOf } from '#protocol/capsule.ts';
import { blobDigest, domainDigest } from '#protocol/digest.ts';
import { capsuleDigest, encodeManifest, manifestFrom, type Manifest } from '#protocol/manifest.ts';
import { decodeNetwork, networkId, nodeIdOf, type Network } from '#protocol/network.ts';
import { ReceiptMessage, type Receipt } from '#protocol/receipt.ts';
import { judgeReceipt, type ReceiptVerdict } from '#protocol/receipt-verifier.ts';
import { signMessage, type Sign } from '#protocol/signed.ts';
import { createNodeCrypto } from '../../../device/crypto-node.ts';

export const crypto = createNodeCrypto();

interface CapturedDevice {
  readonly evidence: string;
  readonly beaconIssuedAtMs: number;
  readonly operationalSeed: string;
}

const captured = JSON.parse(readFileSync(vectorFile('workshop.json'), 'utf8')) as {
  network: string;
  salt: string;
  card: string;
  alpha: CapturedDevice;
  bravo: CapturedDevice;
};

/** From `npm start`, as a user would have them. */
export const gridReceipt = new Uint8Array(readFileSync(vectorFile('receipt.cbor')));
export const gridNetworkFile = new Uint8Array(readFileSync(vectorFile('network.cbor')));

export const networkFile = Uint8Array.fromHex(captured.network);
export const network = networkFrom(networkFile);
export const networkIdentity = networkId(network);
export const memberCard = Uint8Array.fromHex(captured.card);
export const foundingSalt = Uint8Array.fromHex(captured.salt);
export const alpha = deviceFrom(captured.alpha);
export const bravo = deviceFrom(captured.bravo);
export const box = softwareSigner(blobDigest(Uint8Array.of(1)));
export const stranger = softwareSigner(blobDigest(Uint8Array.of(2)));

/** The run began a second after the beacon was made. */
export const startMs = captured.alpha.beaconIssuedAtMs + 1_000;

export const text = (value: string): Uint8Array => new TextEncoder().encode(value);

export const manifest: Manifest = manifestFrom(
  { capsule: 1, name: 'sum', runtime: 'node', entry: 'main.js', arguments: ['1', '2'], environment: { LANG: 'C' } },
  [{ path: 'main.js', digest: blobDigest(text('console.log(3)')), bytes: 14 }],
  startMs,
);

export const software: SoftwareState = {
  agent: blobDigest(text('agent')),
  kernel: '6.18.0',
  commandLine: blobDigest(text('quiet')),
  packages: blobDigest(text('packages')),
  bootId: 'd2b6f2a4-6a0c-4a34-9d8c-7a1a0ad6a7a5',
  runtimes: [{ name: 'node', version: 'v26.10.0', digest: blobDigest(text('node')) }],
  isolation: ['bubblewrap', 'cgroup-v2'],
};

/** What is to be wrong with a receipt, and who signs it. */
export interface Forgery {
  readonly manifest?: Uint8Array;
  readonly before?: Partial<BoxEvidence>;
  readonly after?: Partial<BoxEvidence>;
  readonly report?: Partial<Report>;
  /** Over the finished receipt. */
  readonly receipt?: Partial<Receipt>;
  readonly signBox?: Sign;
  readonly signReport?: Sign;
  readonly signDevice?: Sign;
}

/** A receipt of alpha, for gateway bravo, in which nothing is wrong but what `forgery` names. */
export function receiptWith(forgery: Forgery = {}): Uint8Array {
  return signMessage(ReceiptMessage, receiptValue(forgery), forgery.signDevice ?? alpha.sign);
}

export function receiptValue(forgery: Forgery = {}): Receipt {
  const written = forgery.manifest ?? encodeManifest(manifest);
  const request = blobDigest(text('request')).slice(0, 16);
  const capsule = capsuleIdOf({ network: networkIdentity, device: 'bravo', client: 'you', request, capsule: capsuleDigest(written) });
  const run = runIdOf(capsule, 1);
  return {
    version: 1,
    network: networkIdentity,
    node: alpha.node,
    device: 'alpha',
    tpm: 'software-tpm',
    gateway: { node: bravo.node, device: 'bravo' },
    client: 'you',
    request,
    capsule,
    manifest: written,
    attempt: 1,
    box: { name: 'alpha-box', key: box.publicKey, trust: 'self-reported' },
    acceptedAtMs: startMs,
    endedAtMs: startMs + 6_000,
    state: 'agreed',
    measuredBefore: measurement(run, 'before', startMs + 1_000, forgery.before, forgery.signBox),
    measuredAfter: measurement(run, 'after', startMs + 5_000, forgery.after, forgery.signBox),
    report: reportWith(run, capsuleDigest(written), forgery.report, forgery.signReport),
    deviceEvidence: alpha.evidence,
    ...forgery.receipt,
  };
}

export function measurement(
  run: string,
  nonceOf: string,
  atMs: number,
  changes: Partial<BoxEvidence> = {},
  sign: Sign = box.sign,
): Receipt['measuredBefore'] {
  const nonce = blobDigest(text(nonceOf));
  const evidence: BoxEvidence = {
    ...boxAddress(run),
    beacon: domainDigest('beacon-value', networkIdentity, nonce),
    software,
    madeAtMs: atMs,
    ...changes,
  };
  return { nonce, issuedAtMs: atMs - 10, evidence: signMessage(BoxEvidenceMessage, evidence, sign) };
}

export function reportWith(run: string, capsule: Uint8Array, changes: Partial<Report> = {}, sign: Sign = box.sign): Uint8Array {
  const report: Report = {
    ...boxAddress(run),
    capsule,
    outcome: { outcome: 'exited', status: 0 },
    startedAtMs: startMs + 2_000,
    endedAtMs: startMs + 4_000,
    usage: { wallMs: 2_000, cpuMs: 1_500, memoryBytesMax: 30_000_000 },
    outputs: [{ path: 'out/sum.txt', digest: blobDigest(text('3')), bytes: 1 }],
    stdout: { digest: blobDigest(text('3\n')), bytes: 2 },
    stderr: { digest: blobDigest(new Uint8Array()), bytes: 0 },
    ...changes,
  };
  return signMessage(ReportMessage, report, sign);
}

export function judged(receipt: Uint8Array, against: Network = network): ReceiptVerdict {
  return judgeReceipt(receipt, { network: against, crypto });
}

/** The reason of a refusal, or `verified`. */
export function outcomeOf(receipt: Uint8Array, against: Network = network): string {
  const verdict = judged(receipt, against);
  return verdict.status === 'verified' ? 'verified' : verdict.reason;
}

export function networkFrom(file: Uint8Array): Network {
  const decoded = decodeNetwork(file);
  if (decoded.status === 'malformed') throw new Error(decoded.detail);
  return decoded.value;
}

/** @param seed 32 bytes, the private key of RFC 8032 */
export function softwareSigner(seed: Uint8Array): { readonly publicKey: Uint8Array; readonly sign: Sign } {
  const privateKey = createPrivateKey({
    key: Buffer.from(`302e020100300506032b657004220420${seed.toHex()}`, 'hex'),
    format: 'der',
    type: 'pkcs8',
  });
  const publicKey = new Uint8Array(createPublicKey(privateKey).export({ format: 'der', type: 'spki' }).subarray(-32));
  return { publicKey, sign: (input) => new Uint8Array(signWith(null, input, privateKey)) };
}

function boxAddress(run: string): { network: Uint8Array; device: string; box: string; run: string } {
  return { network: networkIdentity, device: 'alpha', box: 'alpha-box', run };
}

function deviceFrom({ evidence, operationalSeed }: CapturedDevice): {
  readonly evidence: Uint8Array;
  readonly node: Uint8Array;
  readonly publicKey: Uint8Array;
  readonly sign: Sign;
} {
  const name = evidence === captured.alpha.evidence ? 'alpha' : 'bravo';
  const member = network.members.find((candidate) => candidate.name === name);
  if (!member) throw new Error(`${name} is no member`);
  return {
    evidence: Uint8Array.fromHex(evidence),
    node: nodeIdOf(member.endorsementKey),
    ...softwareSigner(Uint8Array.fromHex(operationalSeed)),
  };
}

function vectorFile(name: string): URL {
  return new URL(`../../vectors/receipt/${name}`, import.meta.url);
}
