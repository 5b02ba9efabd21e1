/** What clients are told of their capsules, whatever becomes of them: a port between orders and gateway. Specification §7.4. */
import type { FinalityNews } from '#protocol/finality-news.ts';
import type { RunNewsOf } from '#protocol/peer-messages.ts';
import type { StoredCapsule } from '../store/store.ts';

export interface ClientNews {
  orderChanged(capsule: StoredCapsule): void;
  /** What is for those who watch, and for nobody who comes later. */
  runSaid(capsule: StoredCapsule, news: RunNewsOf<'progress' | 'log' | 'energy'>): void;
  finalityChanged(capsule: StoredCapsule, finality: FinalityNews): void;
}
