/** Blocks: a header between two certificates of time, and its transactions. Specification §11.1. */
import { decodeStrict, encodeStrict, type Decoded } from '../codec.ts';
import { Digest, domainDigest } from '../digest.ts';
import { LIMITS } from '../limits.ts';
import { oncePerBytes } from '../once-per-bytes.ts';
import { bytes, fixedBytes, integer, list, oneOf, struct, type Infer } from '../schema.ts';
import { vrfProofBytes } from '../tpm/vrf.ts';

/** TPM2_GetTime by the member's attestation key: TPMS_ATTEST, and r ‖ s with s in the lower half. Judged in `wait-certificate.ts`. */
export const TimeCertificate = struct({
  attestation: bytes({ min: 1, max: LIMITS.timeAttestationBytesMax }),
  signature: fixedBytes(64),
});
export type TimeCertificate = Infer<typeof TimeCertificate>;

export const Header = struct({
  version: oneOf(1),
  network: Digest,
  height: integer({ min: 1, max: Number.MAX_SAFE_INTEGER }),
  parent: Digest,
  node: Digest,
  /** Chain time, ms since 1970 (§11.2). */
  timeMs: integer({ min: 0, max: Number.MAX_SAFE_INTEGER }),
  draw: fixedBytes(vrfProofBytes),
  start: TimeCertificate,
  transactions: Digest,
  state: Digest,
});
export type Header = Infer<typeof Header>;

export const Block = struct({
  header: bytes({ min: 1, max: LIMITS.headerBytesMax }),
  end: TimeCertificate,
  transactions: list(bytes({ min: 1, max: LIMITS.transactionBytesMax }), { max: LIMITS.transactionsPerBlockMax }),
});
export type Block = Infer<typeof Block>;

/** A block with its header read and its id computed; `encoded` are the bytes that travel and are kept. */
export interface ReadBlock {
  readonly id: Uint8Array;
  readonly header: Header;
  readonly headerBytes: Uint8Array;
  readonly end: TimeCertificate;
  readonly transactions: readonly Uint8Array[];
  readonly encoded: Uint8Array;
}

export function encodeHeader(header: Header): Uint8Array {
  return encodeStrict(Header, header);
}

export function decodeHeader(encoded: Uint8Array): Decoded<Header> {
  return decodeStrict(Header, encoded, LIMITS.headerBytesMax);
}

export function encodeBlock(block: Block): Uint8Array {
  return encodeStrict(Block, block);
}

export function blockId(headerBytes: Uint8Array, end: TimeCertificate): Uint8Array {
  return domainDigest('block', domainDigest('block-header', headerBytes), end.attestation, end.signature);
}

/** Reads a block's bytes; whether it is a good one depends on its parent (`device/ledger/ledger.ts`). */
export const readBlock: (encoded: Uint8Array) => Decoded<ReadBlock> = oncePerBytes(readOnce);

function readOnce(encoded: Uint8Array): Decoded<ReadBlock> {
  const block = decodeStrict(Block, encoded, LIMITS.blockBytesMax);
  if (block.status === 'malformed') return block;
  const { header: headerBytes, end, transactions } = block.value;
  const header = decodeHeader(headerBytes);
  if (header.status === 'malformed') return header;
  return { status: 'decoded', value: { id: blockId(headerBytes, end), header: header.value, headerBytes, end, transactions, encoded } };
}
