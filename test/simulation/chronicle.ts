/** All that a simulated world has seen of blocks and certificates, whoever made them: what checkers judge members by. */
import type { ReadBlock } from '#protocol/chain/block.ts';
import type { FinalityCertificate } from '#protocol/chain/finality-certificate.ts';
import { decodeTransaction, transactionId, type Transaction } from '#protocol/chain/transaction.ts';
import { hex } from '#protocol/digest.ts';

export interface KnownBlock {
  readonly id: string;
  readonly parent: string;
  readonly height: number;
  readonly node: string;
  readonly timeMs: number;
  readonly state: string;
  readonly transactions: readonly string[];
  readonly encoded: Uint8Array;
  /** When it was first stored by anyone, in virtual time. */
  readonly sinceMs: number;
}

export interface Chronicle {
  readonly blocks: ReadonlyMap<string, KnownBlock>;
  readonly genesis: string;
  /** Waits of blocks made, by id. */
  readonly waits: Map<string, number>;
  /** The first certificate for each number. */
  readonly certificates: Map<number, FinalityCertificate>;
  /** Ids of finalised blocks by height, along the first certificates. */
  readonly finalised: readonly string[];
  /** @returns whether it was not known */
  addBlock(block: ReadBlock, nowMs: number): { readonly known: boolean; readonly transactions: readonly Transaction[] };
  /** Extends the finalised chain. @returns the blocks that it finalises, lowest first, or why it can't be */
  finalise(certificate: FinalityCertificate): readonly KnownBlock[] | string;
  /** The ancestor of `id` at a height. */
  ancestorAt(id: string, height: number): string | undefined;
  heightOf(id: string): number | undefined;
}

export function createChronicle(genesis: Uint8Array): Chronicle {
  const genesisId = hex(genesis);
  const blocks = new Map<string, KnownBlock>();
  const finalised: string[] = [genesisId];
  const certificates = new Map<number, FinalityCertificate>();
  const heightOf = (id: string): number | undefined => (id === genesisId ? 0 : blocks.get(id)?.height);
  const ancestorAt = (id: string, height: number): string | undefined => {
    let at: string | undefined = id;
    for (let above = heightOf(id); above !== undefined && above > height; above -= 1) {
      // Where the finalised chain is reached the rest is known.
      if (finalised[above] === at) return finalised[height];
      at = at === undefined ? undefined : blocks.get(at)?.parent;
    }
    return at !== undefined && heightOf(at) === height ? at : undefined;
  };
  return {
    blocks,
    genesis: genesisId,
    waits: new Map(),
    certificates,
    finalised,
    ancestorAt,
    heightOf,
    addBlock: (block, nowMs) => {
      const id = hex(block.id);
      if (blocks.has(id)) return { known: true, transactions: [] };
      const { parent, height, node, timeMs, state } = block.header;
      blocks.set(id, {
        id,
        ...{ parent: hex(parent), height, node: hex(node), timeMs, state: hex(state) },
        transactions: block.transactions.map((transaction) => hex(transactionId(transaction))),
        encoded: block.encoded,
        sinceMs: nowMs,
      });
      return { known: false, transactions: block.transactions.flatMap(read) };
    },
    finalise: (certificate) => {
      const known = certificates.get(certificate.number);
      if (known) return hex(known.block) === hex(certificate.block) ? [] : `another block is certified as checkpoint ${certificate.number}`;
      const path = pathDown(blocks, hex(certificate.block), finalised);
      if (typeof path === 'string') return path;
      certificates.set(certificate.number, certificate);
      for (const block of path) finalised[block.height] = block.id;
      return path;
    },
  };
}

function read(encoded: Uint8Array): Transaction[] {
  const decoded = decodeTransaction(encoded);
  return decoded.status === 'decoded' ? [decoded.value] : [];
}

/** From the last finalised block up to this one. */
function pathDown(blocks: ReadonlyMap<string, KnownBlock>, tip: string, finalised: readonly string[]): KnownBlock[] | string {
  const path: KnownBlock[] = [];
  const top = finalised.length - 1;
  for (let at = blocks.get(tip); at; at = blocks.get(at.parent)) {
    if (finalised[at.height] === at.id)
      return path.length === 0 && at.height !== top ? 'the certified block lies below a finalised one' : path;
    if (at.height <= top) return `block ${at.id.slice(0, 8)} at height ${at.height} is not the finalised one`;
    path.unshift(at);
  }
  const lowest = path[0];
  if (lowest === undefined)
    return tip === finalised[0] ? 'the genesis block is certified' : `block ${tip.slice(0, 8)} was never stored by anyone`;
  return lowest.parent === finalised[lowest.height - 1] && lowest.height === top + 1
    ? path
    : `the path of block ${tip.slice(0, 8)} does not come from the last finalised block`;
}
