/** What a message makes go wrong is a line of the log, so many in a minute, and never the end of this program. Specification §5.4. */
import { LineLimit } from './line-limit.ts';
import type { Log } from './ports.ts';

const LINES_PER_MINUTE = 6;

/** @returns what a connection tells of a handler that threw */
export function faultsTo(log: Log): (topic: string, fault: unknown) => void {
  const lines = new LineLimit(LINES_PER_MINUTE);
  return (topic, fault) => {
    const detail = fault instanceof Error ? (fault.stack ?? fault.message) : String(fault);
    if (lines.takes(topic, Date.now())) log('messageFailed', { topic, detail });
  };
}
