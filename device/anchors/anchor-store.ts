/** Anchors on the disk: the leaves of each epoch once, and what is known of its anchor on each chain of layer 1. Specification §20.9. */
import { decodeStrict, encodeStrict } from '#protocol/codec.ts';
import { Digest, hex } from '#protocol/digest.ts';
import { AnchorMoment, type AnchorPlace } from '#protocol/layer1/anchor.ts';
import type { AnchoredState, AnchorLeaves } from '#protocol/layer1/anchored-state.ts';
import { PackedVote } from '#protocol/layer1/anchor-vote.ts';
import { CreditLeaf, MemberLeaf, VerdictLeaf } from '#protocol/layer1/leaf.ts';
import { list, optional, struct, type Infer, type Schema } from '#protocol/schema.ts';
import { Database } from '../store/database.ts';
import type { AnchorEpoch } from './anchors-state.ts';

const SCHEMA = `
  CREATE TABLE IF NOT EXISTS epoch (
    epoch INTEGER PRIMARY KEY, moment BLOB NOT NULL, members BLOB NOT NULL, verdicts BLOB NOT NULL, credits BLOB NOT NULL
  ) STRICT;
  CREATE TABLE IF NOT EXISTS anchor (
    place TEXT NOT NULL, epoch INTEGER NOT NULL, record BLOB NOT NULL, PRIMARY KEY (place, epoch)
  ) STRICT, WITHOUT ROWID;`;

const leavesMax = 65_536; // members that are, and were; a state is smaller
const rowBytesMax = 64 * 1024 * 1024;

const StoredAnchor = struct({
  previous: optional(Digest),
  own: optional(PackedVote),
  votes: list(struct({ node: Digest, vote: PackedVote }), { max: leavesMax }),
});

const NOTHING_KNOWN: Infer<typeof StoredAnchor> = { votes: [] };

export class AnchorStore {
  readonly #database: Database;

  constructor(file: string) {
    this.#database = new Database(file, SCHEMA);
  }

  /**
   * The epochs of one chain; where the network file has just named it, those that are kept for another.
   * @throws Error where a row is not ours: what was signed must not be guessed
   */
  load(place: AnchorPlace): AnchorEpoch[] {
    const rows = this.#database.prepare(
      `SELECT epoch.epoch, moment, members, verdicts, credits, record
      FROM epoch LEFT JOIN anchor ON anchor.epoch = epoch.epoch AND place = ? ORDER BY epoch.epoch`,
    );
    return rows.all(nameOf(place)).map((row) => {
      const { previous, own, votes } = row['record'] === null ? NOTHING_KNOWN : read(StoredAnchor, row, 'record');
      const leaves = {
        members: readLeaves(MemberLeaf, row, 'members'),
        verdicts: readLeaves(VerdictLeaf, row, 'verdicts'),
        credits: readLeaves(CreditLeaf, row, 'credits'),
      };
      const known = new Map(votes.map(({ node, vote }) => [hex(node), vote]));
      return { moment: read(AnchorMoment, row, 'moment'), leaves, ...(previous && { previous }), ...(own && { own }), votes: known };
    });
  }

  /** On the disk when it returns. */
  store(place: AnchorPlace, { moment, leaves, previous, own, votes }: AnchorEpoch): void {
    const said = Array.from(votes, ([node, vote]) => ({ node: Uint8Array.fromHex(node), vote }));
    const record = encodeStrict(StoredAnchor, { ...(previous && { previous }), ...(own && { own }), votes: said });
    this.#database.transaction(() => {
      this.#keepEpoch({ moment, leaves });
      this.#database.prepare('INSERT OR REPLACE INTO anchor VALUES (?, ?, ?)').run(nameOf(place), moment.epoch, record);
    });
  }

  forget(place: AnchorPlace, epoch: number): void {
    this.#database.transaction(() => {
      this.#database.prepare('DELETE FROM anchor WHERE place = ? AND epoch = ?').run(nameOf(place), epoch);
      this.#database.prepare('DELETE FROM epoch WHERE epoch NOT IN (SELECT epoch FROM anchor)').run();
    });
  }

  close(): void {
    this.#database.close();
  }

  #keepEpoch({ moment, leaves }: AnchoredState): void {
    if (this.#database.prepare('SELECT 1 FROM epoch WHERE epoch = ?').get(moment.epoch)) return;
    this.#database
      .prepare('INSERT INTO epoch VALUES (?, ?, ?, ?, ?)')
      .run(moment.epoch, encodeStrict(AnchorMoment, moment), ...encodedLeaves(leaves));
  }
}

function encodedLeaves({ members, verdicts, credits }: AnchorLeaves): [Uint8Array, Uint8Array, Uint8Array] {
  return [encoded(MemberLeaf, members), encoded(VerdictLeaf, verdicts), encoded(CreditLeaf, credits)];
}

function encoded<T>(leaf: Schema<T>, leaves: readonly T[]): Uint8Array {
  return encodeStrict(list(leaf, { max: leavesMax }), [...leaves]);
}

type Row = Readonly<Record<string, unknown>>;

function readLeaves<T>(leaf: Schema<T>, row: Row, column: string): T[] {
  return read(list(leaf, { max: leavesMax }), row, column);
}

function read<T>(schema: Schema<T>, row: Row, column: string): T {
  const decoded = decodeStrict(schema, row[column] as Uint8Array, rowBytesMax);
  if (decoded.status === 'decoded') return decoded.value;
  throw new Error(`The stored anchor of epoch ${String(row['epoch'])} can't be read: ${column}: ${decoded.detail}`);
}

function nameOf({ chainId, anchors }: AnchorPlace): string {
  return `${chainId}/${hex(anchors)}`;
}
