/** The receipt of a run whose report, measurements and outputs are all here. Pure. Specification §9.1. */
import { decodeManifest } from '#protocol/manifest.ts';
import { ReceiptMessage, type Measurement, type Receipt } from '#protocol/receipt.ts';
import { signMessage } from '#protocol/signed.ts';
import type { OperationalSigner } from '../ports.ts';
import type { StoredCapsule } from '../store/store.ts';
import type { PairedBox } from './box-registry.ts';
import type { Job, Measuring } from './job.ts';

/** The device at this moment: who signs, and the evidence that says why the signature counts. */
export interface Issuer {
  readonly network: Uint8Array;
  readonly node: Uint8Array;
  readonly device: string;
  readonly tpm: Receipt['tpm'];
  readonly evidence: Uint8Array;
  readonly sign: OperationalSigner;
}

/** @param job complete: `dutiesOf(job)` says `issueReceipt` */
export function issueReceipt(capsule: StoredCapsule, job: Job, box: PairedBox, issuer: Issuer, endedAtMs: number): Uint8Array {
  const { network, node, device, tpm, evidence, sign } = issuer;
  const { before, after, report, end } = job;
  const manifest = decodeManifest(capsule.manifest);
  if (!before || !after || !report || !end || manifest.status === 'malformed')
    throw new Error(`capsule ${job.capsule} is not ready for its receipt`);
  const receipt: Receipt = {
    version: 1,
    network,
    node,
    device,
    tpm,
    client: capsule.client,
    request: capsule.request,
    capsule: capsule.capsule,
    manifest: capsule.manifest,
    attempt: job.attempt,
    box: { name: box.name, key: box.signingKey, trust: 'self-reported' },
    acceptedAtMs: capsule.acceptedAtMs,
    endedAtMs,
    state: end.state,
    ...(end.reason ? { reason: end.reason } : {}),
    measuredBefore: measurementOf(before),
    measuredAfter: measurementOf(after),
    report,
    deviceEvidence: evidence,
  };
  return signMessage(ReceiptMessage, receipt, sign);
}

function measurementOf({ nonce, issuedAtMs, evidence }: Measuring): Measurement {
  if (!evidence) throw new Error('a measurement without its evidence');
  return { nonce, issuedAtMs, evidence };
}
