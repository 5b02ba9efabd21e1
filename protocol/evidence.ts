/**
 * Evidence of a device and its judgement, which needs nothing but the evidence and the network file. Specification §3.6.
 * Words are those of RFC 9334: attester, evidence, verifier, reference values, attestation result.
 */
import { judgeBeacon, type BeaconRefusal } from './beacon.ts';
import { decodeStrict, encodeStrict, sameBytes } from './codec.ts';
import type { ClockState } from './continuity.ts';
import { judgeCredentials, type CredentialRefusal } from './credential.ts';
import type { Crypto } from './crypto.ts';
import { blobDigest, Digest, domainDigest, hex } from './digest.ts';
import { LIMITS } from './limits.ts';
import { judgeMeasuredBoot, MeasuredEvent, Registers, type MeasuredBootRefusal } from './measured-boot.ts';
import { judgeMeasuredQuote } from './measured-quote.ts';
import { judgeMemberKeys, type MemberKeys, type MemberKeysRefusal } from './member-keys.ts';
import { memberOf, networkId, type Member, type Network, type Reference } from './network.ts';
import { bytes, fixedBytes, list, struct, type Infer } from './schema.ts';
import { judgeCertifiedTime, type CertifiedTime, type CertifiedTimeVerdict } from './tpm/certified-time.ts';
import type { ClockInfo } from './tpm/clock-info.ts';
import type { QuoteVerdict } from './tpm/quote.ts';

const TpmStructure = bytes({ min: 1, max: LIMITS.tpmStructureBytesMax });

export const DeviceEvidence = struct({
  node: Digest,
  /** TPMT_PUBLIC. */
  endorsementKey: TpmStructure,
  attestationKey: TpmStructure,
  /** Signed by other members: `CredentialMessage`. */
  credentials: list(bytes({ min: 1, max: LIMITS.credentialBytesMax }), { max: LIMITS.credentialsMax }),
  /** Signed by another member: `BeaconMessage`. */
  beacon: bytes({ min: 1, max: LIMITS.beaconBytesMax }),
  /** Ed25519, made once per reset of the TPM. */
  operationalKey: fixedBytes(32),
  /** TPMS_ATTEST and TPMT_SIGNATURE of TPM2_Quote over PCRs 8 and 14. */
  quote: TpmStructure,
  quoteSignature: TpmStructure,
  pcrs: Registers,
  /** What was extended into PCR 14. */
  eventLog: list(MeasuredEvent, { max: LIMITS.measuredEventsMax }),
  /** TPMS_ATTEST and TPMT_SIGNATURE of TPM2_GetTime. */
  time: TpmStructure,
  timeSignature: TpmStructure,
});
export type DeviceEvidence = Infer<typeof DeviceEvidence>;

export function encodeDeviceEvidence(evidence: DeviceEvidence): Uint8Array {
  return encodeStrict(DeviceEvidence, evidence);
}

/** What evidence is about: everything that must not be exchanged without a new signature of the TPM. */
export interface EvidenceSubject {
  readonly network: Uint8Array;
  readonly beaconValue: Uint8Array;
  readonly node: Uint8Array;
  readonly operationalKey: Uint8Array;
}

/** Qualifying data of the quote and of the certified time. */
export function evidenceQualifier(purpose: 'evidence' | 'evidence-time', subject: EvidenceSubject): Uint8Array {
  return domainDigest(purpose, subject.network, subject.beaconValue, subject.node, subject.operationalKey);
}

export interface EvidenceContext {
  readonly network: Network;
  readonly crypto: Crypto;
  /** When the evidence is judged, or was made, in ms since 1970. */
  readonly atMs: number;
  readonly beaconAgeMaxMs?: number;
}

type RefusalOf<Verdict> = Extract<Verdict, { status: 'refused' }> extends { reason: infer Reason extends string } ? Reason : never;

export type EvidenceRefusal =
  | 'malformed'
  | 'unknown-member'
  | 'keys-differ'
  | MemberKeysRefusal
  | CredentialRefusal
  | BeaconRefusal
  | `quote-${RefusalOf<QuoteVerdict>}`
  | MeasuredBootRefusal
  | `time-${RefusalOf<CertifiedTimeVerdict>}`
  | 'boots-differ';

/** One rule that held, for people: `capsule verify` prints a line for each. */
export interface EvidenceStep {
  readonly rule:
    'member' | 'endorsement' | 'attestation-key' | 'credentials' | 'beacon' | 'quote' | 'measured-boot' | 'operational-key' | 'time';
  readonly detail: string;
}

/** What the boot chain shows. Only this level exists so far: the firmware measured itself, nothing measured it. */
export type BootTrust = 'measured-by-itself';

export interface TrustedEvidence {
  readonly status: 'trusted';
  readonly node: Uint8Array;
  readonly name: string;
  readonly operationalKey: Uint8Array;
  /** The endorsement key is certified by an authority of software TPMs: good for development, no evidence of hardware. */
  readonly softwareTpm: boolean;
  readonly bootTrust: BootTrust;
  /** For `judgeContinuity`; `seenAtMs` is `atMs`. */
  readonly clock: ClockState;
  readonly beaconIssuedAtMs: number;
  readonly steps: readonly EvidenceStep[];
}

export type EvidenceVerdict = TrustedEvidence | { readonly status: 'untrusted'; readonly reason: EvidenceRefusal; readonly detail: string };

/** Judges foreign bytes; anything that is wrong with them is a verdict. */
export function judgeDeviceEvidence(encoded: Uint8Array, context: EvidenceContext): EvidenceVerdict {
  const decoded = decodeStrict(DeviceEvidence, encoded, LIMITS.evidenceBytesMax);
  if (decoded.status === 'malformed') return untrusted('malformed', decoded.detail);
  const member = memberOf(context.network, decoded.value.node);
  if (!member) return untrusted('unknown-member', `no member of this network has the id ${hex(decoded.value.node)}`);
  const foreign = otherKeyThan(member, decoded.value);
  if (foreign) return untrusted('keys-differ', foreign);
  const keys = judgeMemberKeys(member, context.network.genesis.endorsementAuthorities, context);
  return keys.status === 'refused' ? untrusted(keys.reason, keys.detail) : judgeVouched(decoded.value, keys.keys, context);
}

function otherKeyThan(member: Member, evidence: DeviceEvidence): string | undefined {
  if (!sameBytes(evidence.endorsementKey, member.endorsementKey))
    return `the endorsement key is not the one that the network file has for ${member.name}`;
  if (!sameBytes(evidence.attestationKey, member.attestationKey))
    return `the attestation key is not the one that the network file has for ${member.name}`;
  return undefined;
}

/** What needs the judged keys: who vouches for them, and what they attest. */
function judgeVouched(evidence: DeviceEvidence, keys: MemberKeys, context: EvidenceContext): EvidenceVerdict {
  const credentials = judgeCredentials(evidence.credentials, keys, context);
  if (credentials.status === 'refused') return untrusted(credentials.reason, credentials.detail);
  const beacon = judgeBeacon(evidence.beacon, keys.node, context);
  if (beacon.status === 'refused') return untrusted(beacon.reason, beacon.detail);
  const attested = judgeAttested(evidence, keys, beacon.value, context);
  if (attested.status === 'untrusted') return attested;
  return {
    status: 'trusted',
    node: evidence.node,
    name: keys.name,
    operationalKey: evidence.operationalKey,
    softwareTpm: keys.softwareTpm,
    bootTrust: 'measured-by-itself',
    clock: clockState(evidence, attested.time, beacon.issuedAtMs, context.atMs),
    beaconIssuedAtMs: beacon.issuedAtMs,
    steps: [...keySteps(keys, credentials.issuers), beaconStep(beacon.issuer, beacon.issuedAtMs, context.atMs), ...attested.steps],
  };
}

type Attested = { readonly status: 'attested'; readonly time: CertifiedTime; readonly steps: readonly EvidenceStep[] };

function judgeAttested(
  evidence: DeviceEvidence,
  keys: MemberKeys,
  beacon: Uint8Array,
  { crypto, network, atMs }: EvidenceContext,
): Attested | Untrusted {
  const subject = { network: networkId(network), beaconValue: beacon, node: evidence.node, operationalKey: evidence.operationalKey };
  const quote = judgeMeasuredQuote(crypto, keys.attestationKey, evidence, evidenceQualifier('evidence', subject));
  if (quote.status === 'refused') return untrusted(`quote-${quote.reason}`, quote.detail);
  const boot = judgeMeasuredBoot(
    { registers: evidence.pcrs, eventLog: evidence.eventLog, operationalKey: evidence.operationalKey },
    network.references,
    atMs,
  );
  if (boot.status === 'refused') return untrusted(boot.reason, boot.detail);
  const signed = { attestation: evidence.time, signature: evidence.timeSignature };
  const time = judgeCertifiedTime(crypto, keys.attestationKey, signed, evidenceQualifier('evidence-time', subject));
  if (time.status === 'refused') return untrusted(`time-${time.reason}`, time.detail);
  if (!isOneBoot(quote, time.time))
    return untrusted('boots-differ', 'the quote and the certified time are of different boots or TPM firmware');
  return { status: 'attested', time: time.time, steps: attestedSteps(boot.measured, evidence.operationalKey, time.time) };
}

function isOneBoot(quote: { clockInfo: ClockInfo; firmwareVersion: bigint }, time: CertifiedTime): boolean {
  const sameCounts =
    quote.clockInfo.resetCount === time.clockInfo.resetCount && quote.clockInfo.restartCount === time.clockInfo.restartCount;
  return sameCounts && quote.firmwareVersion === time.firmwareVersion;
}

function clockState(evidence: DeviceEvidence, time: CertifiedTime, beaconIssuedAtMs: number, seenAtMs: number): ClockState {
  const { resetCount, restartCount, clock, safe } = time.clockInfo;
  const attestationKeyDigest = blobDigest(evidence.attestationKey);
  const { operationalKey } = evidence;
  return {
    resetCount,
    restartCount,
    timeMs: milliseconds(time.timeMs),
    clockMs: milliseconds(clock),
    safe,
    attestationKeyDigest,
    operationalKey,
    beaconIssuedAtMs,
    seenAtMs,
  };
}

/** 2^53 ms are 285,000 years: a chip that claims more is held at the end of what we count. */
function milliseconds(value: bigint): number {
  return Number(value > BigInt(Number.MAX_SAFE_INTEGER) ? BigInt(Number.MAX_SAFE_INTEGER) : value);
}

function keySteps(keys: MemberKeys, issuers: readonly string[]): EvidenceStep[] {
  const kind = keys.softwareTpm ? 'a software TPM' : 'a hardware TPM';
  return [
    { rule: 'member', detail: `${keys.name} is a member, node ${hex(keys.node)}` },
    { rule: 'endorsement', detail: `its endorsement key is certified as that of ${kind} by an authority of the genesis` },
    { rule: 'attestation-key', detail: 'its attestation key is restricted, fixed to the chip and a child of the endorsement key' },
    { rule: 'credentials', detail: `${issuers.join(' and ')} vouch for the attestation key` },
  ];
}

function beaconStep(issuer: string, issuedAtMs: number, atMs: number): EvidenceStep {
  return { rule: 'beacon', detail: `it contains a beacon by ${issuer}, ${Math.round((atMs - issuedAtMs) / 1_000)} s old` };
}

function attestedSteps(measured: readonly Reference[], operationalKey: Uint8Array, time: CertifiedTime): EvidenceStep[] {
  const software = measured.map(({ kind, label, digest }) => `${kind} ${label} (${hex(digest).slice(0, 16)})`).join(', ');
  const { resetCount, restartCount } = time.clockInfo;
  return [
    { rule: 'quote', detail: 'the TPM quotes exactly PCRs 8 and 14 for this network, beacon, device and operational key' },
    { rule: 'measured-boot', detail: `PCR 14 replays to ${software}` },
    { rule: 'operational-key', detail: `PCR 8 holds the operational key ${hex(operationalKey).slice(0, 16)} and is capped` },
    { rule: 'time', detail: `TPM time ${time.timeMs} ms since power-up, reset count ${resetCount}, restart count ${restartCount}` },
  ];
}

type Untrusted = Extract<EvidenceVerdict, { status: 'untrusted' }>;

function untrusted(reason: EvidenceRefusal, detail: string): Untrusted {
  return { status: 'untrusted', reason, detail };
}
