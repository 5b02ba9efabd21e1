/** What clients are told of their capsules, whatever becomes of them: a port between orders and gateway. Specification §7.4. */
import type { RunLog, RunProgress } from '#protocol/box-messages.ts';
import type { FinalityNews } from '#protocol/finality-news.ts';
import type { StoredCapsule } from '../store/store.ts';

export interface ClientNews {
  orderChanged(capsule: StoredCapsule): void;
  progressed(capsule: StoredCapsule, progress: RunProgress): void;
  logged(capsule: StoredCapsule, log: RunLog): void;
  finalityChanged(capsule: StoredCapsule, finality: FinalityNews): void;
}
