/**
 * Whether the boxes of a grid come on: asked of their devices (Specification §17.7), because a log says what happened and not what is.
 */
import { setTimeout as sleep } from 'node:timers/promises';
import { askDesk } from '../../device/control/ask-desk.ts';
import { ORDERED_OFF } from '../../device/control/box-state.ts';
import type { DeskBox } from '../../device/control/desk-files.ts';
import { nextWords } from '../box/words.ts';
import { harmless } from '../terminal.ts';

export interface AwaitedBox {
  readonly box: string;
  /** The state folder of its device. */
  readonly folder: string;
}

/** `held`: somebody or something has to end what keeps it away. `late`: it did not come on in time. */
export interface BoxComing {
  readonly box: string;
  readonly status: 'on' | 'held' | 'late';
  /** Where it stands, and what leads on from there. */
  readonly words: string;
}

const ASK_EVERY_MS = 250;

/** Ends for each box when it is on, when it can't come on by itself, or when `waitMs` have passed. */
export function untilBoxesStand(boxes: readonly AwaitedBox[], waitMs: number): Promise<BoxComing[]> {
  const endMs = performance.now() + waitMs;
  return Promise.all(boxes.map((awaited) => untilStands(awaited, endMs)));
}

async function untilStands({ box, folder }: AwaitedBox, endMs: number): Promise<BoxComing> {
  let words = `the device of ${box} does not answer`;
  do {
    const asked = await askDesk(folder, {
      request: { ask: 'box', box },
      signal: AbortSignal.timeout(Math.max(0, Math.ceil(endMs - performance.now()))),
    });
    const shown = asked.status === 'answered' ? asked.answer.boxes[0] : undefined;
    if (shown) {
      words = wordsOf(shown);
      const status = judgeComing(shown);
      if (status !== 'coming') return { box, status, words };
    }
    await sleep(ASK_EVERY_MS);
  } while (performance.now() < endMs);
  return { box, status: 'late', words };
}

/** A box whose evidence is accepted has said hello, and believes its device. */
function judgeComing({ standing: { state, cause }, released, against }: DeskBox): 'on' | 'held' | 'coming' {
  switch (state) {
    case 'ready':
    case 'working':
      return 'on';
    case 'fenced':
      return released && against.length === 0 ? 'coming' : 'held';
    case 'suspect':
      return against.length === 0 ? 'coming' : 'held';
    case 'off':
      return cause === ORDERED_OFF ? 'held' : 'coming';
    case 'booting':
    case 'attesting':
      return 'coming';
  }
}

function wordsOf(shown: DeskBox): string {
  const { box, standing, problem } = shown;
  const why = harmless(problem === undefined ? standing.detail : `${standing.detail}; ${problem}`);
  return [`${box} is ${standing.state} (${standing.cause}: ${why})`, nextWords(shown)].filter(Boolean).join('. ');
}
