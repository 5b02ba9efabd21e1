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

function bootOf({ bootLog, imaLog, registers }: Captured): Boot {
  return {
    logs: { boot: Uint8Array.fromHex(bootLog), ima: Uint8Array.fromHex(imaLog) },
    registers: new Map(BOX_PCRS.map((pcr) => [pcr, Uint8Array.fromHex(registers[String(pcr)] ?? '')])),
  };
}
