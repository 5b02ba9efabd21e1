/**
 * What is done about measuring at the start of the program, decided from what was measured before. Specification §3.3.
 *
 * Registers can only be extended and only the TPM's reset clears them, so measuring happens once per reset: the record
 * is written before the first extension, and a program that is started again, even in the middle of measuring, goes on
 * from where the registers are.
 */
import { sameBytes } from '#protocol/codec.ts';
import {
  eventExtension,
  expectedRegisters,
  extendRegister,
  MEASURED_PCRS,
  MeasuredEvent,
  operationalKeyCap,
  operationalKeyExtension,
  zeroRegister,
  type Registers,
} from '#protocol/measured-boot.ts';
import { LIMITS } from '#protocol/limits.ts';
import { bytes, fixedBytes, integer, list, struct, type Infer } from '#protocol/schema.ts';

const Wrapped = bytes({ min: 1, max: LIMITS.tpmStructureBytesMax });

export const BootRecord = struct({
  /** The reset that it belongs to. */
  resetCount: integer({ min: 0, max: 0xffff_ffff }),
  eventLog: list(MeasuredEvent, { max: LIMITS.measuredEventsMax }),
  operationalKey: fixedBytes(32),
  /** The operational key's seed, sealed to what the two registers hold at the end. */
  sealed: struct({ privateArea: Wrapped, publicArea: Wrapped }),
});
export type BootRecord = Infer<typeof BootRecord>;

export interface Extension {
  readonly pcr: number;
  readonly digest: Uint8Array;
}

export type BootDecision =
  | { readonly action: 'measure-anew' }
  /** `remaining` is empty where everything was measured. */
  | { readonly action: 'continue'; readonly record: BootRecord; readonly remaining: readonly Extension[] }
  | { readonly action: 'refuse'; readonly detail: string };

/** @param planned what is to be measured now */
export function decideBoot(
  planned: readonly MeasuredEvent[],
  found: { readonly registers: Registers; readonly resetCount: number; readonly record: BootRecord | undefined },
): BootDecision {
  const { registers, resetCount, record } = found;
  if (sameBytes(registers.pcr8, zeroRegister) && sameBytes(registers.pcr14, zeroRegister)) return { action: 'measure-anew' };
  if (!record || record.resetCount !== resetCount) return refuse('PCR 8 or 14 was extended by something else since the TPM was reset');
  const changed = differingKind(planned, record.eventLog);
  if (changed) return refuse(`the ${changed} is not the one that was measured since the TPM was reset`);
  const remaining = remainingExtensions(record, registers);
  if (!remaining) return refuse('PCR 8 or 14 does not hold what this device measured since the TPM was reset');
  return { action: 'continue', record, remaining };
}

/** All extensions of a boot in their order: the software first, so that the operational key speaks for software that is known. */
export function extensionsOf(record: Pick<BootRecord, 'eventLog' | 'operationalKey'>): Extension[] {
  return [
    ...record.eventLog.map((event) => ({ pcr: MEASURED_PCRS.software, digest: eventExtension(event) })),
    { pcr: MEASURED_PCRS.operationalKey, digest: operationalKeyExtension(record.operationalKey) },
    { pcr: MEASURED_PCRS.operationalKey, digest: operationalKeyCap },
  ];
}

/** What is left to extend; undefined where the registers are at no point of the way. */
function remainingExtensions(record: BootRecord, registers: Registers): Extension[] | undefined {
  const all = extensionsOf(record);
  let reached: Registers = { pcr8: zeroRegister, pcr14: zeroRegister };
  for (let done = 0; ; done += 1) {
    if (sameRegisters(reached, registers)) return all.slice(done);
    const next = all[done];
    if (!next) return undefined;
    reached =
      next.pcr === MEASURED_PCRS.software
        ? { ...reached, pcr14: extendRegister(reached.pcr14, next.digest) }
        : { ...reached, pcr8: extendRegister(reached.pcr8, next.digest) };
  }
}

/** Registers once everything of a record is measured. */
export function finalRegisters(record: Pick<BootRecord, 'eventLog' | 'operationalKey'>): Registers {
  return expectedRegisters(record.eventLog, record.operationalKey);
}

function differingKind(planned: readonly MeasuredEvent[], recorded: readonly MeasuredEvent[]): string | undefined {
  const differing = planned.find((event, index) => {
    const before = recorded[index];
    return !before || before.kind !== event.kind || !sameBytes(before.digest, event.digest);
  });
  return differing?.kind ?? (recorded.length > planned.length ? 'number of measurements' : undefined);
}

function sameRegisters(left: Registers, right: Registers): boolean {
  return sameBytes(left.pcr8, right.pcr8) && sameBytes(left.pcr14, right.pcr14);
}

function refuse(detail: string): BootDecision {
  return { action: 'refuse', detail };
}
