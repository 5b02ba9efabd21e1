/** Measuring at the start: firmware, addon and board into PCR 14, the operational key into PCR 8. Specification §3.3. */
import { decodeStrict, encodeStrict } from '#protocol/codec.ts';
import { MEASURED_PCRS, zeroRegister, type MeasuredEvent, type Registers } from '#protocol/measured-boot.ts';

import { readClock } from '../tpm/clock.ts';
import { pcrExtend, pcrRead } from '../tpm/pcr.ts';
import type { Tpm } from '../tpm/tpm.ts';
import { BootRecord, decideBoot, extensionsOf, finalRegisters, type Extension } from './boot-record.ts';
import { IdentityError } from './identity-error.ts';
import { generateOperationalKey, OperationalKey, sealOperationalKey } from './operational-key.ts';
import type { StateFile } from './state-file.ts';

/** SHA-256 digests of what runs. */
export interface Measurements {
  readonly firmware: Uint8Array;
  readonly addon: Uint8Array;
  /** Of the board's definition. */
  readonly board: Uint8Array;
}

export interface MeasuredBoot {
  readonly resetCount: number;
  readonly eventLog: readonly MeasuredEvent[];
  readonly registers: Registers;
  readonly operationalKey: OperationalKey;
}

/**
 * Measures once per reset of the TPM; a restart of the program finds what was measured and its operational key.
 * @throws IdentityError `ERR_TPM_RESET_NEEDED` where the registers hold anything else
 */
export async function measureBoot(tpm: Tpm, file: StateFile, measurements: Measurements): Promise<MeasuredBoot> {
  const { clockInfo } = await readClock(tpm);
  const found = { registers: await readRegisters(tpm), resetCount: clockInfo.resetCount, record: await loadRecord(file) };
  const planned = eventsOf(measurements);
  const decision = decideBoot(planned, found);
  switch (decision.action) {
    case 'refuse':
      throw new IdentityError(
        'ERR_TPM_RESET_NEEDED',
        `${sentence(decision.detail)}; the TPM must be reset before the device can vouch for what runs: restart the board`,
      );
    case 'measure-anew': {
      const record = await prepare(tpm, file, planned, clockInfo.resetCount);
      return finish(tpm, record, extensionsOf(record));
    }
    case 'continue':
      return finish(tpm, decision.record, decision.remaining);
  }
}

/** Contents of PCRs 8 and 14 in the SHA-256 bank. @throws Error where the chip doesn't keep that bank */
export async function readRegisters(tpm: Tpm): Promise<Registers> {
  const values = await pcrRead(tpm, 'sha256', [MEASURED_PCRS.operationalKey, MEASURED_PCRS.software]);
  const [pcr8, pcr14] = [values.get(MEASURED_PCRS.operationalKey), values.get(MEASURED_PCRS.software)];
  if (pcr8?.length === zeroRegister.length && pcr14?.length === zeroRegister.length) return { pcr8, pcr14 };
  throw new IdentityError(
    'ERR_TPM_BANK',
    'The TPM keeps no SHA-256 registers; allocate its SHA-256 bank (tpm2_pcrallocate sha256:all) and restart the board',
  );
}

function eventsOf({ firmware, addon, board }: Measurements): MeasuredEvent[] {
  return [
    { kind: 'firmware', digest: firmware },
    { kind: 'addon', digest: addon },
    { kind: 'board', digest: board },
  ];
}

/** The record is on the disk before the first extension: from then on there is no way back. */
async function prepare(tpm: Tpm, file: StateFile, eventLog: MeasuredEvent[], resetCount: number): Promise<BootRecord> {
  const { publicKey, seed } = generateOperationalKey();
  const { privateArea, publicArea } = await sealOperationalKey(tpm, seed, finalRegisters({ eventLog, operationalKey: publicKey }));
  seed.fill(0);
  const record: BootRecord = { resetCount, eventLog, operationalKey: publicKey, sealed: { privateArea, publicArea } };
  await file.save(encodeStrict(BootRecord, record));
  return record;
}

async function finish(tpm: Tpm, record: BootRecord, remaining: readonly Extension[]): Promise<MeasuredBoot> {
  for (const { pcr, digest } of remaining) await pcrExtend(tpm, pcr, 'sha256', digest);
  const operationalKey = await OperationalKey.open(tpm, record.operationalKey, record.sealed);
  return { resetCount: record.resetCount, eventLog: record.eventLog, registers: finalRegisters(record), operationalKey };
}

/** A record that can't be read is none: the registers then decide. */
async function loadRecord(file: StateFile): Promise<BootRecord | undefined> {
  const encoded = await file.load();
  const decoded = encoded && decodeStrict(BootRecord, encoded, encoded.length);
  return decoded?.status === 'decoded' ? decoded.value : undefined;
}

function sentence(words: string): string {
  return words.charAt(0).toUpperCase() + words.slice(1);
}
