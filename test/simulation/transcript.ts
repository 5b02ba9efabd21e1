/** What happened in a world, as a digest that is equal for equal seeds, and as lines for people. */
import { createHash } from 'node:crypto';
import type { ConsensusReport } from '../../device/consensus/events.ts';
import type { Host, Seen } from './host.ts';
import { short } from './rule-broken.ts';

export interface Transcript {
  watch(nowMs: number, host: Host, seen: Seen): void;
  note(nowMs: number, text: string): void;
  /** SHA-256 over everything, hexadecimal. */
  readonly digest: () => string;
  /** The latest lines. */
  readonly lines: () => readonly string[];
}

const linesMax = 60;

/** @param onLine each line as it comes; @param all also every event and effect */
export function createTranscript(onLine?: (line: string) => void, all = false): Transcript {
  const hash = createHash('sha256');
  const latest: string[] = [];
  const say = (nowMs: number, text: string): void => {
    const line = `${(nowMs / 1_000).toFixed(3).padStart(12)} s  ${text}`;
    latest.push(line);
    if (latest.length > linesMax) latest.shift();
    onLine?.(line);
  };
  return {
    watch: (nowMs, host, seen) => {
      if (seen.seen === 'stepped') return;
      const brief = briefOf(seen);
      hash.update(`${nowMs} ${host.index} ${brief}\n`);
      const told = seen.seen === 'effect' && seen.effect.effect === 'report' ? storyOf(seen.effect.report) : undefined;
      if (told !== undefined) say(nowMs, `host ${host.index}: ${told}`);
      else if (seen.seen === 'died') say(nowMs, `host ${host.index}: dies (${seen.why})`);
      else if (seen.seen === 'started') say(nowMs, `host ${host.index}: start ${host.starts}`);
      else if (all) say(nowMs, `host ${host.index}: ${brief}`);
    },
    note: (nowMs, text) => {
      hash.update(`${nowMs} ${text}\n`);
      say(nowMs, text);
    },
    digest: () => hash.copy().digest('hex'),
    lines: () => latest,
  };
}

function briefOf(seen: Exclude<Seen, { seen: 'stepped' }>): string {
  switch (seen.seen) {
    case 'event': {
      const { event } = seen;
      if (event.type === 'received')
        return `received ${event.kind} from ${short(event.from)} ${event.payload.length} ${event.payload.at(-1) ?? 0}`;
      return event.type;
    }
    case 'effect': {
      const { effect } = seen;
      if (effect.effect === 'persist') return `persist ${effect.records.map(({ record }) => record).join(' ')}`;
      if (effect.effect === 'broadcast') return `broadcast ${effect.kind} ${effect.payload.length} ${effect.payload.at(-1) ?? 0}`;
      if (effect.effect === 'send') return `send to ${short(effect.to)} ${effect.payload.length}`;
      if (effect.effect === 'ask') return `ask ${effect.task.task}`;
      if (effect.effect === 'wakeAt') return `wakeAt ${effect.monotonicMs}`;
      return `report ${effect.report.report}`;
    }
    case 'judged':
      return `judged ${seen.payload.length} ${seen.payload.at(-1) ?? 0}`;
    case 'started':
    case 'died':
    case 'threw':
      return seen.seen;
  }
}

/** What people want to read; undefined where it says little. */
function storyOf(report: ConsensusReport): string | undefined {
  switch (report.report) {
    case 'headMoved': {
      const { block, depth } = report;
      return depth > 1 ? `head is ${short(block.id)} at height ${block.header.height}, ${depth} blocks on another branch` : undefined;
    }
    case 'checkpointFinalised':
      return `checkpoint ${report.certificate.number} is ${short(report.certificate.block)} at height ${report.certificate.height}, round ${report.certificate.round}`;
    case 'blockMade':
      return `makes block ${short(report.block.id)} of height ${report.block.header.height} on ${short(report.block.header.parent)} after ${report.waitMs} ms, ${report.block.transactions.length} transactions`;
    case 'blockRefused':
      return `refuses a block of height ${report.height} from ${short(report.from)}: ${report.reason} (${report.detail})`;
    case 'messageRefused':
      return undefined;
    case 'startedFromCheckpoint':
      return `starts from checkpoint ${report.number}, height ${report.height}`;
    case 'anchorContradicted':
      return `takes no part: ${report.detail}`;
    case 'anchorDoubted':
      return `goes on though layer 1 contradicts it: ${report.detail}`;
    case 'awayTooLong':
      return `was away too long: ${report.peers} peers have no block above ${report.height}`;
    case 'equivocation':
      return `${short(report.node)} contradicts itself in a ${report.of}`;
    case 'conflictingCertificates':
      return `stops: two certificates for checkpoint ${report.first.number}`;
  }
}
