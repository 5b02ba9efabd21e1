/**
 * What the gateway of a capsule and the executor of a run say to one another, each on its own broker where only the other
 * may read (§5.3). Specification §15.9. In bulk form; what counts is signed (the receipt) or on the chain.
 */
import { RunId, RunLog, RunProgress } from './box-messages.ts';
import { CapsuleState, EndReason, RequestId } from './capsule.ts';
import { LIMITS } from './limits.ts';
import { bytes, optional, struct, text, variant, type Infer } from './schema.ts';
import { ReceiptMessage } from './receipt.ts';
import { POWER_NOW } from './run-energy.ts';
import { Name } from './topics.ts';

/** From the gateway, for a run that the chain has given to a box of the one who reads it. */
export const RunOrder = variant('order', {
  /** What the executor needs beside the chain: the capsule's id follows from client and request, its digest from the manifest. */
  run: struct({ run: RunId, client: Name, request: RequestId, manifest: bytes({ min: 1, max: LIMITS.manifestBytesMax }) }),
  /** The client has cancelled: stop what runs, and report it. */
  cancel: struct({ run: RunId }),
  /** The gateway has receipt and outputs. */
  acknowledge: struct({ run: RunId }),
});

/** From the executor. It says the state of each open run again and again, so that its silence means something. */
export const RunNews = variant('news', {
  /** An end in which nothing was signed has a reason here; the others come as a receipt. */
  state: struct({
    run: RunId,
    state: CapsuleState,
    reason: optional(EndReason),
    detail: optional(text({ max: LIMITS.noteCharactersMax })),
  }),
  progress: RunProgress,
  log: RunLog,
  /** While the run is on, where the power of its box is sensed. */
  energy: struct({ run: RunId, ...POWER_NOW }),
  receipt: struct({ run: RunId, receipt: bytes({ min: 1, max: ReceiptMessage.bytesMax }) }),
});

export type RunOrder = Infer<typeof RunOrder>;
export type RunNews = Infer<typeof RunNews>;
export type RunNewsOf<W extends RunNews['news']> = Extract<RunNews, { news: W }>;
