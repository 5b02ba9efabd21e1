/** What one step of the core wants done, collected: the disk first, then what others hear. Pure. Specification §14.4. */
import type { ChainRecord, ConsensusEffect, ConsensusReport, MessageKind, TpmTask } from './events.ts';

export interface Outbox {
  readonly records: ChainRecord[];
  readonly messages: Extract<ConsensusEffect, { effect: 'broadcast' | 'send' }>[];
  readonly asks: TpmTask[];
  readonly reports: ConsensusReport[];
}

export function emptyOutbox(): Outbox {
  return { records: [], messages: [], asks: [], reports: [] };
}

export function persist({ records }: Outbox, record: ChainRecord): void {
  records.push(record);
}

/** The latest record of the votes says all that earlier ones of this step say. */
export function persistVotes({ records }: Outbox, instance: Uint8Array, votes: Uint8Array): void {
  const earlier = records.findIndex(({ record }) => record === 'votes');
  if (earlier >= 0) records.splice(earlier, 1);
  records.push({ record: 'votes', instance, votes });
}

export function broadcast({ messages }: Outbox, kind: Exclude<MessageKind, 'response'>, payload: Uint8Array, retain = false): void {
  messages.push({ effect: 'broadcast', kind, payload, retain });
}

export function respond({ messages }: Outbox, to: string, payload: Uint8Array): void {
  messages.push({ effect: 'send', to, kind: 'response', payload });
}

export function report({ reports }: Outbox, news: ConsensusReport): void {
  reports.push(news);
}

/** One persist at most, before everything that rests on it; one `wakeAt` at most, last. */
export function flush({ records, messages, asks, reports }: Outbox, wakeAtMs: number | undefined): ConsensusEffect[] {
  return [
    ...(records.length > 0 ? [{ effect: 'persist', records } as const] : []),
    ...messages,
    ...asks.map((task) => ({ effect: 'ask', task }) as const),
    ...reports.map((news) => ({ effect: 'report', report: news }) as const),
    ...(wakeAtMs === undefined ? [] : [{ effect: 'wakeAt', monotonicMs: wakeAtMs } as const]),
  ];
}
