/** What the core reports, as lines of the log and as a ring in memory for whoever asks later. Specification §14.5. */
import { hex } from '#protocol/digest.ts';
import { CHAIN_LIMITS } from '../limits.ts';
import type { Log } from '../ports.ts';
import type { ConsensusReport } from '../consensus/events.ts';

type Fields = Readonly<Record<string, string | number>>;

export interface ChainLine {
  readonly event: string;
  readonly atMs: number;
  readonly fields: Fields;
}

const MINUTE_MS = 60_000;

export class ChainLog {
  readonly #log: Log;
  readonly #now: () => number;
  /** The name of a member by its node id. */
  readonly #nameOf: (node: string) => string;
  readonly #lines: ChainLine[] = [];
  /** Lines about refusals in the present minute, by peer. */
  #refusals = new Map<string, number>();
  #minute = 0;

  constructor(log: Log, now: () => number, nameOf: (node: string) => string) {
    this.#log = log;
    this.#now = now;
    this.#nameOf = nameOf;
  }

  /** The latest lines, oldest first. */
  lines(): readonly ChainLine[] {
    return this.#lines;
  }

  take(report: ConsensusReport): void {
    const line = this.#lineOf(report);
    if (!line) return;
    this.#lines.push({ ...line, atMs: this.#now() });
    if (this.#lines.length > CHAIN_LIMITS.reportsKeptMax) this.#lines.shift();
    this.#log(line.event, line.fields);
  }

  #lineOf(report: ConsensusReport): { event: string; fields: Fields } | undefined {
    switch (report.report) {
      case 'headMoved': {
        const { id, header, transactions } = report.block;
        const by = this.#nameOf(hex(header.node));
        const fields = { height: header.height, block: short(id), by, transactions: transactions.length };
        return { event: 'headMoved', fields: report.depth > 0 ? { ...fields, left: report.depth } : fields };
      }
      case 'checkpointFinalised': {
        const { number, height, block, round, votes } = report.certificate;
        const fields = { number, height, block: short(block), round, votes: votes.length, ms: Math.round(report.afterMs) };
        return { event: 'checkpointFinalised', fields };
      }
      case 'blockMade':
        return { event: 'blockMade', fields: { height: report.block.header.height, block: short(report.block.id), waitMs: report.waitMs } };
      case 'startedFromCheckpoint': {
        const { number, height, block } = report;
        return { event: 'startedFromCheckpoint', fields: { number, height, block: short(block) } };
      }
      case 'anchorContradicted': {
        const remedy =
          'this device takes no part: correct `checkpoint` in its configuration, or move chain.sqlite away if the checkpoint is right';
        return { event: 'checkpointContradicted', fields: { detail: report.detail, remedy } };
      }
      case 'awayTooLong': {
        const remedy = 'give this device a recent `checkpoint` in its configuration and start it again';
        return { event: 'awayTooLong', fields: { height: report.height, peers: report.peers, remedy } };
      }
      case 'equivocation':
        return { event: 'equivocation', fields: { by: this.#nameOf(report.node), of: report.of } };
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
  #refusal(report: Extract<ConsensusReport, { report: 'blockRefused' | 'messageRefused' }>): { event: string; fields: Fields } | undefined {
    const minute = Math.floor(this.#now() / MINUTE_MS);
    if (minute !== this.#minute) this.#refusals = new Map();
    this.#minute = minute;
    const count = (this.#refusals.get(report.from) ?? 0) + 1;
    this.#refusals.set(report.from, count);
    if (count > CHAIN_LIMITS.refusalLinesPerMinute) return undefined;
    const from = this.#nameOf(report.from);
    const { reason, detail } = report;
    if (report.report === 'blockRefused') return { event: 'blockRefused', fields: { from, height: report.height, reason, detail } };
    return { event: 'messageRefused', fields: { from, kind: report.kind, reason, detail } };
  }
}

/** The first 8 digits of an id: enough to tell blocks apart when people compare them. */
function short(id: Uint8Array): string {
  return hex(id.subarray(0, 4));
}
