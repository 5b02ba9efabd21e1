/**
 * What a device keeps of the chain: blocks, certificates, states, its votes. Specification §14.4.
 *
 * Each row carries a digest, by which what the disk damaged is found. A damaged block, certificate or state is dropped and
 * asked for again from peers. A member's own votes and heights nobody else has: where they may be lost, the store says so
 * until it is told that they no longer matter.
 */
import { existsSync } from 'node:fs';
import { basename } from 'node:path';
import type { ReadBlock } from '#protocol/chain/block.ts';
import { FinalityCertificate } from '#protocol/chain/finality-certificate.ts';
import { decodeTransaction, vouchersIn } from '#protocol/chain/transaction.ts';
import { encodeVoucher } from '#protocol/chain/voucher.ts';
import { encodeStrict, sameBytes } from '#protocol/codec.ts';
import { hex } from '#protocol/digest.ts';
import { LIMITS } from '#protocol/limits.ts';
import type { ChainArchive, ChainRecord, KeptChain, KeptState } from '../consensus/events.ts';
import { CHAIN_LIMITS } from '../limits.ts';
import { writeWholeFile } from '../mqtt/whole-file.ts';
import type { Log } from '../ports.ts';
import { moveAside, openOrMoveAside } from './damaged-file.ts';
import { type Database, isCorrupt } from './database.ts';
import {
  ADD_CERTIFICATE,
  blockIn,
  CHAIN_TABLES,
  certificateIn,
  concatenate,
  eraOf,
  numberIn,
  stateIn,
  type BlockRow,
  type CertificateRow,
  type StateRow,
} from './chain-rows.ts';
import { digestOf } from './row-digest.ts';
import { judgeLog } from './write-ahead-log.ts';

export interface ChainStore extends ChainArchive {
  load(): KeptChain;
  /**
   * In one transaction. Votes and own blocks are durable when this returns, and all that was stored before them; blocks of
   * others, certificates and states, which peers have as well, wait for the next of these: half as many writes.
   * @throws Error where the disk is full, gives errors, or is damaged: nothing that rests on the records may be said
   */
  persist(records: readonly ChainRecord[]): void;
  /** `lost`: this member may have voted, or made blocks, of which it no longer knows. */
  memory(): 'whole' | 'lost';
  /** What was lost no longer matters (§14.4). */
  forgetLoss(): void;
  /** The certificate of the lowest checkpoint at or above this height. */
  certificateFrom(height: number): FinalityCertificate | undefined;
  /** What shows a change of seats (finality-archive.ts), by the number of its checkpoint, kept for ever. */
  keepChange(number: number, change: Uint8Array): void;
  changesUpTo(number: number): Uint8Array[];
  /** Ids of blocks that begin with these hexadecimal digits, two at most. */
  idsWith(prefix: string): Uint8Array[];
  close(): void;
}

/**
 * Pages are small: with larger ones each entry of an index would write 4 KB to the log.
 * @param file is made where it is missing; one that SQLite calls corrupt is moved aside
 * @param pagesMax of 1 KiB: for a device that has no more to give
 */
export function openChainStore(file: string, log: Log, { pagesMax }: { readonly pagesMax?: number } = {}): ChainStore {
  const mark = `${file}.begun`;
  const wasBegun = existsSync(mark);
  const isTornInside = judgeLog(`${file}-wal`) === 'damaged';
  const isMissing = wasBegun && !existsSync(file);
  if (isTornInside) log('chainStoreDamaged', { part: 'write-ahead log', detail: 'what was written last may be missing' });
  if (isMissing) log('chainStoreDamaged', { part: basename(file), detail: 'the file is gone' });
  const pragmas = `PRAGMA page_size = 1024;${pagesMax === undefined ? '' : ` PRAGMA max_page_count = ${pagesMax};`}`;
  const { database, movedTo } = openOrMoveAside({ file, tables: CHAIN_TABLES, pragmas }, log);
  const store = new SqliteChainStore(database, { file, log });
  if (isTornInside || isMissing || movedTo !== undefined || !store.isOwnSound()) store.noteLoss();
  if (!wasBegun) writeWholeFile(mark, '', 0o600);
  return store;
}

class SqliteChainStore implements ChainStore {
  readonly #database: Database;
  readonly #file: string;
  readonly #log: Log;
  #loss = false;
  #prunedTo = 0;

  constructor(database: Database, { file, log }: { file: string; log: Log }) {
    this.#database = database;
    this.#file = file;
    this.#log = log;
    this.#loss = this.#own('loss') !== undefined;
    const last = database.prepare('SELECT MAX(height) AS height FROM final').get() as { height: number | null } | undefined;
    this.#prunedTo = Math.max(0, (last?.height ?? 0) - CHAIN_LIMITS.stateEveryHeights);
  }

  load(): KeptChain {
    return this.#whole(() => {
      const state = this.#latestState();
      const blocks = this.#blocksAbove(state?.height ?? 0);
      const votes = this.#votes();
      const certificates = this.#certificatesFrom(state?.height ?? 0);
      return { ...(state && { state }), blocks, certificates, ...(votes && { votes }), ownHeight: numberIn(this.#own('height')) };
    });
  }

  persist(records: readonly ChainRecord[]): void {
    const isOwn = records.some((one) => one.record === 'votes' || (one.record === 'block' && one.own));
    this.#whole(() => this.#database.transaction(() => records.forEach((record) => this.#write(record)), isOwn ? 'durable' : 'eventual'));
  }

  memory(): 'whole' | 'lost' {
    return this.#loss ? 'lost' : 'whole';
  }

  /** A row that a damaged page hides would not be missed. */
  isOwnSound(): boolean {
    const rows = this.#whole(() => this.#database.prepare("PRAGMA quick_check('own')").all()) as unknown as { quick_check: string }[];
    return rows.length === 1 && rows[0]?.quick_check === 'ok';
  }

  noteLoss(): void {
    if (this.#loss) return;
    this.#loss = true;
    this.#whole(() => this.#database.transaction(() => this.#writeOwn('loss', Uint8Array.of(1))));
  }

  forgetLoss(): void {
    this.#whole(() => this.#database.transaction(() => this.#database.prepare("DELETE FROM own WHERE name = 'loss'").run()));
    this.#loss = false;
  }

  block(id: Uint8Array): Uint8Array | undefined {
    return this.#read(() => this.#blockRow(id)?.block.encoded);
  }

  blockAt(height: number): Uint8Array | undefined {
    return this.#read(() => {
      const row = this.#database.prepare('SELECT id FROM final WHERE height = ?').get(height) as { id: Uint8Array } | undefined;
      const block = row && this.#blockRow(row.id)?.block;
      return block?.header.height === height ? block.encoded : undefined;
    });
  }

  certificate(number: number): FinalityCertificate | undefined {
    return this.#read(() => {
      const row = this.#database
        .prepare('SELECT taken, number, height, content, digest FROM certificate WHERE number = ? ORDER BY taken')
        .get(number);
      return row && this.#certificateIn(row as unknown as CertificateRow);
    });
  }

  state(block: Uint8Array): Uint8Array | undefined {
    return this.#read(() => {
      const row = this.#database.prepare('SELECT height, block, content, digest FROM state WHERE block = ?').get(block);
      return row && this.#stateIn(row as unknown as StateRow)?.state;
    });
  }

  stateBlockUpTo(height: number): Uint8Array | undefined {
    const row = this.#read(() =>
      this.#database.prepare('SELECT block FROM state WHERE height <= ? ORDER BY height DESC LIMIT 1').get(height),
    );
    return (row as { block: Uint8Array } | undefined)?.block;
  }

  certificateFrom(height: number): FinalityCertificate | undefined {
    return this.#read(() => {
      const row = this.#database
        .prepare('SELECT taken, number, height, content, digest FROM certificate WHERE height >= ? ORDER BY height LIMIT 1')
        .get(height);
      return row && this.#certificateIn(row as unknown as CertificateRow);
    });
  }

  voucherFor(node: Uint8Array, key: Uint8Array): Uint8Array | undefined {
    const row = this.#read(() => this.#database.prepare('SELECT content FROM voucher WHERE node = ? AND key = ?').get(node, key));
    return (row as { content: Uint8Array } | undefined)?.content;
  }

  keepChange(number: number, change: Uint8Array): void {
    const add = this.#database.prepare('INSERT OR REPLACE INTO seat_change (number, content) VALUES (?, ?)');
    this.#whole(() => this.#database.transaction(() => add.run(number, change), 'eventual'));
  }

  changesUpTo(number: number): Uint8Array[] {
    const rows = this.#read(() => this.#database.prepare('SELECT content FROM seat_change WHERE number <= ? ORDER BY number').all(number));
    return ((rows ?? []) as unknown as { content: Uint8Array }[]).map(({ content }) => content);
  }

  idsWith(prefix: string): Uint8Array[] {
    const low = Uint8Array.fromHex(prefix.padEnd(64, '0'));
    const high = Uint8Array.fromHex(prefix.padEnd(64, 'f'));
    const rows = this.#read(() => this.#database.prepare('SELECT id FROM block WHERE id BETWEEN ? AND ? LIMIT 2').all(low, high));
    return ((rows ?? []) as unknown as { id: Uint8Array }[]).map(({ id }) => id);
  }

  close(): void {
    this.#database.close();
  }

  #write(record: ChainRecord): void {
    switch (record.record) {
      case 'block':
        return this.#writeBlock(record.block, record.own);
      case 'votes':
        return this.#writeOwn('votes', concatenate(record.instance, record.votes));
      case 'certificate':
        return this.#writeCertificate(record.certificate);
      case 'state':
        return this.#writeState(record);
      case 'ownHeight':
        return this.#writeOwn('height', new TextEncoder().encode(String(record.height)));
      case 'prune':
        return this.#prune(record.belowHeight);
    }
  }

  #writeBlock(block: ReadBlock, own: boolean): void {
    const [height, flag] = [block.header.height, own ? 1 : 0];
    const digest = digestOf('block', block.id, height, flag, block.encoded);
    this.#database
      .prepare(
        'INSERT INTO block (id, height, own, content, digest) VALUES (?, ?, ?, ?, ?) ON CONFLICT (id) DO UPDATE SET height = excluded.height, own = excluded.own, content = excluded.content, digest = excluded.digest',
      )
      .run(block.id, height, flag, block.encoded, digest);
    if (own && height > numberIn(this.#own('height'))) this.#writeOwn('height', new TextEncoder().encode(String(height)));
  }

  #writeOwn(name: OwnName, content: Uint8Array): void {
    this.#database
      .prepare(
        'INSERT INTO own (name, content, digest) VALUES (?, ?, ?) ON CONFLICT (name) DO UPDATE SET content = excluded.content, digest = excluded.digest',
      )
      .run(name, content, digestOf('own', name, content));
  }

  #writeCertificate(certificate: FinalityCertificate): void {
    const { number, height, block } = certificate;
    const content = encodeStrict(FinalityCertificate, certificate);
    this.#database.prepare(ADD_CERTIFICATE).run(number, block, height, content, digestOf('certificate', number, height, content));
    const { held } = this.#database.prepare('SELECT COUNT(*) AS held FROM certificate WHERE number = ?').get(number) as { held: number };
    if (held === 1) this.#markFinal(block, height);
  }

  /** From a checkpoint down to what is marked already. */
  #markFinal(checkpoint: Uint8Array, height: number): void {
    const add = this.#database.prepare('INSERT OR REPLACE INTO final (height, id) VALUES (?, ?)');
    const known = this.#database.prepare('SELECT 1 FROM final WHERE height = ? AND id = ?');
    let id = checkpoint;
    for (let at = height; at > 0 && known.get(at, id) === undefined; at -= 1) {
      const block = this.#blockRow(id)?.block;
      if (block?.header.height !== at) return;
      add.run(at, id);
      this.#keepVouchers(block);
      id = block.header.parent;
    }
  }

  /** Proofs of finality show them for as long as somebody asks for one (§13.6). */
  #keepVouchers({ transactions }: ReadBlock): void {
    for (const transaction of transactions.map(decodeTransaction)) {
      if (transaction.status === 'malformed') continue;
      const keep = this.#database.prepare('INSERT OR REPLACE INTO voucher (node, key, content) VALUES (?, ?, ?)');
      for (const voucher of vouchersIn(transaction.value)) keep.run(voucher.node, voucher.operationalKey, encodeVoucher(voucher));
    }
  }

  /** Of the states only the newest two are kept, and one for so many heights: the older of both for when the disk damages the newer. */
  #writeState({ height, block, state, start }: KeptState): void {
    if (start !== undefined) {
      this.#writeOwn('start', concatenate(block, new TextEncoder().encode(String(start))));
      this.#markFinal(block, height);
    }
    this.#database
      .prepare('INSERT OR REPLACE INTO state (height, block, content, digest) VALUES (?, ?, ?, ?)')
      .run(height, block, state, digestOf('state', height, block, state));
    const rows = this.#database.prepare('SELECT height FROM state ORDER BY height DESC').all() as unknown as { height: number }[];
    const spare = rows.slice(2).filter((row, index, older) => eraOf(row.height) === eraOf(older[index + 1]?.height ?? -1));
    for (const row of spare) this.#database.prepare('DELETE FROM state WHERE height = ?').run(row.height);
  }

  /** What lost goes at once; what was finalised is kept for others that were away. */
  #prune(belowHeight: number): void {
    this.#database
      .prepare(
        'DELETE FROM block WHERE height >= ? AND height < ? AND EXISTS (SELECT 1 FROM final WHERE final.height = block.height AND final.id <> block.id)',
      )
      .run(this.#prunedTo, belowHeight);
    this.#prunedTo = Math.max(this.#prunedTo, belowHeight - LIMITS.checkpointStepMax);
    const oldest = belowHeight - CHAIN_LIMITS.keptHeights;
    if (oldest <= 0) return;
    this.#database
      .prepare('DELETE FROM block WHERE taken IN (SELECT taken FROM block WHERE height < ? ORDER BY height LIMIT ?)')
      .run(oldest, CHAIN_LIMITS.prunedRowsMax);
    this.#database.prepare('DELETE FROM final WHERE height < ?').run(oldest);
    this.#database.prepare('DELETE FROM state WHERE height < ?').run(oldest);
  }

  #latestState(): KeptChain['state'] {
    const rows = this.#database.prepare('SELECT height FROM state ORDER BY height DESC').all() as unknown as { height: number }[];
    for (const { height } of rows) {
      const row = this.#database.prepare('SELECT height, block, content, digest FROM state WHERE height = ?').get(height);
      const state = this.#stateIn(row as unknown as StateRow);
      if (state) return this.#withStart(state);
    }
    return undefined;
  }

  /** The number of the checkpoint from which this member started: it may have no certificate of it. */
  #withStart(state: KeptState): KeptState {
    const content = this.#own('start');
    const isStart = content !== undefined && sameBytes(content.subarray(0, 32), state.block);
    return isStart ? { ...state, start: numberIn(content.subarray(32)) } : state;
  }

  #blocksAbove(height: number): { block: ReadBlock; own: boolean }[] {
    const rows = this.#database
      .prepare('SELECT taken, id, height, own, content, digest FROM block WHERE height > ? ORDER BY taken')
      .all(height) as unknown as BlockRow[];
    return rows.flatMap((row) => this.#blockIn(row) ?? []);
  }

  /** And two for one number, wherever they stand: whoever has seen these goes no further (§13.5). */
  #certificatesFrom(height: number): FinalityCertificate[] {
    const twice = 'SELECT number FROM certificate GROUP BY number HAVING COUNT(*) > 1';
    const rows = this.#database
      .prepare(
        `SELECT taken, number, height, content, digest FROM certificate WHERE height >= ? OR number IN (${twice}) ORDER BY number, taken`,
      )
      .all(height) as unknown as CertificateRow[];
    return rows.flatMap((row) => this.#certificateIn(row) ?? []);
  }

  #votes(): KeptChain['votes'] {
    const content = this.#own('votes');
    return content && { instance: content.slice(0, 32), votes: content.slice(32) };
  }

  #blockRow(id: Uint8Array): { block: ReadBlock; own: boolean } | undefined {
    const row = this.#database.prepare('SELECT taken, id, height, own, content, digest FROM block WHERE id = ?').get(id);
    return row && this.#blockIn(row as unknown as BlockRow);
  }

  #blockIn(row: BlockRow): { block: ReadBlock; own: boolean } | undefined {
    return blockIn(row) ?? this.#drop('block', 'taken', row.taken);
  }

  #certificateIn(row: CertificateRow): FinalityCertificate | undefined {
    return certificateIn(row) ?? this.#drop('certificate', 'taken', row.taken);
  }

  #stateIn(row: StateRow): { height: number; block: Uint8Array; state: Uint8Array } | undefined {
    return stateIn(row) ?? this.#drop('state', 'height', row.height);
  }

  /** What the disk damaged of what only this member knows is lost, and lost for ever. */
  #own(name: OwnName): Uint8Array | undefined {
    const row = this.#database.prepare('SELECT content, digest FROM own WHERE name = ?').get(name) as
      { content: Uint8Array; digest: Uint8Array } | undefined;
    if (!row) return undefined;
    if (hex(digestOf('own', name, row.content)) === hex(row.digest)) return row.content;
    this.#drop('own', 'name', name);
    if (name !== 'loss') this.noteLoss();
    return name === 'loss' ? Uint8Array.of(1) : undefined;
  }

  #drop(table: string, column: string, key: string | number): undefined {
    this.#log('chainRecordDamaged', { table, key });
    if (table !== 'own' || key !== 'loss') this.#database.prepare(`DELETE FROM ${table} WHERE ${column} = ?`).run(key);
    return undefined;
  }

  /** Something that can be had from others is missing rather than a reason to stop. */
  #read<T>(work: () => T): T | undefined {
    try {
      return work();
    } catch (error) {
      if (!isCorrupt(error)) throw error;
      this.#log('chainStoreDamaged', { part: 'archive', detail: error instanceof Error ? error.message : 'unknown' });
      return undefined;
    }
  }

  /** A file that SQLite calls corrupt is of no more use: the next start begins a new one. */
  #whole<T>(work: () => T): T {
    try {
      return work();
    } catch (error) {
      if (isCorrupt(error)) {
        this.#database.close();
        moveAside(this.#file, this.#log, error);
      }
      throw error;
    }
  }
}

type OwnName = 'votes' | 'height' | 'start' | 'loss';
