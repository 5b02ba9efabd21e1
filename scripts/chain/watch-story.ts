/**
 * What is told to somebody who watches the chain: made from what the device says of its head, block by block. Pure but for
 * the story itself, which remembers what was told.
 */
import type { BlockLine, CheckpointLine, HeadView, PeerView } from '#protocol/chain/chain-view.ts';
import { hex } from '#protocol/digest.ts';

export type MemberChange =
  'reached' | 'lost' | 'fell-silent' | 'votes-again' | 'applicant' | 'member' | 'seated' | 'unseated' | 'left' | 'expelled';

export type WatchNews =
  | { readonly news: 'began'; readonly view: HeadView }
  | { readonly news: 'block'; readonly block: BlockLine }
  /** Heights that came too fast to be shown. */
  | { readonly news: 'skipped'; readonly from: number; readonly to: number }
  /** Blocks that were told are no longer on the branch of the head. */
  | { readonly news: 'reorganised'; readonly from: number; readonly blocks: number }
  | { readonly news: 'final'; readonly checkpoint: CheckpointLine }
  | { readonly news: 'not-final'; readonly forMs: number; readonly voting: number; readonly voters: number }
  | { readonly news: 'final-again'; readonly afterMs: number }
  | { readonly news: 'behind' | 'joining' | 'other-checkpoint' | 'away-too-long' }
  | { readonly news: 'stopped' }
  | { readonly news: 'member'; readonly name: string; readonly change: MemberChange }
  | { readonly news: 'silent'; readonly device: string; readonly forMs: number }
  | { readonly news: 'heard-again'; readonly device: string; readonly afterMs: number };

export interface WatchStory {
  /** Ids of the branch as it was told, by height: the latest ones. */
  readonly told: Map<number, string>;
  last: { readonly view: HeadView; readonly atMs: number } | undefined;
  /** When it was last told that nothing becomes final; undefined while things do. */
  notFinalToldMs: number | undefined;
  isSilent: boolean;
  peers: ReadonlyMap<string, PeerView> | undefined;
}

/** A device says its head at least every 3 s. */
const silenceMs = 10_000;
const toldAgainMs = 30_000;
const toldMax = 256;
/** More blocks than these at once come from catching up: one need not see each. */
const pathMax = 16;

export function newStory(): WatchStory {
  return { told: new Map(), last: undefined, notFinalToldMs: undefined, isSilent: false, peers: undefined };
}

/**
 * The block to fetch below `path`, which ends with the head, before it can be told.
 * @param path lowest first
 */
export function missingBelow(story: WatchStory, path: readonly BlockLine[]): Uint8Array | undefined {
  const [lowest] = path;
  if (!lowest?.parent || !story.last || path.length >= pathMax) return undefined;
  const below = lowest.height - 1;
  const heights = [...story.told.keys()];
  if (below < Math.min(...heights)) return undefined;
  return story.told.get(below) === hex(lowest.parent) ? undefined : lowest.parent;
}

/** Whether the block of this head has been told, and nothing but what is known can be said of it. */
export function isTold(story: WatchStory, { height, id }: BlockLine): boolean {
  return story.told.get(height) === hex(id);
}

/** @param path the blocks that have not been told, lowest first, up to the head */
export function tellHead(story: WatchStory, view: HeadView, path: readonly BlockLine[], nowMs: number): WatchNews[] {
  const before = story.last;
  const heard = story.isSilent && before ? [{ news: 'heard-again', device: view.device, afterMs: nowMs - before.atMs } as const] : [];
  story.isSilent = false;
  story.last = { view, atMs: nowMs };
  if (!before) {
    remember(story, view.head);
    const trouble = view.condition === 'not-finalising' ? [notFinal(story, view, nowMs)] : [];
    return [{ news: 'began', view }, ...trouble, ...comingLate(view.condition)];
  }
  const tip = Math.max(...story.told.keys());
  return [...heard, ...tellPath(story, view.head, path, tip), ...tellFinality(story, before.view, before.atMs, view, nowMs)];
}

/** Members that come and go, against what was told last. */
export function tellPeers(story: WatchStory, peers: readonly PeerView[]): WatchNews[] {
  const before = story.peers;
  story.peers = new Map(peers.map((peer) => [peer.name, peer]));
  if (!before) return peers.filter(({ seat }) => seat === 'in-force').flatMap(missingAtFirst);
  return peers.flatMap((peer) => changesOf(peer, before.get(peer.name)).map((change) => changed(peer.name, change)));
}

/** To be called every second. */
export function tellTime(story: WatchStory, nowMs: number): WatchNews[] {
  if (!story.last) return [];
  const { view, atMs } = story.last;
  if (nowMs - atMs > silenceMs) {
    if (story.isSilent) return [];
    story.isSilent = true;
    return [{ news: 'silent', device: view.device, forMs: nowMs - atMs }];
  }
  if (story.notFinalToldMs === undefined || nowMs - story.notFinalToldMs < toldAgainMs) return [];
  return [notFinal(story, view, nowMs)];
}

/** For how long no checkpoint has been certified that the device knows of. */
export function quietMs({ last }: WatchStory, nowMs: number): number {
  return last ? last.view.checkpoint.knownForMs + Math.max(0, nowMs - last.atMs) : 0;
}

function tellPath(story: WatchStory, head: BlockLine, path: readonly BlockLine[], tip: number): WatchNews[] {
  const news: WatchNews[] = [];
  const from = path[0]?.height ?? head.height + 1;
  if (from <= tip) news.push({ news: 'reorganised', from, blocks: tip - from + 1 });
  if (from > tip + 1) news.push({ news: 'skipped', from: tip + 1, to: from - 1 });
  for (const height of [...story.told.keys()]) if (height >= from) story.told.delete(height);
  for (const block of path) {
    remember(story, block);
    news.push({ news: 'block', block });
  }
  return news;
}

function tellFinality(story: WatchStory, before: HeadView, beforeMs: number, view: HeadView, nowMs: number): WatchNews[] {
  const news: WatchNews[] = [];
  if (view.checkpoint.number > before.checkpoint.number) {
    if (story.notFinalToldMs !== undefined)
      news.push({ news: 'final-again', afterMs: before.checkpoint.knownForMs + Math.max(0, nowMs - beforeMs) });
    story.notFinalToldMs = undefined;
    news.push({ news: 'final', checkpoint: view.checkpoint });
  }
  if (view.condition === before.condition) return news;
  if (view.condition === 'not-finalising') news.push(notFinal(story, view, nowMs));
  if (view.condition === 'behind') news.push({ news: 'behind' });
  if (view.condition === 'stopped') news.push({ news: 'stopped' });
  return [...news, ...comingLate(view.condition)];
}

/** Where a device has no part in the chain (§13.7). */
function comingLate(condition: HeadView['condition']): WatchNews[] {
  return condition === 'joining' || condition === 'other-checkpoint' || condition === 'away-too-long' ? [{ news: condition }] : [];
}

function notFinal(story: WatchStory, { voting, checkpoint }: HeadView, nowMs: number): WatchNews {
  story.notFinalToldMs = nowMs;
  return { news: 'not-final', forMs: quietMs(story, nowMs), voting, voters: checkpoint.voters };
}

function remember({ told }: WatchStory, { height, id }: BlockLine): void {
  told.set(height, hex(id));
  for (const lowest of told.keys()) if (told.size > toldMax) told.delete(lowest);
}

function missingAtFirst({ name, reach, voice }: PeerView): WatchNews[] {
  if (reach === 'lost') return [changed(name, 'lost')];
  return voice === 'silent' ? [changed(name, 'fell-silent')] : [];
}

function changed(name: string, change: MemberChange): WatchNews {
  return { news: 'member', name, change };
}

function changesOf({ standing, seat, reach, voice }: PeerView, before: PeerView | undefined): MemberChange[] {
  if (!before) return [standing];
  const changes: MemberChange[] = [];
  if (standing !== before.standing) changes.push(standing);
  if (seat !== before.seat) changes.push(seat === 'in-force' ? 'seated' : 'unseated');
  if (reach !== before.reach) changes.push(reach === 'lost' ? 'lost' : 'reached');
  if (voice === 'silent' && before.voice !== 'silent') changes.push('fell-silent');
  if (voice === 'votes' && before.voice === 'silent') changes.push('votes-again');
  return changes;
}
