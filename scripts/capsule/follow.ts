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

const secondChanceMs = 3_000;

interface Situation {
  /** The device has the whole capsule. */
  taken: boolean;
  leaveWhenTaken: boolean;
}

/** @throws ClientFailure when the device falls silent */
export async function follow(options: FollowOptions): Promise<Followed> {
  const interrupts = listenForInterrupts();
  const situation: Situation = { taken: false, leaveWhenTaken: options.untilTaken ?? false };
  const reading = read(options, situation);
  const interrupted = mind(options, situation, interrupts.next);
  try {
    return await Promise.race([reading, interrupted]);
  } finally {
    interrupts.stop();
    options.view.settle();
    reading.catch(() => undefined);
    interrupted.catch(() => undefined);
  }
}

async function read({ client, capsule, view, show = () => true }: FollowOptions, situation: Situation): Promise<Followed> {
  for await (const news of client.watch(capsule)) {
    if (show(news)) view.news(news);
    if (news.news === 'result') return { status: 'ended', result: news };
    situation.taken ||= news.news === 'state' && news.state !== 'submitted';
    if (situation.taken && situation.leaveWhenTaken) return { status: 'left' };
  }
  const { state, reason } = await client.status(capsule);
  return { status: 'ended', result: { capsule, state, outputs: [], ...(reason === undefined ? {} : { reason }) } };
}

/** Leaving before the device has the files would leave a capsule that can't run, so that waits. */
async function mind({ client, capsule, view }: FollowOptions, situation: Situation, next: () => Promise<'interrupted'>): Promise<Followed> {
  await next();
  const again = situation.taken ? await offerToCancel(capsule, view, next) : await waitForFiles(view, situation, next);
  if (again === 'passed') return { status: 'left' };
  situation.leaveWhenTaken = false;
  view.explain('\nCancelling the capsule.');
  await client.cancel(capsule);
  return { status: 'ended', result: await client.result(capsule) };
}

function offerToCancel(capsule: string, view: View, next: () => Promise<'interrupted'>): Promise<'interrupted' | 'passed'> {
  view.explain(
    `\nThe capsule goes on. See it again: npm run capsule -- logs ${capsule.slice(0, 12)} --follow\nCtrl-C again within ${secondChanceMs / 1_000} s cancels it.`,
  );
  return Promise.race([next(), new Promise<'passed'>((resolve) => setTimeout(resolve, secondChanceMs, 'passed').unref())]);
}

function waitForFiles(view: View, situation: Situation, next: () => Promise<'interrupted'>): Promise<'interrupted'> {
  view.explain('\nThe device does not have all files yet; this ends when it has. Ctrl-C again cancels the capsule.');
  situation.leaveWhenTaken = true;
  return next();
}
