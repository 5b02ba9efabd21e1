/**
 * The log of the Linux Integrity Measurement Architecture, as it stands in `ima/binary_runtime_measurements`: which files the
 * kernel measured before it ran or read them. Pure. Specification §6.5; Linux, Documentation/security/IMA-templates.rst.
 */
import type { Crypto } from '../crypto.ts';
import { LIMITS } from '../limits.ts';
import { sameBytes } from '../codec.ts';
import { inOneTurn, type Turns } from '../turns.ts';
import { decodingLog, type DecodedLog, type LogReader } from './log-reader.ts';

export interface ImaEntry {
  /** The kernel could not measure the file reliably: it was open for writing while it was read, or the reverse. */
  readonly violation: boolean;
  /** As the kernel writes it: `sha256`. */
  readonly algorithm: string;
  readonly digest: Uint8Array;
  readonly path: string;
}

/** With what it extends into PCR 10 of the SHA-256 bank: the digest of the template's data, or ones for a violation. */
interface Extending {
  readonly entry: ImaEntry;
  readonly extension: Uint8Array;
}

/** What was read of a log. */
export interface ImaLog {
  readonly entries: readonly ImaEntry[];
  /** What they make of PCR 10. */
  readonly register: Uint8Array;
  /** Bytes behind them, unread. */
  readonly unreadBytes: number;
}

/** The register that the kernel uses for IMA (CONFIG_IMA_MEASURE_PCR_IDX). */
export const IMA_PCR = 10;

const templates: ReadonlyMap<string, number> = new Map([
  ['ima-ng', 2],
  ['ima-sig', 3],
]);
const SHA1_BYTES = 20;
const zeros = new Uint8Array(32);
const violationExtension = new Uint8Array(32).fill(0xff);

/** @param until the content of PCR 10 behind which nothing is read; absent: all of the log is */
export function decodeImaLog(bytes: Uint8Array, crypto: Crypto, until?: Uint8Array): DecodedLog<ImaLog> {
  return inOneTurn(decodingImaLog(bytes, crypto, until));
}

export function decodingImaLog(bytes: Uint8Array, crypto: Crypto, until?: Uint8Array): Turns<DecodedLog<ImaLog>> {
  return decodingLog('the IMA log', bytes, LIMITS.imaLogBytesMax, (reader) => readImaLog(reader, crypto, until));
}

function* readImaLog(reader: LogReader, crypto: Crypto, until: Uint8Array | undefined): Turns<ImaLog> {
  const entries: ImaEntry[] = [];
  let register: Uint8Array = zeros;
  // One buffer for both halves of each extension.
  const input = new Uint8Array(2 * zeros.length);
  while (!reader.isAtEnd && !(until && sameBytes(register, until))) {
    if (entries.length === LIMITS.imaEntriesMax) reader.fail(`more than ${LIMITS.imaEntriesMax} entries`);
    const { entry, extension } = readEntry(reader, crypto);
    entries.push(entry);
    input.set(register);
    input.set(extension, zeros.length);
    register = crypto.sha256(input);
    if (entries.length % LIMITS.imaEntriesPerTurn === 0) yield;
  }
  return { entries, register, unreadBytes: reader.left };
}

/** The SHA-1 digest of an entry only says whether it is a violation: no register here rests on it. */
function readEntry(reader: LogReader, crypto: Crypto): Extending {
  const pcr = reader.u32('a register number');
  if (pcr !== IMA_PCR) reader.fail(`an entry for PCR ${pcr}; IMA measures into ${IMA_PCR}`);
  const violation = reader.take(SHA1_BYTES, 'a template digest').every((byte) => byte === 0);
  const template = words(reader.sized(LIMITS.imaTemplateNameBytesMax, "a template's name"));
  const fields = templates.get(template);
  if (fields === undefined) reader.fail(`template ${JSON.stringify(template)}; ${[...templates.keys()].join(' and ')} are read`);
  const length = reader.u32("the length of a template's data");
  if (length > LIMITS.imaEntryBytesMax) reader.fail(`an entry of ${length} bytes; at most ${LIMITS.imaEntryBytesMax} are accepted`);
  const start = reader.at;
  const parts = Array.from({ length: fields }, () => reader.sized(LIMITS.imaEntryBytesMax, 'a field'));
  if (reader.at - start !== length) reader.fail(`an entry says it has ${length} bytes of data and has ${reader.at - start}`);
  const [digest, name] = parts as [Uint8Array, Uint8Array];
  const entry = { ...readDigest(reader, digest), path: readPath(reader, name), violation };
  return { entry, extension: violation ? violationExtension : extensionOf(parts, crypto) };
}

/** `d-ng`: the algorithm's name, a colon, a zero byte, the digest. */
function readDigest(reader: LogReader, field: Uint8Array): Pick<ImaEntry, 'algorithm' | 'digest'> {
  const colon = field.indexOf(0x3a);
  const algorithm = words(field.subarray(0, Math.max(colon, 0)));
  if (!/^[a-z0-9-]{3,16}$/.test(algorithm) || field[colon + 1] !== 0) reader.fail('the digest of a file does not begin with its algorithm');
  const digest = field.subarray(colon + 2);
  if (digest.length < 16 || digest.length > 64) reader.fail(`the digest of a file has ${digest.length} bytes; it has 16 to 64`);
  return { algorithm, digest };
}

/** `n-ng`: the path and a zero byte. Bytes that are no UTF-8 are shown as replacements; rules compare what is shown. */
function readPath(reader: LogReader, field: Uint8Array): string {
  if (field.length < 2 || field.indexOf(0) !== field.length - 1) reader.fail('the path of a file does not end with its only zero byte');
  return decoder.decode(field.subarray(0, -1));
}

/** Of all fields with their lengths, as the kernel hashes them. */
function extensionOf(parts: readonly Uint8Array[], crypto: Crypto): Uint8Array {
  const [first] = parts as [Uint8Array];
  const last = parts[parts.length - 1] ?? first;
  // The fields lie one after the other in the log: from the first length on to the end of the last field.
  const start = first.byteOffset - 4;
  return crypto.sha256(new Uint8Array(first.buffer, start, last.byteOffset + last.length - start));
}

const decoder = new TextDecoder('utf-8', { ignoreBOM: true });

function words(bytes: Uint8Array): string {
  return String.fromCharCode(...bytes);
}
