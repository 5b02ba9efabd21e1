/** News of the chain as lines: for people, and as JSON for programs. */
import { BlockLine, CheckpointLine, HeadView } from '#protocol/chain/chain-view.ts';
import { encodeJson } from '#protocol/codec.ts';
import { counted } from '#protocol/counted.ts';
import { durationText, timeText, type Terminal } from '../terminal.ts';
import { quietMs, type MemberChange, type WatchNews, type WatchStory } from './watch-story.ts';
import { shortId, whyNotFinal } from './words.ts';

export function newsText(news: WatchNews, nowMs: number, { paint }: Pick<Terminal, 'paint'>): string {
  const time = paint('quiet', timeText(nowMs).slice(11, 19));
  const mark = (style: 'good' | 'bad' | 'warning', words: string): string => `${time}  ${paint(style, words)}`;
  switch (news.news) {
    case 'began': {
      const { device, head, checkpoint } = news.view;
      return `The chain as ${device} sees it: at height ${head.height}, final up to ${checkpoint.height} (checkpoint ${checkpoint.number}). Times are UTC; Ctrl-C ends.\nBelow a block: when the checkpoint that holds it was certified.`;
    }
    case 'block':
      return `${time}  ${blockText(news.block)}`;
    case 'skipped':
      return `${time}    heights ${news.from} to ${news.to} came too fast to be shown`;
    case 'reorganised':
      return mark('warning', `! reorganised from height ${news.from}: ${counted(news.blocks, 'block')} gave way to another branch`);
    case 'final':
      return mark('good', finalText(news.checkpoint));
    case 'not-final':
      return mark('bad', `! not final for ${durationText(news.forMs)}: ${whyNotFinal(news.voting, news.voters)}`);
    case 'final-again':
      return mark('good', `✔ final again, after ${durationText(news.afterMs)}`);
    case 'behind':
      return mark('warning', '! the device is behind the others and catches up');
    case 'joining':
      return mark('warning', '! the device fetches the checkpoint of its configuration, or of layer 1, from the others');
    case 'other-checkpoint':
      return mark('bad', '! the device takes no part: its chain contradicts the checkpoint of its configuration, or of layer 1');
    case 'away-too-long':
      return mark('bad', '! the device was away too long: it needs a checkpoint (`npm run chain -- head`)');
    case 'stopped':
      return mark('bad', '! the device has STOPPED: two certificates contradict each other');
    case 'member':
      return mark(isBad(news.change) ? 'warning' : 'good', memberText(news.name, news.change));
    case 'silent':
      return mark('bad', `! ${news.device} has been silent for ${durationText(news.forMs)}`);
    case 'heard-again':
      return mark('good', `${news.device} is heard again, after ${durationText(news.afterMs)}`);
  }
}

/** The line below the others, where the output is a terminal. */
export function liveText(story: WatchStory, nowMs: number): string {
  if (!story.last) return '';
  const { head, checkpoint, voting, condition } = story.last.view;
  const heights = `height ${head.height}, final up to ${checkpoint.height}`;
  if (condition !== 'not-finalising') return heights;
  return `${heights}; not final for ${durationText(quietMs(story, nowMs))}: ${whyNotFinal(voting, checkpoint.voters)}`;
}

export function newsJson(news: WatchNews): string {
  switch (news.news) {
    case 'began':
      return jsonOf(news.news, JSON.parse(encodeJson(HeadView, news.view)));
    case 'block':
      return jsonOf(news.news, JSON.parse(encodeJson(BlockLine, news.block)));
    case 'final':
      return jsonOf(news.news, JSON.parse(encodeJson(CheckpointLine, news.checkpoint)));
    default: {
      const { news: event, ...words } = news;
      return jsonOf(event, words);
    }
  }
}

function jsonOf(event: WatchNews['news'], words: unknown): string {
  return JSON.stringify({ event, ...(words as object) });
}

/** Below the line of its block, with the heights in one column. */
function finalText({ number, height, round, votes, voters, afterMs }: CheckpointLine): string {
  const later = round === undefined || round === 0 ? '' : `, in round ${round}`;
  const after = afterMs === undefined ? '' : ` after ${durationText(afterMs)}`;
  return `✔ final  ${String(height).padEnd(6)} checkpoint ${number}${after}, by ${votes ?? 0} of ${voters} votes${later}`;
}

function blockText({ height, id, leader, waitMs, transactions }: BlockLine): string {
  const wait = waitMs === undefined ? '' : `waited ${durationText(waitMs)}`;
  const content = transactions === 0 ? '' : counted(transactions, 'transaction');
  return `  height ${String(height).padEnd(6)} ${shortId(id)}  ${leader.padEnd(12)} ${wait.padEnd(14)} ${content}`.trimEnd();
}

function isBad(change: MemberChange): boolean {
  return change === 'lost' || change === 'fell-silent' || change === 'unseated' || change === 'left' || change === 'expelled';
}

function memberText(name: string, change: MemberChange): string {
  switch (change) {
    case 'reached':
      return `+ ${name} is reached again`;
    case 'lost':
      return `− ${name} is not reached`;
    case 'fell-silent':
      return `− ${name} is silent: its vote is missing`;
    case 'votes-again':
      return `+ ${name} takes part again`;
    case 'applicant':
      return `+ ${name} applies for membership`;
    case 'member':
      return `+ ${name} is a member; its seat comes with the next checkpoint`;
    case 'seated':
      return `+ ${name} has a seat`;
    case 'unseated':
      return `− ${name} has no seat any more`;
    case 'left':
      return `− ${name} has left`;
    case 'expelled':
      return `− ${name} was EXPELLED: it was proven to have contradicted itself`;
  }
}
