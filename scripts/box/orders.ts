/** `box on | off | hard-off | reset | cut-mains | restore-mains | fence | release BOX`: the operator's word, and what came of it. */
import { setTimeout as sleep } from 'node:timers/promises';
import type { ControlVerb } from '#protocol/control-messages.ts';
import { readBoard } from '../../device/board/board-file.ts';
import { readConfiguration } from '../../device/configuration.ts';
import type { DeskAnswer, DeskBox } from '../../device/control/desk-files.ts';
import { commandOf, type Command } from '../arguments.ts';
import { CommandFailure } from '../capsule/failure.ts';
import { jsonOption } from '../capsule/options.ts';
import { durationText, progressBar } from '../terminal.ts';
import { boxNotes, devicesIn, findBox, stateOption, type BoxHere } from './devices.ts';
import { askBox } from './show.ts';
import { noDevice, talking, type Talk } from './talk.ts';
import { nextWords, refusalText, standingText, unmovedText } from './words.ts';

interface Order {
  readonly name: string;
  readonly verb: ControlVerb;
  readonly summary: string;
  /** What the box is like once it has followed. */
  readonly isFollowed: (box: DeskBox) => boolean;
  /** `isFollowed` asks for its power. */
  readonly movesPower: boolean;
  /** How long it may take: hardware tells of a change within seconds, a system that shuts down takes longer. */
  readonly followMs: number;
}

type Followed = Pick<Order, 'isFollowed' | 'movesPower' | 'followMs'>;

const FOLLOW_MS = 6_000;
const SHUTDOWN_MS = 60_000;

const power = (wanted: 'on' | 'off', followMs = FOLLOW_MS): Followed => ({
  ...{ isFollowed: ({ standing }) => standing.power === wanted, movesPower: true, followMs },
});
const isFenced = (wanted: boolean): Followed => ({
  ...{ isFollowed: ({ standing }) => (standing.state === 'fenced') === wanted, movesPower: false, followMs: FOLLOW_MS },
});
const atOnce: Followed = { isFollowed: () => true, movesPower: false, followMs: 0 };

const ORDERS: readonly Order[] = [
  { name: 'on', verb: 'on', summary: 'Switches a box on.', ...power('on') },
  { name: 'off', verb: 'soft-off', summary: 'Asks its system to shut down, as the power button does.', ...power('off', SHUTDOWN_MS) },
  { name: 'hard-off', verb: 'hard-off', summary: 'Switches it off whatever it does.', ...power('off') },
  { name: 'reset', verb: 'reset', summary: 'Starts it anew.', ...power('on') },
  { name: 'cut-mains', verb: 'cut-mains', summary: 'Takes the mains from it, where there is a relay.', ...power('off') },
  { name: 'restore-mains', verb: 'restore-mains', summary: 'Gives them back.', ...atOnce },
  { name: 'fence', verb: 'fence', summary: 'Cuts it off from work, keys and network, until it is released.', ...isFenced(true) },
  { name: 'release', verb: 'release', summary: 'Lets a fenced or suspect box prove itself again.', ...isFenced(false) },
];

const FOLLOW_EVERY_MS = 250;

export const orders: readonly Command[] = ORDERS.map((order) =>
  commandOf(
    {
      name: order.name,
      summary: order.summary,
      operands: ['BOX'],
      options: { state: stateOption, json: jsonOption },
      notes: `${boxNotes}\nRuns that the box is at work on end with every order but on and release. Ctrl-C withdraws what no device has taken yet.`,
    },
    ({ operands: [word = ''], options }) => {
      const here = findBox(devicesIn(options.state), word);
      return talking((talk) => give(talk, here, order, options.json));
    },
  ),
);

async function give(talk: Talk, here: BoxHere, order: Order, isJson: boolean): Promise<number> {
  const { device, box } = here;
  const { name, verb } = order;
  const before = await askBox(talk, here);
  const words = await progressOf(here, order, before);
  const begunAtMs = performance.now();
  if (!talk.terminal.live && !isJson && words.longMs > 0) talk.terminal.line(words.first);
  const answer = (await talk.ask(device, { ask: 'order', box, verb }, words.live)) ?? noDevice(device);
  const tookMs = performance.now() - begunAtMs;
  const after = answer.outcome === 'done' ? await followed(talk, here, order, answer) : answer.boxes[0];
  const { outcome, reason, detail } = answer;
  const isDone = outcome === 'done' && !(after && isUnmoved(order, after));
  if (isJson) {
    const said = {
      device: device.name,
      box,
      verb,
      outcome,
      ...(reason === undefined ? {} : { reason }),
      ...(detail === undefined ? {} : { detail }),
    };
    talk.terminal.line(JSON.stringify({ ...said, ...(after ? { standing: after.standing } : {}) }, undefined, 2));
    return isDone ? 0 : 1;
  }
  if (outcome !== 'done') throw new CommandFailure(1, refusalText(box, name, answer));
  if (after && !isDone) throw new CommandFailure(1, unmovedText(name, after));
  talk.terminal.line(`${name} of ${box} is done (${durationText(tookMs)}).`);
  if (after) sayAfter(talk, order, after);
  return 0;
}

/** Its power is sensed, and not as it was ordered. What is fenced or released follows with its next evidence. */
function isUnmoved({ isFollowed, movesPower }: Order, box: DeskBox): boolean {
  return movesPower && box.standing.power !== 'unknown' && !isFollowed(box);
}

function sayAfter({ terminal }: Talk, { verb }: Order, box: DeskBox): void {
  terminal.line(standingText(box, terminal));
  const next = verb === 'cut-mains' ? `It comes back by: npm run box -- restore-mains ${box.box}` : nextWords(box);
  if (next !== undefined) terminal.line(next);
}

/** The box once it has followed, or as it is when that takes long. */
async function followed(
  talk: Talk,
  here: BoxHere,
  { name, isFollowed, movesPower, followMs }: Order,
  answer: DeskAnswer,
): Promise<DeskBox | undefined> {
  let [box] = answer.boxes;
  const mayFollow = (stands: DeskBox): boolean => !isFollowed(stands) && !(movesPower && stands.standing.power === 'unknown');
  for (const end = performance.now() + followMs; box && mayFollow(box) && performance.now() < end;) {
    talk.terminal.show(`  ${name} is done; waits for ${here.box} to follow`);
    await sleep(FOLLOW_EVERY_MS);
    const next = await talk.ask(here.device, { ask: 'box', box: here.box });
    if (!next) break;
    box = next.boxes[0] ?? box;
  }
  talk.terminal.settle();
  return box;
}

interface Progress {
  readonly longMs: number;
  readonly first: string;
  readonly live: (takenMs: number) => string;
}

/** A press is as long as the board says, and none is made where the box is off; a BMC takes its time. */
async function progressOf({ device, box }: BoxHere, { name, verb }: Order, { standing }: DeskBox): Promise<Progress> {
  const isWired = standing.source === 'wires' || standing.source === 'simulated';
  const longMs = isWired && verb === 'hard-off' && standing.power !== 'off' ? await longPressMs(device.folder) : 0;
  const what = `${name} of ${box}: device ${device.name}`;
  const first = `${what} holds the power button for ${durationText(longMs)}`;
  return {
    ...{ longMs, first },
    live: (takenMs) =>
      longMs > 0 ? `${progressBar(takenMs, longMs)}  holds the power button of ${box}` : `${what} is at it, ${durationText(takenMs)}`,
  };
}

async function longPressMs(folder: string): Promise<number> {
  const { definition } = await readBoard(readConfiguration(folder).board);
  return definition.press.longMs;
}
