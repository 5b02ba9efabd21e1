/** Following a capsule to its end, with Ctrl-C: the first leaves it running, a second one stops it. */
import type { ResultNews } from '#protocol/client-messages.ts';
import type { Client } from '../client/client.ts';
import type { News } from '../client/news.ts';
import { listenForInterrupts } from './interrupt.ts';
import type { View } from './view.ts';

export type Followed = { readonly status: 'ended'; readonly result: ResultNews } | { readonly status: 'left' };

export interface FollowOptions {
  readonly client: Client;
  readonly capsule: string;
  readonly view: View;
  /** Leave when the device has all files of the capsule. */
  readonly untilTaken?: boolean;
  readonly show?: (news: News) => boolean;
}

const secondChanceMs = 2_000;

/** @throws ClientFailure when the device falls silent */
export async function follow(options: FollowOptions): Promise<Followed> {
  const interrupts = listenForInterrupts();
  const stop = new AbortController();
  const progress = { taken: false };
  const reading = read(options, progress, stop.signal);
  const interrupted = minded(options, progress, interrupts.next, stop);
  try {
    return await Promise.race([reading, interrupted]);
  } finally {
    interrupts.stop();
    options.view.settle();
    reading.catch(() => undefined);
    interrupted.catch(() => undefined);
  }
}

/** Reads news to the result. `taken`: the device has the whole capsule. */
async function read({ client, capsule, view, untilTaken = false, show = () => true }: FollowOptions, progress: { taken: boolean }, signal: AbortSignal): Promise<Followed> {
  for await (const news of client.watch(capsule)) {
    if (show(news)) view.news(news);
    if (news.news === 'result') return { status: 'ended', result: news };
    progress.taken ||= news.news === 'state' && news.state !== 'submitted';
    if (progress.taken && (untilTaken || signal.aborted)) return { status: 'left' };
  }
  const { state, reason } = await client.status(capsule);
  return { status: 'ended', result: { capsule, state, outputs: [], ...(reason === undefined ? {} : { reason }) } };
}

/** Leaving before the device has the files would leave a capsule that can't run, so that waits. */
async function minded({ client, capsule, view }: FollowOptions, progress: { readonly taken: boolean }, next: () => Promise<'interrupted'>, leave: AbortController): Promise<Followed> {
  await next();
  if (!progress.taken) view.explain('\nThe device does not have all files yet; this ends when it has. Ctrl-C again cancels the capsule.');
  else view.explain(`\nThe capsule goes on. See it again: npm run capsule -- logs ${capsule.slice(0, 12)} --follow\nCtrl-C again within ${secondChanceMs / 1_000} s cancels it.`);
  leave.abort();
  const again = await (progress.taken ? Promise.race([next(), passed()]) : next());
  if (again === 'passed') return { status: 'left' };
  view.explain('\nCancelling the capsule.');
  await client.cancel(capsule);
  const result = await client.result(capsule);
  return { status: 'ended', result };
}

function passed(): Promise<'passed'> {
  return new Promise((resolve) => setTimeout(resolve, secondChanceMs, 'passed'));
}
