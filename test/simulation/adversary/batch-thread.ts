/** A thread that runs the batches it is given. */
import { parentPort } from 'node:worker_threads';
import { runBatch, type Batch } from './batch.ts';

parentPort?.on('message', (batch: Batch) => parentPort?.postMessage(runBatch(batch)));
