/** Work on two threads: each asks for the next piece when it is done with one. Ctrl-C ends it with what was found so far. */
import { Worker } from 'node:worker_threads';
import { listenForInterrupts } from '../../scripts/capsule/interrupt.ts';

export interface SharedWork<Piece, Found> {
  /** A module that answers each message, a piece, with what it found. */
  readonly thread: URL;
  /** Nothing: all pieces are given out. */
  readonly next: () => Piece | undefined;
  readonly take: (found: Found) => void;
}

/** As shells have it: 128 + SIGINT. */
export const interruptedStatus = 130;

const threads = 2;

/** What the threads were at when Ctrl-C came is lost. */
export async function shareWork<Piece, Found>(work: SharedWork<Piece, Found>): Promise<'done' | 'interrupted'> {
  const interrupts = listenForInterrupts();
  const workers = Array.from({ length: threads }, () => new Worker(work.thread));
  try {
    return await Promise.race([
      interrupts.next(),
      Promise.all(workers.map((worker) => keepBusy(worker, work))).then(() => 'done' as const),
    ]);
  } finally {
    interrupts.stop();
    await Promise.all(workers.map((worker) => worker.terminate()));
  }
}

function keepBusy<Piece, Found>(worker: Worker, { next, take }: SharedWork<Piece, Found>): Promise<void> {
  return new Promise((resolve, reject) => {
    const give = (): void => {
      const piece = next();
      if (piece === undefined) resolve();
      else worker.postMessage(piece);
    };
    worker.on('message', (found: Found) => {
      take(found);
      give();
    });
    worker.on('error', reject);
    give();
  });
}
