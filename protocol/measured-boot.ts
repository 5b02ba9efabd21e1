/**
 * Measured boot: what a device extends into its TPM's registers, and how a verifier replays it. Specification §3.3.
 * PCR 14 holds the software and the board, PCR 8 the operational key and a cap; neither can be reset by software, and
 * no loader or kernel that Capstan supports writes to them. TPM 2.0 Part 1 section 17 (PCR operations).
 */
import { sha256 } from '@noble/hashes/sha2.js';
import { sameBytes } from './codec.ts';
import { Digest, domainDigest, hex } from './digest.ts';
import { REFERENCE_KINDS, type Reference } from './network.ts';
import { oneOf, struct, type Infer } from './schema.ts';

export const MEASURED_PCRS = { operationalKey: 8, software: 14 } as const;

/** One measurement, in the order in which it was made. */
export const MeasuredEvent = struct({ kind: oneOf(...REFERENCE_KINDS), digest: Digest });
export type MeasuredEvent = Infer<typeof MeasuredEvent>;

/** Contents of the two registers, SHA-256 bank. */
export const Registers = struct({ pcr8: Digest, pcr14: Digest });
export type Registers = Infer<typeof Registers>;

/** What a register holds after a reset of the TPM. */
export const zeroRegister: Uint8Array = new Uint8Array(32);

/** Extended last into PCR 8, so that no second operational key can follow. */
export const operationalKeyCap: Uint8Array = domainDigest('operational-key', new TextEncoder().encode('cap'));

/** What is extended into PCR 8 for an operational key (Ed25519, 32 bytes). */
export function operationalKeyExtension(operationalKey: Uint8Array): Uint8Array {
  return domainDigest('operational-key', operationalKey);
}

/** What is extended into PCR 14 for an event: it binds the kind, so that no digest can pose as another kind's. */
export function eventExtension(event: MeasuredEvent): Uint8Array {
  return domainDigest('measured-event', new TextEncoder().encode(event.kind), event.digest);
}

/** A register after TPM2_PCR_Extend: H(register ‖ digest). */
export function extendRegister(register: Uint8Array, digest: Uint8Array): Uint8Array {
  return sha256.create().update(register).update(digest).digest();
}

/** Contents of a register after a reset and these extensions. */
export function replayRegister(extensions: readonly Uint8Array[]): Uint8Array {
  return extensions.reduce(extendRegister, zeroRegister);
}

/** What the two registers hold once everything was measured. */
export function expectedRegisters(eventLog: readonly MeasuredEvent[], operationalKey: Uint8Array): Registers {
  return {
    pcr8: replayRegister([operationalKeyExtension(operationalKey), operationalKeyCap]),
    pcr14: replayRegister(eventLog.map(eventExtension)),
  };
}

export type MeasuredReplayRefusal =
  | 'registers-zero'
  | 'event-log-differs'
  | 'operational-key-differs'
  | 'operational-key-not-capped'
  | 'measurement-missing'
  | 'measurement-repeated';
export type MeasuredBootRefusal = MeasuredReplayRefusal | 'measurement-unknown' | 'release-not-begun' | 'release-over';

type Refused<Reason extends string> = { readonly status: 'refused'; readonly reason: Reason; readonly detail: string };

export type MeasuredReplayVerdict = { readonly status: 'accepted' } | Refused<MeasuredReplayRefusal>;
export type MeasuredBootVerdict = { readonly status: 'accepted'; readonly measured: readonly Reference[] } | Refused<MeasuredBootRefusal>;

export interface ShownBoot {
  readonly registers: Registers;
  readonly eventLog: readonly MeasuredEvent[];
  readonly operationalKey: Uint8Array;
}

/**
 * Whether the registers hold exactly one measurement of each kind that is known-good at a time, and this operational key, capped.
 * @param atMs Unix ms
 */
export function judgeMeasuredBoot(shown: ShownBoot, references: readonly Reference[], atMs: number): MeasuredBootVerdict {
  const fault = registerFault(shown);
  if (fault) return fault;
  const measured: Reference[] = [];
  for (const kind of REFERENCE_KINDS) {
    const event = onlyEvent(kind, shown.eventLog);
    if ('reason' in event) return event;
    const reference = goodReference(event, references, Math.floor(atMs / 1_000));
    if ('reason' in reference) return reference;
    measured.push(reference);
  }
  return { status: 'accepted', measured };
}

/** The reference of a measurement in whose window a second lies. A digest may be listed more than once. */
function goodReference(
  { kind, digest }: MeasuredEvent,
  references: readonly Reference[],
  atS: number,
): Reference | Refused<MeasuredBootRefusal> {
  const listed = references.filter((known) => known.kind === kind && sameBytes(known.digest, digest));
  const begun = listed.filter(({ validFrom = 0 }) => validFrom <= atS);
  const good = begun.find(({ validUntil = Infinity }) => atS < validUntil);
  if (good) return good;
  const [first, last] = [listed[0], begun.at(-1)];
  if (!first) return refused('measurement-unknown', `the ${kind} measured as ${hex(digest)} is none that the network file knows`);
  const seconds = `Unix seconds; this is ${atS}`;
  if (!last) return refused('release-not-begun', `the ${kind} "${first.label}" is good from ${first.validFrom ?? 0} on, ${seconds}`);
  return refused('release-over', `the ${kind} "${last.label}" was good until ${last.validUntil ?? 0}, ${seconds}`);
}

/** Whether the registers hold exactly one measurement of each kind, whichever, and this operational key, capped. */
export function judgeMeasuredReplay(shown: ShownBoot): MeasuredReplayVerdict {
  const fault = registerFault(shown);
  if (fault) return fault;
  for (const kind of REFERENCE_KINDS) {
    const event = onlyEvent(kind, shown.eventLog);
    if ('reason' in event) return event;
  }
  return { status: 'accepted' };
}

function registerFault({ registers, eventLog, operationalKey }: ShownBoot): Refused<MeasuredReplayRefusal> | undefined {
  const { pcr8, pcr14 } = registers;
  if (sameBytes(pcr8, zeroRegister) || sameBytes(pcr14, zeroRegister))
    return refused('registers-zero', 'PCR 8 or 14 is zero: nothing was measured since the TPM was reset');
  const expected = expectedRegisters(eventLog, operationalKey);
  if (!sameBytes(expected.pcr14, pcr14))
    return refused('event-log-differs', `the event log replays to ${hex(expected.pcr14)}; PCR 14 is ${hex(pcr14)}`);
  if (sameBytes(pcr8, expected.pcr8)) return undefined;
  if (sameBytes(pcr8, replayRegister([operationalKeyExtension(operationalKey)])))
    return refused('operational-key-not-capped', 'PCR 8 holds the operational key but no cap, so that another key could follow');
  return refused('operational-key-differs', `PCR 8 is ${hex(pcr8)}; this operational key and the cap make ${hex(expected.pcr8)}`);
}

function onlyEvent(kind: MeasuredEvent['kind'], eventLog: readonly MeasuredEvent[]): MeasuredEvent | Refused<MeasuredReplayRefusal> {
  const [event, second] = eventLog.filter((candidate) => candidate.kind === kind);
  if (!event) return refused('measurement-missing', `the ${kind} was not measured`);
  if (second) return refused('measurement-repeated', `the ${kind} was measured more than once since the TPM was reset; once is right`);
  return event;
}

function refused<Reason extends MeasuredBootRefusal>(reason: Reason, detail: string): Refused<Reason> {
  return { status: 'refused', reason, detail };
}
