/**
 * The receipt's check: every link from the network file to the result, offline. Specification §9.2.
 *
 * The network file comes from whoever checks, never from the receipt or the device that gave it.
 */
import { BoxEvidenceMessage, endOf, ReportMessage, runIdOf, type BoxEvidence, type Report } from './box-messages.ts';
import { capsuleIdOf } from './capsule.ts';
import { sameBytes } from './codec.ts';
import { counted } from './counted.ts';
import type { Crypto } from './crypto.ts';
import { domainDigest, hex } from './digest.ts';
import { judgeDeviceEvidence } from './evidence.ts';
import { LIMITS } from './limits.ts';
import { capsuleDigest, decodeManifest, type Manifest } from './manifest.ts';
import { judgeRunMeasurements } from './measured-box/run-measurements.ts';
import { memberOf, networkId, type Network } from './network.ts';
import { ReceiptMessage, type Measurement, type Receipt } from './receipt.ts';
import { objectionToReport } from './report-judgement.ts';
import { joulesText, objectionToEnergy, observedPermille } from './run-energy.ts';
import { softwareChanges } from './software-state.ts';
import { openSigned, peekSigned, type SignedKind, type VerificationKey } from './signed.ts';
import { satisfies } from './trust-level.ts';

export type ReceiptRefusal =
  | 'malformed'
  | 'foreign-network'
  | 'device-untrusted'
  | 'bad-signature'
  | 'tpm-kind-misstated'
  | 'gateway-mismatch'
  | 'manifest-malformed'
  | 'capsule-mismatch'
  | 'box-evidence-refused'
  | 'software-changed'
  | 'box-quote-refused'
  | 'trust-overstated'
  | 'trust-insufficient'
  | 'report-refused'
  | 'times-out-of-order'
  | 'energy-misstated'
  | 'end-misstated';

/** One link that was checked, in words for people. */
export interface Step {
  readonly rule: string;
  readonly detail: string;
}

export type ReceiptVerdict =
  | {
      readonly status: 'verified';
      readonly receipt: Receipt;
      readonly manifest: Manifest;
      readonly report: Report;
      readonly software: BoxEvidence['software'];
      readonly steps: readonly Step[];
    }
  | { readonly status: 'refused'; readonly reason: ReceiptRefusal; readonly detail: string; readonly steps: readonly Step[] };

export interface VerifierContext {
  readonly network: Network;
  readonly crypto: Crypto;
  /** When it is checked, by the checker's clock; absent: an end that lies in the future is not noticed. */
  readonly nowMs?: number | undefined;
}

/** Checks a receipt against a network file. Never throws for foreign bytes. */
export function judgeReceipt(encoded: Uint8Array, context: VerifierContext): ReceiptVerdict {
  const steps: Step[] = [];
  try {
    return { status: 'verified', ...checkAll(encoded, context, steps), steps };
  } catch (error) {
    if (!(error instanceof Refused)) throw error;
    return { status: 'refused', reason: error.reason, detail: error.message, steps };
  }
}

interface Measurements {
  readonly before: BoxEvidence;
  readonly after: BoxEvidence;
}

/** A broken link ends the check; only `judgeReceipt` sees this. */
class Refused extends Error {
  readonly reason: ReceiptRefusal;
  constructor(reason: ReceiptRefusal, detail: string) {
    super(detail);
    this.reason = reason;
  }
}

function checkAll(encoded: Uint8Array, context: VerifierContext, steps: Step[]) {
  const claimed = peekSigned(ReceiptMessage, encoded);
  if (claimed.status === 'malformed') throw new Refused('malformed', claimed.detail);
  const receipt = claimed.value;
  steps.push({ rule: 'strict form', detail: `${encoded.length} bytes of deterministic CBOR` });
  checkNetwork(receipt, context, steps);
  checkDevice(encoded, receipt, context, steps);
  checkGateway(receipt, context);
  const manifest = checkManifest(receipt, steps);
  const measured = checkBoxEvidence(receipt, context, steps);
  const report = checkReport(receipt, context, steps);
  checkMeasurements(receipt, measured, report, context, steps);
  checkTrust(receipt, manifest, steps);
  checkAgainstManifest(report, manifest, measured, steps);
  checkNow(receipt, context);
  checkTimes(receipt, measured, report, steps);
  checkEnergy(receipt, report, steps);
  checkEnd(receipt, report, steps);
  return { receipt, manifest, report, software: measured.before.software };
}

function checkNetwork(receipt: Receipt, { network }: VerifierContext, steps: Step[]): void {
  const expected = networkId(network);
  if (!sameBytes(receipt.network, expected)) {
    throw new Refused(
      'foreign-network',
      `the receipt is of network ${hex(receipt.network).slice(0, 16)}; the network file is of ${hex(expected).slice(0, 16)}`,
    );
  }
  steps.push({ rule: 'network', detail: `${network.genesis.name} (${hex(expected).slice(0, 16)})` });
}

function checkDevice(encoded: Uint8Array, receipt: Receipt, { network, crypto }: VerifierContext, steps: Step[]): void {
  const device = judgeDeviceEvidence(receipt.deviceEvidence, { network, crypto, atMs: receipt.endedAtMs });
  if (device.status === 'untrusted')
    throw new Refused('device-untrusted', `the device's evidence is refused (${device.reason}): ${device.detail}`);
  steps.push(...device.steps);
  if (!sameBytes(device.node, receipt.node) || device.name !== receipt.device) {
    throw new Refused('device-untrusted', `the receipt names device ${receipt.device}, its evidence is of ${device.name}`);
  }
  const opened = openSigned(ReceiptMessage, encoded, { algorithm: 'ed25519', publicKey: device.operationalKey }, crypto);
  if (opened.status === 'refused') throw new Refused(opened.reason, opened.detail);
  steps.push({ rule: 'receipt signature', detail: `by ${device.name}'s operational key, which its TPM quoted in PCR 8` });
  const tpm = device.softwareTpm ? 'software-tpm' : 'hardware-tpm';
  if (receipt.tpm !== tpm)
    throw new Refused('tpm-kind-misstated', `the receipt says ${receipt.tpm}; the endorsement certificate says ${tpm}`);
}

/** A member that joined later is not in the network file; then the capsule's id is what binds the name. */
function checkGateway({ gateway }: Receipt, { network }: VerifierContext): void {
  const names = network.members.filter(({ name }) => name === gateway.device);
  const member = memberOf(network, gateway.node);
  if (member ? member.name === gateway.device : names.length === 0) return;
  throw new Refused(
    'gateway-mismatch',
    `the receipt names ${gateway.device} as gateway with node ${hex(gateway.node).slice(0, 16)}, which is ${member ? member.name : 'another device'}`,
  );
}

function checkManifest(receipt: Receipt, steps: Step[]): Manifest {
  const manifest = decodeManifest(receipt.manifest);
  if (manifest.status === 'malformed') throw new Refused('manifest-malformed', manifest.detail);
  const { network, gateway, client, request } = receipt;
  const id = capsuleIdOf({ network, device: gateway.device, client, request, capsule: capsuleDigest(receipt.manifest) });
  if (id !== receipt.capsule)
    throw new Refused('capsule-mismatch', `manifest, gateway, client and request make capsule ${id}, not ${receipt.capsule}`);
  steps.push({
    rule: 'manifest',
    detail: `"${manifest.value.name}": ${manifest.value.runtime} ${manifest.value.entry}, ${counted(manifest.value.files.length, 'file')}, by client ${client} through gateway ${gateway.device}`,
  });
  return manifest.value;
}

function checkBoxEvidence(receipt: Receipt, { crypto }: VerifierContext, steps: Step[]): Measurements {
  const before = requireMeasurement(receipt, receipt.measuredBefore, crypto);
  const after = requireMeasurement(receipt, receipt.measuredAfter, crypto);
  if (sameBytes(receipt.measuredBefore.nonce, receipt.measuredAfter.nonce))
    throw new Refused('box-evidence-refused', 'one measurement stands for both, before and after the run');
  const changed = softwareChanges(before.software, after.software);
  if (changed.length > 0)
    throw new Refused('software-changed', `the box reports other software after the run than before it: ${changed.join(', ')}`);
  steps.push({ rule: 'box evidence', detail: `${receipt.box.name} before and after the run, the same software, ${receipt.box.trust}` });
  return { before, after };
}

function requireMeasurement(receipt: Receipt, measurement: Measurement, crypto: Crypto): BoxEvidence {
  const evidence = open(BoxEvidenceMessage, measurement.evidence, boxKey(receipt), crypto, 'box-evidence-refused');
  const mismatch = mismatchInEvidence(receipt, measurement, evidence);
  if (mismatch) throw new Refused('box-evidence-refused', mismatch);
  return evidence;
}

function mismatchInEvidence(receipt: Receipt, measurement: Measurement, evidence: BoxEvidence): string | undefined {
  const run = runIdOf(receipt.capsule, receipt.attempt);
  if (evidence.run !== run) return `the box evidence is of run ${evidence.run}, not ${run}`;
  if (!sameBytes(evidence.network, receipt.network)) return 'the box evidence is of another network';
  if (evidence.box !== receipt.box.name || evidence.device !== receipt.device)
    return `the box evidence is of ${evidence.box} at ${evidence.device}`;
  if (!sameBytes(evidence.beacon, domainDigest('beacon-value', receipt.network, measurement.nonce)))
    return 'the box evidence answers another challenge';
  if (evidence.madeAtMs + LIMITS.clockSkewMaxMs < measurement.issuedAtMs) return 'the box evidence was made before its challenge';
  if (evidence.madeAtMs > measurement.issuedAtMs + LIMITS.beaconAgeMaxMs) return 'the box evidence came too late after its challenge';
  return undefined;
}

function checkReport(receipt: Receipt, { crypto }: VerifierContext, steps: Step[]): Report {
  const report = open(ReportMessage, receipt.report, boxKey(receipt), crypto, 'report-refused');
  const run = runIdOf(receipt.capsule, receipt.attempt);
  if (report.run !== run) throw new Refused('report-refused', `the report is of run ${report.run}, not ${run}`);
  if (!sameBytes(report.network, receipt.network) || report.device !== receipt.device || report.box !== receipt.box.name) {
    throw new Refused(
      'report-refused',
      `the report is of ${report.box} at ${report.device}, not of ${receipt.box.name} at ${receipt.device}`,
    );
  }
  if (!sameBytes(report.capsule, capsuleDigest(receipt.manifest)))
    throw new Refused('capsule-mismatch', 'the report is of another manifest');
  steps.push({
    rule: 'report',
    detail: `signed by ${receipt.box.name}: ${counted(report.outputs.length, 'output')}, ${report.usage.wallMs} ms, ${report.usage.cpuMs} ms of processor time`,
  });
  return report;
}

function checkMeasurements(
  receipt: Receipt,
  measured: Measurements,
  report: Report,
  { network, crypto }: VerifierContext,
  steps: Step[],
): void {
  const run = { receipt, ...measured, wallMs: report.usage.wallMs };
  const verdict = judgeRunMeasurements(run, network.genesis.endorsementAuthorities, crypto);
  if (verdict.status === 'refused') throw new Refused(verdict.reason, verdict.detail);
  steps.push(...verdict.steps);
}

/** A device gives back a run whose box has shown less: there is no receipt of it. */
function checkTrust({ box }: Receipt, { policy }: Manifest, steps: Step[]): void {
  if (!satisfies(box.trust, policy.trust))
    throw new Refused('trust-insufficient', `the box was ${box.trust}; the capsule asks for ${policy.trust} at least`);
  if (policy.trust !== 'self-reported')
    steps.push({ rule: 'trust', detail: `${box.trust}; the capsule asks for ${policy.trust} at least` });
}

function checkNow(receipt: Receipt, { nowMs }: VerifierContext): void {
  if (nowMs === undefined || receipt.endedAtMs <= nowMs + LIMITS.clockSkewMaxMs) return;
  throw new Refused('times-out-of-order', `the receipt was closed (${receipt.endedAtMs}) after the time of this check (${nowMs})`);
}

function checkAgainstManifest(report: Report, manifest: Manifest, { before }: Measurements, steps: Step[]): void {
  const objection = objectionToReport(report, manifest, before.software);
  if (objection !== undefined) throw new Refused('report-refused', objection);
  steps.push({ rule: 'limits', detail: 'runtime, times, usage and outputs are within what the manifest allows' });
}

/** accepted ≤ measured ≤ started ≤ ended ≤ measured again ≤ closed; device and box have a clock each, so within the skew. */
function checkTimes(receipt: Receipt, measured: Measurements, report: Report, steps: Step[]): void {
  const order: readonly (readonly [string, number])[] = [
    ['accepted', receipt.acceptedAtMs],
    ['measured before', measured.before.madeAtMs],
    ['started', report.startedAtMs],
    ['ended', report.endedAtMs],
    ['measured after', measured.after.madeAtMs],
    ['closed', receipt.endedAtMs],
  ];
  order.slice(1).forEach(([name, atMs], index) => {
    const [earlierName, earlierMs] = order[index] as readonly [string, number];
    if (atMs + LIMITS.clockSkewMaxMs < earlierMs)
      throw new Refused('times-out-of-order', `"${name}" (${atMs}) lies before "${earlierName}" (${earlierMs})`);
  });
  steps.push({ rule: 'times', detail: 'accepted, measured, run, measured again, closed, in this order' });
}

/** Where power is sensed; it is the device's word, and says how it came by it. */
function checkEnergy({ energy }: Receipt, report: Report, steps: Step[]): void {
  if (!energy) return;
  const objection = objectionToEnergy(energy, report);
  if (objection !== undefined) throw new Refused('energy-misstated', objection);
  const observed = Math.floor(observedPermille(energy, report) / 10);
  const shared = energy.sharedWith === 0 ? '' : `; the box had up to ${counted(energy.sharedWith, 'other run')} at the time`;
  steps.push({
    rule: 'energy',
    detail: `${joulesText(energy)} by ${energy.source} (${energy.sensor}), ${observed} % of the run observed${shared}`,
  });
}

function checkEnd(receipt: Receipt, report: Report, steps: Step[]): void {
  const end = receipt.disputed ? { state: 'disputed', reason: receipt.disputed.reason } : endOf(report.outcome);
  if (end.state !== receipt.state || end.reason !== receipt.reason) {
    throw new Refused(
      'end-misstated',
      `the receipt says ${receipt.state} (${receipt.reason ?? 'no reason'}); the report makes it ${end.state} (${end.reason ?? 'no reason'})`,
    );
  }
  const words = receipt.disputed ? ` (${receipt.disputed.detail})` : '';
  steps.push({ rule: 'end', detail: `${receipt.reason ? `${receipt.state}: ${receipt.reason}` : receipt.state}${words}` });
}

function boxKey(receipt: Receipt): VerificationKey {
  return { algorithm: 'ed25519', publicKey: receipt.box.key };
}

function open<T>(kind: SignedKind<T>, encoded: Uint8Array, key: VerificationKey, crypto: Crypto, reason: ReceiptRefusal): T {
  const opened = openSigned(kind, encoded, key, crypto);
  if (opened.status === 'refused') throw new Refused(reason, opened.detail);
  return opened.value;
}
