/**
 * What the core reports, as lines of the log.
 *
 * A block is one line as long as its checkpoint follows within two seconds: logs lie on cards that wear out.
 */
import type { ReadBlock } from '#protocol/chain/block.ts';
import { sameBytes } from '#protocol/codec.ts';
import { hex } from '#protocol/digest.ts';
import { CHAIN_LIMITS } from '../limits.ts';
import { LineLimit } from '../line-limit.ts';
import type { Log } from '../ports.ts';
import type { ConsensusReport } from '../consensus/events.ts';

type Fields = Readonly<Record<string, string | number>>;

interface Line {
  readonly event: string;
  readonly fields: Fields;
}

/** A block that waits for its checkpoint, or for the word that it is the head. */
interface Held extends Line {
  readonly id: Uint8Array;
}

/** What reports leave out. */
export interface ChainLogContext {
  /** The name of a member by its node id. */
  readonly nameOf: (node: string) => string;
  /** The wait that a block of the tree was drawn, ms. */
  readonly waitMsOf: (block: Uint8Array) => number | undefined;
  /** Voters on a checkpoint. */
  readonly votersOf: (checkpoint: number) => number | undefined;
}

export class ChainLog {
  readonly #log: Log;
  readonly #now: () => number;
  readonly #context: ChainLogContext;
  #held: Held | undefined;
  #timer: NodeJS.Timeout | undefined;
  /** By peer. */
  readonly #refusals = new LineLimit(CHAIN_LIMITS.refusalLinesPerMinute);

  constructor(log: Log, now: () => number, context: ChainLogContext) {
    this.#log = log;
    this.#now = now;
    this.#context = context;
  }

  take(report: ConsensusReport): void {
    switch (report.report) {
      case 'blockMade':
        return this.#hold({ id: report.block.id, event: 'blockMade', fields: this.#blockFields(report.block) });
      case 'headMoved': {
        const left = report.depth > 0 ? { left: report.depth } : {};
        const own = this.#held?.event === 'blockMade' && sameBytes(this.#held.id, report.block.id) ? { own: 'yes' } : {};
        if (own.own) this.#held = undefined;
        return this.#hold({ id: report.block.id, event: 'headMoved', fields: { ...this.#blockFields(report.block), ...own, ...left } });
      }
      case 'checkpointFinalised':
        return this.#log('checkpointFinalised', this.#checkpointFields(report));
      default:
        this.#writeOf(this.#lineOf(report));
    }
  }

  /** What is held is written at once. */
  stop(): void {
    this.#release();
  }

  #hold(held: Held): void {
    this.#release();
    this.#held = held;
    this.#timer = setTimeout(() => this.#release(), CHAIN_LIMITS.blockLineHeldMs).unref();
  }

  #release(): void {
    clearTimeout(this.#timer);
    const held = this.#held;
    this.#held = undefined;
    if (held) this.#log(held.event, held.fields);
  }

  #writeOf(line: Line | undefined): void {
    if (!line) return;
    this.#release();
    this.#log(line.event, line.fields);
  }

  #blockFields({ id, header, transactions }: ReadBlock): Fields {
    const waitMs = this.#context.waitMsOf(id);
    const fields = {
      height: header.height,
      block: short(id),
      by: this.#context.nameOf(hex(header.node)),
      transactions: transactions.length,
    };
    return waitMs === undefined ? fields : { ...fields, waitMs };
  }

  /** With its block, where that is still held. */
  #checkpointFields({ certificate, afterMs }: Extract<ConsensusReport, { report: 'checkpointFinalised' }>): Fields {
    const { number, height, block, round, votes } = certificate;
    const held = this.#held && sameBytes(this.#held.id, block) ? this.#held : undefined;
    if (held) this.#held = undefined;
    this.#release();
    const voters = this.#context.votersOf(number);
    return {
      ...(held?.fields ?? { height, block: short(block) }),
      checkpoint: number,
      ...(round > 0 ? { round } : {}),
      votes: votes.length,
      ...(voters === undefined ? {} : { of: voters }),
      ms: Math.round(afterMs),
    };
  }

  #lineOf(report: Exclude<ConsensusReport, { report: 'blockMade' | 'headMoved' | 'checkpointFinalised' }>): Line | undefined {
    switch (report.report) {
      case 'startedFromCheckpoint': {
        const { number, height, block } = report;
        return { event: 'startedFromCheckpoint', fields: { number, height, block: short(block) } };
      }
      case 'anchorContradicted': {
        const remedy =
          'this device takes no part: correct `checkpoint` in its configuration or `layer1` in its network file; if the checkpoint is right, move chain.sqlite away';
        return { event: 'checkpointContradicted', fields: { detail: report.detail, remedy } };
      }
      case 'anchorDoubted': {
        const consequence = 'this device goes on: one chain of layer 1 alone decides nothing; see whether it, or its endpoints, lie';
        return { event: 'checkpointDoubted', fields: { detail: report.detail, consequence } };
      }
      case 'awayTooLong': {
        const remedy = 'give this device a recent `checkpoint` in its configuration and start it again';
        return { event: 'awayTooLong', fields: { height: report.height, peers: report.peers, remedy } };
      }
      case 'equivocation':
        return { event: 'equivocation', fields: { by: this.#context.nameOf(report.node), of: report.of } };
      case 'conflictingCertificates': {
        const { first, second } = report;
        return {
          event: 'conflictingCertificates',
          fields: { number: first.number, first: short(first.block), second: short(second.block) },
        };
      }
      case 'blockRefused':
      case 'messageRefused':
        return this.#refusal(report);
    }
  }

  /** A peer that lies all the time gets so many lines in a minute. */
  #refusal(report: Extract<ConsensusReport, { report: 'blockRefused' | 'messageRefused' }>): Line | undefined {
    if (!this.#refusals.takes(report.from, this.#now())) return undefined;
    const from = this.#context.nameOf(report.from);
    const { reason, detail } = report;
    if (report.report === 'blockRefused') return { event: 'blockRefused', fields: { from, height: report.height, reason, detail } };
    return { event: 'messageRefused', fields: { from, kind: report.kind, reason, detail } };
  }
}

/** The first 8 digits of an id: enough to tell blocks apart when people compare them. */
function short(id: Uint8Array): string {
  return hex(id.subarray(0, 4));
}
