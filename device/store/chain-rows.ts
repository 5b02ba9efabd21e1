/** The tables of the chain, and what their rows say if the disk has not damaged them. Specification §14.4. */
import { readBlock, type ReadBlock } from '#protocol/chain/block.ts';
import { FinalityCertificate } from '#protocol/chain/finality-certificate.ts';
import { decodeStrict, sameBytes } from '#protocol/codec.ts';
import { CHAIN_LIMITS } from '../limits.ts';
import { digestOf } from './row-digest.ts';

export const CHAIN_TABLES = `
CREATE TABLE IF NOT EXISTS block (
  taken INTEGER PRIMARY KEY, id BLOB NOT NULL UNIQUE, height INTEGER NOT NULL, own INTEGER NOT NULL, content BLOB NOT NULL, digest BLOB NOT NULL
) STRICT;
CREATE INDEX IF NOT EXISTS block_height ON block (height);
CREATE TABLE IF NOT EXISTS final (height INTEGER PRIMARY KEY, id BLOB NOT NULL) STRICT;
CREATE TABLE IF NOT EXISTS certificate (
  taken INTEGER PRIMARY KEY, number INTEGER NOT NULL, block BLOB NOT NULL, height INTEGER NOT NULL, content BLOB NOT NULL, digest BLOB NOT NULL,
  UNIQUE (number, block)
) STRICT;
CREATE INDEX IF NOT EXISTS certificate_height ON certificate (height);
CREATE TABLE IF NOT EXISTS state (height INTEGER PRIMARY KEY, block BLOB NOT NULL, content BLOB NOT NULL, digest BLOB NOT NULL) STRICT;
CREATE TABLE IF NOT EXISTS voucher (node BLOB NOT NULL, key BLOB NOT NULL, content BLOB NOT NULL, PRIMARY KEY (node, key)) STRICT, WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS seat_change (number INTEGER PRIMARY KEY, content BLOB NOT NULL) STRICT;
CREATE TABLE IF NOT EXISTS own (name TEXT PRIMARY KEY, content BLOB NOT NULL, digest BLOB NOT NULL) STRICT;
`;

export const ADD_CERTIFICATE = `
INSERT INTO certificate (number, block, height, content, digest) VALUES (?, ?, ?, ?, ?)
ON CONFLICT (number, block) DO UPDATE SET height = excluded.height, content = excluded.content, digest = excluded.digest
`;

export interface BlockRow {
  taken: number;
  id: Uint8Array;
  height: number;
  own: number;
  content: Uint8Array;
  digest: Uint8Array;
}

export interface CertificateRow {
  taken: number;
  number: number;
  height: number;
  content: Uint8Array;
  digest: Uint8Array;
}

export interface StateRow {
  height: number;
  block: Uint8Array;
  content: Uint8Array;
  digest: Uint8Array;
}

export function blockIn({ id, height, own, content, digest }: BlockRow): { block: ReadBlock; own: boolean } | undefined {
  if (!sameBytes(digestOf('block', id, height, own, content), digest)) return undefined;
  const read = readBlock(content);
  return read.status === 'decoded' ? { block: read.value, own: own === 1 } : undefined;
}

export function certificateIn({ number, height, content, digest }: CertificateRow): FinalityCertificate | undefined {
  if (!sameBytes(digestOf('certificate', number, height, content), digest)) return undefined;
  const read = decodeStrict(FinalityCertificate, content, content.length);
  return read.status === 'decoded' ? read.value : undefined;
}

export function stateIn({
  height,
  block,
  content,
  digest,
}: StateRow): { height: number; block: Uint8Array; state: Uint8Array } | undefined {
  return sameBytes(digestOf('state', height, block, content), digest) ? { height, block, state: content } : undefined;
}

export function concatenate(first: Uint8Array, second: Uint8Array): Uint8Array {
  const both = new Uint8Array(first.length + second.length);
  both.set(first);
  both.set(second, first.length);
  return both;
}

export function numberIn(content: Uint8Array | undefined): number {
  return content ? Number(new TextDecoder().decode(content)) : 0;
}

export function eraOf(height: number): number {
  return Math.floor(height / CHAIN_LIMITS.stateEveryHeights);
}
