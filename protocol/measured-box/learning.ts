/** Reference values from what a box measures, by the operator's word. Pure. Specification §6.5. */
import { sameBytes } from '../codec.ts';
import { LIMITS } from '../limits.ts';
import type { ImaEntry } from './ima-log.ts';
import type { EventReference, ReferenceValues, RegisterRule } from './reference-values.ts';
import { BOOT_PCRS } from './registers.ts';
import type { BootEvent, BootLog } from './uefi-log.ts';

/** What was measured and accepted: the boot log, and the files that a quote covers. */
export interface Learned {
  readonly bootLog: BootLog;
  readonly files: readonly ImaEntry[];
}

/** Before anything was learned. @param files whether files are to be listed, or only replayed */
export function newReferenceValues(endorsementKey: Uint8Array, files: 'listed' | 'any'): ReferenceValues {
  return {
    version: 1,
    endorsementKey,
    stage: 'learning',
    registers: [],
    files: files === 'any' ? { rule: 'any' } : { rule: 'listed', files: [] },
  };
}

/** With what was measured added to what is known; rules that the operator wrote (`values`, `any`) stay as they are. */
export function learn(known: ReferenceValues, learned: Learned): ReferenceValues {
  const registers = BOOT_PCRS.map((pcr) => ({ pcr, known: withSequence(ruleOf(known, pcr), sequenceOf(learned.bootLog, pcr)) }));
  const others = known.registers.filter(({ pcr }) => !BOOT_PCRS.includes(pcr));
  return { ...known, registers: [...registers, ...others], files: withFiles(known.files, learned.files) };
}

export function freeze(known: ReferenceValues): ReferenceValues {
  return { ...known, stage: 'frozen' };
}

export function ruleOf({ registers }: ReferenceValues, pcr: number): RegisterRule | undefined {
  return registers.find((register) => register.pcr === pcr)?.known;
}

export function sequenceOf({ events }: BootLog, pcr: number): BootEvent[] {
  return events.filter((event) => event.pcr === pcr);
}

export function isSameSequence(known: readonly EventReference[], measured: readonly EventReference[]): boolean {
  return known.length === measured.length && known.every((event, index) => isSameEvent(event, measured[index]));
}

export function isSameEvent(known: EventReference, measured: EventReference | undefined): boolean {
  return measured !== undefined && known.type === measured.type && sameBytes(known.digest, measured.digest);
}

/** The oldest go where there are too many. */
function withSequence(rule: RegisterRule | undefined, measured: readonly BootEvent[]): RegisterRule {
  if (rule && rule.rule !== 'frozen') return rule;
  const alternatives = rule?.alternatives ?? [];
  if (alternatives.some((known) => isSameSequence(known, measured))) return { rule: 'frozen', alternatives };
  const added = measured.map(({ type, digest, name }) => ({ type, digest: digest.slice(), name }));
  return { rule: 'frozen', alternatives: [...alternatives, added].slice(-LIMITS.referenceAlternativesMax) };
}

/** A violation binds neither path nor digest, so there is nothing to learn of it. */
function withFiles(rule: ReferenceValues['files'], measured: readonly ImaEntry[]): ReferenceValues['files'] {
  if (rule.rule === 'any') return rule;
  const byPath = new Map(rule.files.map(({ path, digests }) => [path, digests]));
  for (const { path, digest, violation } of filesOf(measured)) {
    const digests = byPath.get(path) ?? [];
    if (violation || digests.some((known) => sameBytes(known, digest))) continue;
    byPath.set(path, [...digests, digest.slice()].slice(-LIMITS.referenceDigestsMax));
  }
  return { rule: 'listed', files: [...byPath].map(([path, digests]) => ({ path, digests })).slice(0, LIMITS.referenceFilesMax) };
}

/** The entries that are of files: all but the first, whatever a later one is called. */
export function filesOf([first, ...others]: readonly ImaEntry[]): readonly ImaEntry[] {
  return first && first.path !== BOOT_AGGREGATE ? [first, ...others] : others;
}

/** The name of IMA's first entry. */
export const BOOT_AGGREGATE = 'boot_aggregate';
