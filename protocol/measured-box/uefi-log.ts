/**
 * The boot log of a machine with UEFI firmware, as Linux shows it in `tpm0/binary_bios_measurements`. Pure. Specification §6.5;
 * TCG PC Client Platform Firmware Profile 1.05 §10 (event logging).
 *
 * Crypto-agile form only. What an event says beside its digest is the log's claim: the name is shown to people, no rule
 * rests on it.
 */
import type { Crypto } from '../crypto.ts';
import { LIMITS } from '../limits.ts';
import { eventName, eventType, NO_ACTION } from './event-name.ts';
import { decodeLog, type DecodedLog, type LogReader } from './log-reader.ts';

export interface BootEvent {
  readonly pcr: number;
  /** Word of the profile such as `EV_SEPARATOR`, or `0x…` of a type that has none. */
  readonly type: string;
  /** SHA-256, as it was extended. */
  readonly digest: Uint8Array;
  readonly name: string;
  /** The event's own data, a view on the log. */
  readonly data: Uint8Array;
}

export interface BootLog {
  /** Those that extend a register, in the order of the log. */
  readonly events: readonly BootEvent[];
  /** Last byte of PCR 0 before its first extension: 3 or 4 where the TPM was started from there, otherwise 0. */
  readonly startupLocality: number;
}

/** Banks of the log: number of the algorithm and bytes of its digests. */
type Banks = ReadonlyMap<number, number>;

const SHA256 = 0x000b;
const digestBytes: Banks = new Map([
  [0x0004, 20],
  [SHA256, 32],
  [0x000c, 48],
  [0x000d, 64],
  [0x0012, 32],
]);
const SPECIFICATION = 'Spec ID Event03\0';
const STARTUP_LOCALITY = 'StartupLocality\0';
const PCRS = 24;

export function decodeBootLog(bytes: Uint8Array): DecodedLog<BootLog> {
  return decodeLog('the boot log', bytes, LIMITS.bootLogBytesMax, readBootLog);
}

function readBootLog(reader: LogReader): BootLog {
  const banks = readSpecification(reader);
  const events: BootEvent[] = [];
  let startupLocality: number | undefined;
  while (!reader.isAtEnd) {
    const event = readEvent(reader, banks);
    if (event.type !== NO_ACTION) events.push(event);
    else startupLocality = localityOf(reader, event, startupLocality) ?? startupLocality;
    if (events.length > LIMITS.bootEventsMax) reader.fail(`more than ${LIMITS.bootEventsMax} events`);
  }
  return { events, startupLocality: startupLocality ?? 0 };
}

/** The first record has the old form, with a SHA-1 digest of zeros, so that old readers pass over it. */
function readSpecification(reader: LogReader): Banks {
  const [pcr, type] = [reader.u32('the first event'), reader.u32('the first event')];
  if (pcr !== 0 || eventType(type) !== NO_ACTION) reader.fail('the first event is not the EV_NO_ACTION that names the form of the log');
  if (reader.take(20, 'the first digest').some((byte) => byte !== 0)) reader.fail('the digest of the first event is not zero');
  const length = reader.u32('the length of the first event');
  const start = reader.at;
  if (ascii(reader.take(16, 'the signature')) !== SPECIFICATION)
    reader.fail('the first event is not "Spec ID Event03": only crypto-agile logs are read');
  reader.take(8, 'platform class, versions and word size');
  const banks = readBanks(reader);
  reader.take(reader.u8('the length of vendor data'), 'vendor data');
  if (reader.at - start !== length) reader.fail(`the first event says it has ${length} bytes and has ${reader.at - start}`);
  return banks;
}

function readBanks(reader: LogReader): Banks {
  const count = reader.u32('the number of algorithms');
  if (count < 1 || count > digestBytes.size) reader.fail(`${count} algorithms; 1 to ${digestBytes.size} are possible`);
  const banks = new Map<number, number>();
  for (let index = 0; index < count; index += 1) {
    const [algorithm, bytes] = [reader.u16('an algorithm'), reader.u16('a digest size')];
    if (digestBytes.get(algorithm) !== bytes)
      reader.fail(`algorithm 0x${algorithm.toString(16)} with digests of ${bytes} bytes is not known`);
    if (banks.has(algorithm)) reader.fail(`algorithm 0x${algorithm.toString(16)} is named twice`);
    banks.set(algorithm, bytes);
  }
  if (!banks.has(SHA256)) reader.fail('the log has no SHA-256 digests');
  return banks;
}

/** TCG_PCR_EVENT2. */
function readEvent(reader: LogReader, banks: Banks): BootEvent {
  const pcr = reader.u32('a register number');
  const type = eventType(reader.u32('an event type'));
  const digest = readDigests(reader, banks);
  const data = reader.sized(LIMITS.bootEventBytesMax, 'an event');
  if (pcr >= PCRS && !(type === NO_ACTION && pcr === 0xffff_ffff)) reader.fail(`PCR ${pcr} does not exist; 0 to ${PCRS - 1} do`);
  return { pcr, type, digest, name: eventName(type, data), data };
}

/** One for each bank, none twice. @returns the SHA-256 one */
function readDigests(reader: LogReader, banks: Banks): Uint8Array {
  const count = reader.u32('the number of digests');
  if (count !== banks.size) reader.fail(`an event has ${count} digests; the log has ${banks.size} banks`);
  const digests = new Map<number, Uint8Array>();
  for (let index = 0; index < count; index += 1) {
    const algorithm = reader.u16('an algorithm');
    const bytes = banks.get(algorithm);
    if (bytes === undefined || digests.has(algorithm)) reader.fail(`a digest of algorithm 0x${algorithm.toString(16)} too many`);
    digests.set(algorithm, reader.take(bytes, 'a digest'));
  }
  return digests.get(SHA256) ?? reader.fail('an event has no SHA-256 digest');
}

/** What a `StartupLocality` event says; undefined of any other. */
function localityOf(reader: LogReader, { pcr, data }: BootEvent, known: number | undefined): number | undefined {
  if (data.length !== 17 || ascii(data.subarray(0, 16)) !== STARTUP_LOCALITY) return undefined;
  const locality = data[16] ?? 0;
  if (known !== undefined) reader.fail('two events say the startup locality');
  if (pcr !== 0 || (locality !== 0 && locality !== 3 && locality !== 4))
    reader.fail(`startup locality ${locality} in PCR ${pcr}; it is 0, 3 or 4, in PCR 0`);
  return locality;
}

/** What firmware says about itself by its separators: in each of PCRs 0 to 7, at least one, of four bytes 00 or FF. */
export function separatorFaults(log: BootLog, crypto: Crypto): { readonly pcr: number; readonly detail: string }[] {
  const separators = log.events.filter(({ type }) => type === 'EV_SEPARATOR');
  const missing = [0, 1, 2, 3, 4, 5, 6, 7].filter((pcr) => !separators.some((event) => event.pcr === pcr));
  const wrong = separators.filter(
    ({ data, digest }) => !isWhole(data) || crypto.sha256(data).some((byte, index) => byte !== digest[index]),
  );
  return [
    ...missing.map((pcr) => ({ pcr, detail: `PCR ${pcr} has no separator: the log does not show where the firmware ended` })),
    ...wrong.map(({ pcr, data }) => ({
      pcr,
      detail: `the separator in PCR ${pcr} is not four bytes of 00 or FF with their digest (${data.length} bytes): the firmware reports an error, or the log is not its own`,
    })),
  ];
}

function isWhole(data: Uint8Array): boolean {
  return data.length === 4 && (data.every((byte) => byte === 0) || data.every((byte) => byte === 0xff));
}

function ascii(bytes: Uint8Array): string {
  return String.fromCharCode(...bytes);
}
