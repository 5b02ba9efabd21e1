/** In what a box's measurements depart from its reference values: each reason with its register, event or file. Pure. Specification §6.5. */
import { sameBytes } from '../codec.ts';
import { hex } from '../digest.ts';
import { LIMITS } from '../limits.ts';
import { harmless } from '../schema.ts';
import { inOneTurn, type Turns } from '../turns.ts';
import { filesOf, isSameEvent, isSameSequence, ruleOf, sequenceOf } from './learning.ts';
import type { ImaEntry } from './ima-log.ts';
import type { EventReference, ReferenceValues } from './reference-values.ts';
import { BOOT_PCRS, type BoxRegisters } from './registers.ts';
import type { BootLog } from './uefi-log.ts';

export type DepartureReason =
  'event-unknown' | 'event-missing' | 'register-unknown' | 'file-unknown' | 'file-changed' | 'file-violation' | 'files-not-measured';

export interface Departure {
  readonly reason: DepartureReason;
  readonly pcr: number;
  readonly detail: string;
}

export interface Measured {
  readonly registers: BoxRegisters;
  readonly bootLog: BootLog;
  /** Those that the quote covers. */
  readonly files: readonly ImaEntry[];
}

export function departuresFrom(known: ReferenceValues, measured: Measured): Departure[] {
  return inOneTurn(departingFrom(known, measured));
}

export function* departingFrom(known: ReferenceValues, measured: Measured): Turns<Departure[]> {
  const files = yield* fileDepartures(known, measured.files);
  return [...BOOT_PCRS.flatMap((pcr) => registerDepartures(known, measured, pcr)), ...files];
}

function registerDepartures(known: ReferenceValues, { registers, bootLog }: Measured, pcr: number): Departure[] {
  const rule = ruleOf(known, pcr);
  if (rule === undefined || rule.rule === 'any') return [];
  if (rule.rule === 'frozen') return sequenceDepartures(rule.alternatives, sequenceOf(bootLog, pcr), pcr);
  const value = registers.get(pcr);
  if (value && rule.values.some((allowed) => sameBytes(allowed, value))) return [];
  const detail = `PCR ${pcr} holds ${value ? hex(value) : 'nothing'}, which is none of the ${rule.values.length} known values`;
  return [{ reason: 'register-unknown', pcr, detail }];
}

/** Compared with the known sequence that agrees for longest: what differs there is most likely what was changed. */
function sequenceDepartures(
  alternatives: readonly (readonly EventReference[])[],
  measured: readonly EventReference[],
  pcr: number,
): Departure[] {
  if (alternatives.some((known) => isSameSequence(known, measured))) return [];
  const [nearest = []] = [...alternatives].sort((left, right) => agreement(right, measured) - agreement(left, measured));
  const unknown = measured.filter((event) => !nearest.some((known) => isSameEvent(known, event)));
  const missing = nearest.filter((known) => !measured.some((event) => isSameEvent(known, event)));
  const departures: Departure[] = [
    ...unknown.map((event) => ({ reason: 'event-unknown' as const, pcr, detail: `PCR ${pcr}: ${words(event)} is not known` })),
    ...missing.map((event) => ({ reason: 'event-missing' as const, pcr, detail: `PCR ${pcr}: ${words(event)} is missing` })),
  ];
  if (departures.length > 0) return departures;
  const at = agreement(nearest, measured);
  const moved = measured[at] ?? nearest[at];
  const detail = `PCR ${pcr}: event ${at + 1}${moved ? ` (${words(moved)})` : ''} is known, but not in this order or number`;
  return [{ reason: 'event-unknown', pcr, detail }];
}

function agreement(known: readonly EventReference[], measured: readonly EventReference[]): number {
  const at = known.findIndex((event, index) => !isSameEvent(event, measured[index]));
  return at < 0 ? known.length : at;
}

function* fileDepartures({ files }: ReferenceValues, measured: readonly ImaEntry[]): Turns<Departure[]> {
  if (files.rule === 'any') return [];
  if (measured.length === 0)
    return [
      { reason: 'files-not-measured', pcr: 10, detail: 'PCR 10 is zero: the kernel measures no files, and the reference values list them' },
    ];
  const byPath = new Map(files.files.map(({ path, digests }) => [path, digests]));
  const departures: Departure[] = [];
  for (const [index, entry] of filesOf(measured).entries()) {
    if (departures.length === LIMITS.fileDeparturesMax) break;
    if (index % LIMITS.imaEntriesPerTurn === 0) yield;
    departures.push(...fileDeparture(entry, byPath.get(entry.path)));
  }
  return departures;
}

/** A violation's path and digest are the log's claim, which the register does not bind: that they are known says nothing. */
function fileDeparture({ path, digest, algorithm, violation }: ImaEntry, known: readonly Uint8Array[] | undefined): Departure[] {
  const shown = harmless(path, 255);
  if (violation) return [{ reason: 'file-violation', pcr: 10, detail: `a file (${shown}, by the log) was written to while it was in use` }];
  if (known?.some((allowed) => sameBytes(allowed, digest))) return [];
  if (!known) return [{ reason: 'file-unknown', pcr: 10, detail: `${shown} (${algorithm}:${hex(digest)}) is not known` }];
  return [{ reason: 'file-changed', pcr: 10, detail: `${shown} is ${algorithm}:${hex(digest)}, which is none of its known digests` }];
}

function words({ type, name, digest }: EventReference): string {
  return `${type}${name === '' ? '' : ` "${harmless(name, 80)}"`} ${hex(digest).slice(0, 16)}`;
}
