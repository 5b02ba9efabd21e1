/** Asks the firmware of a device about membership from its state folder, in a process of its own beside it. Specification §11.5. */
import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { MembershipRequests, type MembershipAnswer, type MembershipRequest } from './requests.ts';

export interface Asking {
  readonly request: MembershipRequest;
  /** Ends the waiting. */
  readonly isEnough: (answer: MembershipAnswer) => boolean;
  /** Each answer that differs from the one before. */
  readonly onAnswer: (answer: MembershipAnswer) => void;
  /** Called again and again while there is nothing new. @param quietMs since the last answer, or since it was asked */
  readonly onQuiet?: (quietMs: number, last: MembershipAnswer | undefined) => void;
  readonly waitMs: number;
  /** Ends the waiting as well. */
  readonly signal?: AbortSignal;
}

/**
 * What no firmware has taken when the waiting ends is withdrawn: a device that is started later does not act on it.
 * @returns the last answer; undefined where the firmware gave none, so that it is not running. @throws Error in a sentence
 */
export async function askAboutMembership(stateFolder: string, asking: Asking): Promise<MembershipAnswer | undefined> {
  if (!existsSync(join(stateFolder, 'network.cbor')))
    throw new Error(`${stateFolder} is not the state folder of a device that was started`);
  const requests = new MembershipRequests(stateFolder);
  const id = requests.ask(asking.request);
  const beganAtMs = performance.now();
  let last: MembershipAnswer | undefined;
  let heardAtMs = beganAtMs;
  while (performance.now() - beganAtMs < (last ? asking.waitMs : Math.min(asking.waitMs, FIRST_ANSWER_MAX_MS)) && !isAborted(asking)) {
    const answer = requests.answerTo(id);
    if (answer && JSON.stringify(answer) !== JSON.stringify(last)) {
      heardAtMs = performance.now();
      asking.onAnswer((last = answer));
    }
    if (last && (last.stage === 'refused' || asking.isEnough(last))) return last;
    asking.onQuiet?.(performance.now() - heardAtMs, last);
    await sleep(ANSWER_EVERY_MS);
  }
  if (!last) requests.settle(id);
  return last;
}

function isAborted({ signal }: Asking): boolean {
  return signal?.aborted === true;
}

const ANSWER_EVERY_MS = 200;
/** A device that runs looks every 3 s, even where its chain stands still; one that was just started takes some seconds more. */
const FIRST_ANSWER_MAX_MS = 15_000;
