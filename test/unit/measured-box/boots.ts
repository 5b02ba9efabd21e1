/** Two real boots of one machine (test/vectors/measured-box/README.md) for tests, benchmarks and fuzz targets. */
import { readFileSync } from 'node:fs';
import type { BoxLogs } from '#protocol/measured-box/measurement.ts';
import { BOX_PCRS, type BoxRegisters } from '#protocol/measured-box/registers.ts';
import { createNodeCrypto } from '../../../device/crypto-node.ts';

interface Captured {
  readonly bootLog: string;
  readonly imaLog: string;
  readonly imaAscii: string;
  readonly registers: Readonly<Record<string, string>>;
  readonly tpm2Eventlog: { readonly registers: Readonly<Record<string, string>>; readonly events: readonly (readonly [number, string])[] };
}

export const crypto = createNodeCrypto();
export const captured = JSON.parse(readFileSync(new URL('../../vectors/measured-box/boots.json', import.meta.url), 'utf8')) as Readonly<
  Record<'first' | 'second', Captured>
>;

export interface Boot {
  readonly logs: BoxLogs;
  readonly registers: BoxRegisters;
}

export const first = bootOf(captured.first);
export const second = bootOf(captured.second);
/** The first without its violation, as IMA leaves it where the policy measures only what is executed. */
export const steady = withFiles(
  first,
  imaEntries(first.logs.ima).filter((entry) => !isViolation(entry)),
);

function bootOf({ bootLog, imaLog, registers }: Captured): Boot {
  return {
    logs: { boot: Uint8Array.fromHex(bootLog), ima: Uint8Array.fromHex(imaLog) },
    registers: new Map(BOX_PCRS.map((pcr) => [pcr, Uint8Array.fromHex(registers[String(pcr)] ?? '')])),
  };
}

/** The entries of an IMA log, each with its head. */
export function imaEntries(log: Uint8Array): Uint8Array[] {
  const view = new DataView(log.buffer, log.byteOffset, log.length);
  const entries: Uint8Array[] = [];
  for (let at = 0; at < log.length;) {
    const data = at + 28 + view.getUint32(at + 24, true);
    const end = data + 4 + view.getUint32(data, true);
    entries.push(log.subarray(at, end));
    at = end;
  }
  return entries;
}

/** The entry as the kernel marks a violation: with a template digest of zeros, whatever else it shows. */
export function violation(entry: Uint8Array): Uint8Array {
  return entry.slice().fill(0, 4, 24);
}

/** What the kernel extends into PCR 10 for the entry. */
export function extensionOf(entry: Uint8Array): Uint8Array {
  const nameBytes = new DataView(entry.buffer, entry.byteOffset).getUint32(24, true);
  return isViolation(entry) ? new Uint8Array(32).fill(0xff) : crypto.sha256(entry.subarray(28 + nameBytes + 4));
}

/** The boot with these entries in its IMA log, and what they make of PCR 10. */
export function withFiles(boot: Boot, entries: readonly Uint8Array[]): Boot {
  const register = entries.reduce((value, entry) => crypto.sha256(Buffer.concat([value, extensionOf(entry)])), new Uint8Array(32));
  const ima = new Uint8Array(Buffer.concat(entries));
  return { logs: { ...boot.logs, ima }, registers: new Map([...boot.registers, [10, register]]) };
}

function isViolation(entry: Uint8Array): boolean {
  return entry.subarray(4, 24).every((byte) => byte === 0);
}
