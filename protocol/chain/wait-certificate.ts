/**
 * Wait certificates: that a member's TPM had power for the whole of a drawn wait, begun on the parent and ended on the block.
 * Specification §12.3.
 *
 * The two are bound to one another: the end certifies the header, which holds the start. A pair that is merely about the
 * same subject could be made in either order. TPM *Time* counts, never *Clock*, which the owner can set forward.
 */
import { bytesToNumberBE, numberToBytesBE } from '@noble/curves/utils.js';
import type { Crypto } from '../crypto.ts';
import { domainDigest, uint64 } from '../digest.ts';
import { decodeAttestOf } from '../tpm/attest.ts';
import type { AttestationKey } from '../tpm/attestation-key.ts';
import { refused, type AttestationRefusal, type Refused } from '../tpm/attestation.ts';
import { judgeCertifiedTime } from '../tpm/certified-time.ts';
import { Signature } from '../tpm/signature.ts';
import type { TimeCertificate } from './block.ts';

/** What a start certificate is about. */
export interface WaitSubject {
  readonly network: Uint8Array;
  /** Block id. */
  readonly parent: Uint8Array;
  readonly node: Uint8Array;
  readonly height: number;
}

/** A moment on one chip's clock: which boot, and ms since it got power. */
export interface ChipTime {
  readonly resetCount: number;
  readonly restartCount: number;
  readonly timeMs: number;
}

export type TimeCertificateRefusal = AttestationRefusal | 'obfuscated-clock' | 'signature-not-low-s' | 'time-out-of-range';

export interface AcceptedTimeCertificate extends ChipTime {
  readonly status: 'accepted';
  readonly firmwareVersion: bigint;
}

export type TimeCertificateVerdict = AcceptedTimeCertificate | Refused<TimeCertificateRefusal>;

export interface Wait extends WaitSubject {
  readonly start: TimeCertificate;
  readonly end: TimeCertificate;
  /** The exact bytes whose fields network, parent, node, height and start are. */
  readonly headerBytes: Uint8Array;
  readonly waitMs: number;
  /** When the wait of the member's last block on this branch was over, or its end; none before its first. */
  readonly lastEnd?: ChipTime | undefined;
}

export type WaitRefusal =
  | `start-${TimeCertificateRefusal}`
  | `end-${TimeCertificateRefusal}`
  | 'reset-count-differs'
  | 'restart-count-differs'
  | 'firmware-differs'
  | 'ends-before-start'
  | 'too-early'
  | 'reset-count-fell'
  | 'restart-count-fell'
  | 'overlaps-last-block';

export type WaitVerdict = { readonly status: 'accepted'; readonly end: ChipTime; readonly elapsedMs: number } | Refused<WaitRefusal>;

/** Qualifying data of a start certificate. */
export function startQualifier({ network, parent, node, height }: WaitSubject): Uint8Array {
  return domainDigest('poet-start', network, parent, node, uint64(height));
}

/** Qualifying data of an end certificate. */
export function endQualifier(headerBytes: Uint8Array): Uint8Array {
  return domainDigest('poet-end', headerBytes);
}

/** The same signature with s in the lower half of the order, for whoever makes a certificate. @param signature r ‖ s, 64 bytes */
export function lowS(signature: Uint8Array): Uint8Array {
  if (isLowS(signature)) return signature;
  const s = bytesToNumberBE(signature.subarray(32));
  const low = new Uint8Array(signature);
  low.set(numberToBytesBE(order - s, 32), 32);
  return low;
}

/** @param qualifier what the certificate must be about */
export function judgeTimeCertificate(
  crypto: Crypto,
  key: AttestationKey,
  certificate: TimeCertificate,
  qualifier: Uint8Array,
): TimeCertificateVerdict {
  const signed = { attestation: certificate.attestation, signature: tpmSignature(key, certificate.signature) };
  const verdict = judgeCertifiedTime(crypto, key, signed, qualifier);
  if (verdict.status === 'refused') return verdict;
  if (!isLowS(certificate.signature))
    return refused('signature-not-low-s', 's is in the upper half of the order; a block would have two ids');
  const { timeMs, clockInfo, firmwareVersion } = verdict.time;
  if (timeMs > BigInt(Number.MAX_SAFE_INTEGER)) return refused('time-out-of-range', `Time is ${timeMs} ms; no chip counts that far`);
  const { resetCount, restartCount } = clockInfo;
  return { status: 'accepted', resetCount, restartCount, timeMs: Number(timeMs), firmwareVersion };
}

/** Whether the chip waited as long as was drawn, after the member's last block on the branch. */
export function judgeWait(crypto: Crypto, key: AttestationKey, wait: Wait): WaitVerdict {
  const start = judgeTimeCertificate(crypto, key, wait.start, startQualifier(wait));
  if (start.status === 'refused') return refused(`start-${start.reason}`, start.detail);
  const end = judgeTimeCertificate(crypto, key, wait.end, endQualifier(wait.headerBytes));
  if (end.status === 'refused') return refused(`end-${end.reason}`, end.detail);
  const fault = judgeSpan(start, end, wait.waitMs) ?? (wait.lastEnd && judgeOrder(wait.lastEnd, start));
  if (fault) return fault;
  const { resetCount, restartCount, timeMs } = end;
  return { status: 'accepted', end: { resetCount, restartCount, timeMs }, elapsedMs: timeMs - start.timeMs };
}

/** A wait by what its two certificates say; their signatures are judged by `judgeWait`. */
export interface ClaimedWait {
  readonly start: TimeCertificate;
  readonly end: TimeCertificate;
}

/**
 * Whether two waits of one chip were waited one after the other: no second of it counts for both (§12.6). What no chip can have certified
 * is apart from nothing.
 */
export function areApart(left: ClaimedWait, right: ClaimedWait): boolean {
  const [leftStart, leftEnd, rightStart, rightEnd] = [left.start, left.end, right.start, right.end].map(claimedTime);
  if (!leftStart || !leftEnd || !rightStart || !rightEnd) return false;
  return judgeOrder(leftEnd, rightStart) === undefined || judgeOrder(rightEnd, leftStart) === undefined;
}

/** What it says, unjudged; undefined where no chip can have said it. */
export function claimedTime({ attestation }: TimeCertificate): ChipTime | undefined {
  const decoded = decodeAttestOf('time', attestation);
  if (decoded.status === 'malformed') return undefined;
  const { time, clockInfo } = decoded.value.attested.timeInfo;
  return { resetCount: clockInfo.resetCount, restartCount: clockInfo.restartCount, timeMs: Number(time) };
}

/** One boot and long enough. */
function judgeSpan(start: AcceptedTimeCertificate, end: AcceptedTimeCertificate, waitMs: number): Refused<WaitRefusal> | undefined {
  if (start.resetCount !== end.resetCount)
    return refused('reset-count-differs', `the wait began under reset count ${start.resetCount} and ended under ${end.resetCount}`);
  if (start.restartCount !== end.restartCount)
    return refused('restart-count-differs', `the wait began under restart count ${start.restartCount} and ended under ${end.restartCount}`);
  if (start.firmwareVersion !== end.firmwareVersion) return refused('firmware-differs', 'the TPM firmware changed during the wait');
  const elapsedMs = end.timeMs - start.timeMs;
  if (elapsedMs < 0) return refused('ends-before-start', `the end was certified ${-elapsedMs} ms before the start`);
  if (elapsedMs < waitMs) return refused('too-early', `${elapsedMs} ms passed on the TPM; the wait is ${waitMs} ms`);
  return undefined;
}

/** A restart count begins again with each reset, so it is compared under the same reset only. */
function judgeOrder(last: ChipTime, start: ChipTime): Refused<WaitRefusal> | undefined {
  if (start.resetCount < last.resetCount)
    return refused('reset-count-fell', `reset count ${start.resetCount} after ${last.resetCount}: the TPM was cleared, or copied`);
  if (start.resetCount > last.resetCount) return undefined;
  if (start.restartCount < last.restartCount)
    return refused('restart-count-fell', `restart count ${start.restartCount} after ${last.restartCount} under one reset count`);
  if (start.restartCount > last.restartCount || start.timeMs >= last.timeMs) return undefined;
  return refused(
    'overlaps-last-block',
    `the wait began at ${start.timeMs} ms, before this member's last one was over at ${last.timeMs} ms`,
  );
}

/** Order of P-256 (FIPS 186-5, SP 800-186 section 3.2.1.3). */
const order = 0xffffffff00000000ffffffffffffffffbce6faada7179e84f3b9cac2fc632551n;

/** @param signature r ‖ s, 64 bytes */
export function isLowS(signature: Uint8Array): boolean {
  return bytesToNumberBE(signature.subarray(32)) <= order >> 1n;
}

/** TPMT_SIGNATURE with the scheme of the key: on the chain only r ‖ s travel, so that nothing about it can be chosen. */
function tpmSignature(key: AttestationKey, signature: Uint8Array): Uint8Array {
  return Signature.encode({ scheme: 'ecdsa', hash: key.hash, r: signature.subarray(0, 32), s: signature.subarray(32) });
}
