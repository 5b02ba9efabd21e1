/** A box's logs against its quote and its reference values. Pure. Specification §6.5. */
import { concatBytes } from '@noble/hashes/utils.js';
import { sameBytes } from '../codec.ts';
import type { Crypto } from '../crypto.ts';
import { hex } from '../digest.ts';
import { LIMITS } from '../limits.ts';
import { inOneTurn, type Turns } from '../turns.ts';
import type { BoxTpmEvidence } from './box-tpm.ts';
import { departingFrom, type Departure } from './departures.ts';
import { decodingImaLog, IMA_PCR, type ImaEntry } from './ima-log.ts';
import { BOOT_AGGREGATE } from './learning.ts';
import { judgingReference } from './log-parts.ts';
import type { ReferenceValues } from './reference-values.ts';
import { BOOT_PCRS, replayBootLog, type BoxRegisters } from './registers.ts';
import { decodeBootLog, separatorFaults, type BootLog } from './uefi-log.ts';

export interface BoxLogs {
  readonly boot: Uint8Array;
  readonly ima: Uint8Array;
}

export interface MeasuredReason {
  readonly reason:
    | Departure['reason']
    | 'log-differs-from-evidence'
    | 'boot-log-malformed'
    | 'boot-log-differs'
    | 'separator-wrong'
    | 'ima-log-malformed'
    | 'ima-log-differs'
    | 'ima-log-too-long'
    | 'ima-of-another-boot';
  readonly detail: string;
}

export type MeasurementVerdict =
  | {
      readonly status: 'accepted';
      readonly bootLog: BootLog;
      /** Those that the quote covers. */
      readonly files: readonly ImaEntry[];
      /** In what it departs from reference values that are still being learned: not yet a reason. */
      readonly departures: readonly Departure[];
    }
  /** All reasons, at least one. */
  | { readonly status: 'refused'; readonly reasons: readonly MeasuredReason[] };

export interface ToJudge {
  readonly evidence: BoxTpmEvidence;
  /** Those of a quote that was accepted. */
  readonly registers: BoxRegisters;
  readonly logs: BoxLogs;
  /** Absent, or being learned: then the logs must only explain the registers. */
  readonly references?: ReferenceValues | undefined;
}

export function judgeMeasurement(crypto: Crypto, measured: ToJudge): MeasurementVerdict {
  return inOneTurn(judgingMeasurement(crypto, measured));
}

export function* judgingMeasurement(crypto: Crypto, { evidence, registers, logs, references }: ToJudge): Turns<MeasurementVerdict> {
  const sha256 = (bytes: Uint8Array): Uint8Array => crypto.sha256(bytes);
  const isReferenced =
    (yield* judgingReference(logs.boot, evidence.bootLog, sha256)) && (yield* judgingReference(logs.ima, evidence.imaLog, sha256));
  if (!isReferenced)
    return refused([{ reason: 'log-differs-from-evidence', detail: 'a log is not the one whose digest the evidence has' }]);
  const boot = judgeBootLog(crypto, logs.boot, registers);
  const ima = yield* judgingImaLog(crypto, logs.ima, registers);
  const reasons = [...boot.reasons, ...ima.reasons];
  if (reasons.length > 0 || !boot.log || !ima.files) return refused(reasons);
  const departures = references ? yield* departingFrom(references, { registers, bootLog: boot.log, files: ima.files }) : [];
  if (references?.stage === 'frozen' && departures.length > 0) return refused(departures);
  return { status: 'accepted', bootLog: boot.log, files: ima.files, departures };
}

function judgeBootLog(crypto: Crypto, bytes: Uint8Array, registers: BoxRegisters): { log?: BootLog; reasons: MeasuredReason[] } {
  const decoded = decodeBootLog(bytes);
  if (decoded.status === 'malformed') return { reasons: [{ reason: 'boot-log-malformed', detail: decoded.detail }] };
  const log = decoded.value;
  const replayed = replayBootLog(log, crypto);
  const differing = BOOT_PCRS.filter((pcr) => !sameBytes(replayed.get(pcr) ?? noRegister, registers.get(pcr) ?? noRegister));
  const reasons: MeasuredReason[] = differing.map((pcr) => ({
    reason: 'boot-log-differs',
    detail: `PCR ${pcr} is ${shown(registers.get(pcr))}; the boot log makes it ${shown(replayed.get(pcr))}: something was measured that the log does not say, or the log is of another boot`,
  }));
  const separators: MeasuredReason[] = separatorFaults(log, crypto).map(({ detail }) => ({ reason: 'separator-wrong', detail }));
  return { log, reasons: [...reasons, ...separators] };
}

function* judgingImaLog(
  crypto: Crypto,
  bytes: Uint8Array,
  registers: BoxRegisters,
): Turns<{ files?: readonly ImaEntry[]; reasons: MeasuredReason[] }> {
  const register = registers.get(IMA_PCR) ?? noRegister;
  const decoded = yield* decodingImaLog(bytes, crypto, register);
  if (decoded.status === 'malformed') return { reasons: [{ reason: 'ima-log-malformed', detail: decoded.detail }] };
  const { entries: files, register: replayed, unreadBytes } = decoded.value;
  if (!sameBytes(replayed, register)) {
    const detail = `PCR ${IMA_PCR} is ${hex(register)}, which no first part of the IMA log's ${files.length} entries makes`;
    return { reasons: [{ reason: 'ima-log-differs', detail }] };
  }
  if (unreadBytes > LIMITS.imaUncoveredBytesMax) {
    const detail = `${unreadBytes} bytes of the IMA log follow what the quote covers; at most ${LIMITS.imaUncoveredBytesMax} are measured meanwhile`;
    return { reasons: [{ reason: 'ima-log-too-long', detail }] };
  }
  const [first] = files;
  if (first === undefined || isAggregateOf(crypto, first, registers)) return { files, reasons: [] };
  const detail = `the IMA log begins with ${first.path === BOOT_AGGREGATE ? 'the boot_aggregate of other registers than the quoted ones' : `${first.path}; it begins with boot_aggregate`}`;
  return { reasons: [{ reason: 'ima-of-another-boot', detail }] };
}

/** Of PCRs 0 to 9, or 0 to 7 by older kernels; with SHA-256, the only bank that we read. */
function isAggregateOf(crypto: Crypto, first: ImaEntry, registers: BoxRegisters): boolean {
  if (first.path !== BOOT_AGGREGATE || first.algorithm !== 'sha256' || first.violation) return false;
  return [10, 8].some((count) => {
    const values = Array.from({ length: count }, (_, pcr) => registers.get(pcr) ?? noRegister);
    return sameBytes(crypto.sha256(concatBytes(...values)), first.digest);
  });
}

const noRegister = new Uint8Array();

function shown(register: Uint8Array | undefined): string {
  return register ? hex(register) : 'nothing';
}

function refused(reasons: readonly MeasuredReason[]): MeasurementVerdict {
  return { status: 'refused', reasons };
}
