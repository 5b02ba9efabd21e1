/** The receipt of a run whose report, measurements and outputs are all here. Pure. Specification §9.1. */
import { ReceiptMessage, type Measurement, type Receipt } from '#protocol/receipt.ts';
import { signMessage } from '#protocol/signed.ts';
import type { OperationalSigner } from '../ports.ts';
import type { StoredJob } from '../store/job-store.ts';
import type { PairedBox } from './box-registry.ts';
import type { BoxStanding } from './box-standing.ts';
import type { Measuring } from './job.ts';

/** The device at this moment: who signs, and the evidence that says why the signature counts. */
export interface Issuer {
  readonly network: Uint8Array;
  readonly node: Uint8Array;
  readonly device: string;
  readonly tpm: Receipt['tpm'];
  readonly evidence: Uint8Array;
  readonly sign: OperationalSigner;
}

/** @param stored complete: `dutiesOf(stored.job)` says `issueReceipt` */
export function issueReceipt(
  { job, manifest }: StoredJob,
  box: PairedBox & { standing?: BoxStanding | undefined },
  issuer: Issuer,
  endedAtMs: number,
): Uint8Array {
  const { network, node, device, tpm, evidence, sign } = issuer;
  const { order, before, checks, after, report, end } = job;
  if (!order || !before || !after || !report || !end || !manifest) throw new Error(`capsule ${job.capsule} is not ready for its receipt`);
  const receipt: Receipt = {
    version: 1,
    network,
    node,
    device,
    tpm,
    gateway: job.gateway,
    client: order.client,
    request: order.request,
    capsule: job.capsule,
    manifest,
    attempt: job.attempt,
    box: {
      name: box.name,
      key: box.signingKey,
      trust: box.standing?.level ?? 'self-reported',
      ...(box.standing ? { tpm: box.standing.tpm } : {}),
    },
    acceptedAtMs: job.acceptedAtMs,
    endedAtMs,
    state: end.state,
    ...(end.reason ? { reason: end.reason } : {}),
    measuredBefore: measurementOf(before),
    ...(checks && checks.length > 0 ? { measuredDuring: checks.map(measurementOf) } : {}),
    measuredAfter: measurementOf(after),
    report,
    ...(job.energy ? { energy: job.energy } : {}),
    ...(job.disputed ? { disputed: job.disputed } : {}),
    deviceEvidence: evidence,
  };
  return signMessage(ReceiptMessage, receipt, sign);
}

function measurementOf({ nonce, issuedAtMs, evidence }: Measuring): Measurement {
  if (!evidence) throw new Error('a measurement without its evidence');
  return { nonce, issuedAtMs, evidence };
}
