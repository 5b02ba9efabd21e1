/** A capsule that no box takes waits for one, without an end where it has no deadline: said once, with what ends the waiting. */
import type { Manifest } from '#protocol/manifest.ts';
import type { News } from '../client/news.ts';
import { timeText } from '../terminal.ts';
import type { View } from './view.ts';

export interface WaitingHint {
  heard(news: News): void;
  stop(): void;
}

/** The chain draws a box within seconds where there is one. */
const HINT_AFTER_MS = 15_000;

/** @param afterMs of silence on a box */
export function waitingHint(capsule: string, { policy }: Manifest, view: Pick<View, 'explain'>, afterMs = HINT_AFTER_MS): WaitingHint {
  const timer = setTimeout(() => view.explain(hintText(capsule, policy)), afterMs);
  timer.unref();
  return {
    heard: (news) => {
      if (news.news === 'state' && news.state !== 'submitted' && news.state !== 'ordered') clearTimeout(timer);
    },
    stop: () => clearTimeout(timer),
  };
}

function hintText(capsule: string, { trust, deadlineMs }: Manifest['policy']): string {
  const wanted = trust === 'self-reported' ? 'a box' : `a box of level ${trust} or a higher one`;
  return [
    `No box has been drawn for it yet. It waits for ${wanted}, ${deadlineMs === undefined ? 'without an end' : `at most until ${timeText(deadlineMs)}`}; this ends the waiting:`,
    `  npm run capsule -- cancel ${capsule.slice(0, 12)}`,
    ...(deadlineMs === undefined ? ['policy.deadlineSeconds in a manifest ends it by itself.'] : []),
  ].join('\n');
}
