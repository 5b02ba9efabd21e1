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
  readonly waitMs: number;
}

/** @returns the last answer; undefined where the firmware gave none, so that it is not running. @throws Error in a sentence */
export async function askAboutMembership(stateFolder: string, asking: Asking): Promise<MembershipAnswer | undefined> {
  if (!existsSync(join(stateFolder, 'network.cbor')))
    throw new Error(`${stateFolder} is not the state folder of a device that was started`);
  const requests = new MembershipRequests(stateFolder);
  const id = requests.ask(asking.request);
  const giveUpAtMs = performance.now() + asking.waitMs;
  let last: MembershipAnswer | undefined;
  while (performance.now() < giveUpAtMs) {
    const answer = requests.answerTo(id);
    if (answer && JSON.stringify(answer) !== JSON.stringify(last)) asking.onAnswer((last = answer));
    if (last && (last.stage === 'refused' || asking.isEnough(last))) return last;
    await sleep(ANSWER_EVERY_MS);
  }
  return last;
}

const ANSWER_EVERY_MS = 200;
