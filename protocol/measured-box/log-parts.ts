/** A log as a box hands it over: in parts, so that of a log that grows only the last one travels again. Pure. Specification §6.5. */
import { concatBytes } from '@noble/hashes/utils.js';
import { sameBytes } from '../codec.ts';
import { LIMITS } from '../limits.ts';
import type { Turns } from '../turns.ts';
import type { LogReference } from './box-tpm.ts';

const DIGEST_BYTES = 32;

export interface PartedLog {
  readonly reference: LogReference;
  /** The digests of the parts, one after the other; the reference names them. */
  readonly list: Uint8Array;
  readonly parts: readonly { readonly digest: Uint8Array; readonly content: Uint8Array }[];
}

/** @param sha256 of plain bytes */
export function partLog(log: Uint8Array, sha256: (bytes: Uint8Array) => Uint8Array): PartedLog {
  const parts = partsOf(log).map((content) => ({ digest: sha256(content), content }));
  const list = concatBytes(...parts.map(({ digest }) => digest));
  return { reference: { bytes: log.length, digest: sha256(list) }, list, parts };
}

/** Bytes of the list of a log's parts. */
export function listBytes({ bytes }: LogReference): number {
  return partCount(bytes) * DIGEST_BYTES;
}

/** The parts that a list names, each with its size. @param list of the length and digest that the reference says */
export function partsIn(list: Uint8Array, { bytes }: LogReference): { readonly digest: Uint8Array; readonly bytes: number }[] {
  return Array.from({ length: partCount(bytes) }, (_, index) => ({
    digest: list.slice(index * DIGEST_BYTES, (index + 1) * DIGEST_BYTES),
    bytes: Math.min(LIMITS.logPartBytes, bytes - index * LIMITS.logPartBytes),
  }));
}

/** Whether these are the bytes of a reference. */
export function* judgingReference(log: Uint8Array, reference: LogReference, sha256: (bytes: Uint8Array) => Uint8Array): Turns<boolean> {
  if (log.length !== reference.bytes) return false;
  const digests: Uint8Array[] = [];
  for (const content of partsOf(log)) {
    digests.push(sha256(content));
    yield;
  }
  return sameBytes(sha256(concatBytes(...digests)), reference.digest);
}

function partsOf(log: Uint8Array): Uint8Array[] {
  return Array.from({ length: partCount(log.length) }, (_, index) =>
    log.subarray(index * LIMITS.logPartBytes, (index + 1) * LIMITS.logPartBytes),
  );
}

function partCount(bytes: number): number {
  return Math.ceil(bytes / LIMITS.logPartBytes);
}
