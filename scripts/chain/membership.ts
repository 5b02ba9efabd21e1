/** A command's conversation with the firmware of a device about membership, through its state folder. Specification §11.5. */
import { askAboutMembership } from '../../device/membership/ask.ts';
import type { MembershipAnswer, MembershipRequest } from '../../device/membership/requests.ts';
import { UsageError } from '../arguments.ts';
import { CommandFailure } from '../capsule/failure.ts';
import { openTerminal } from '../terminal.ts';

export const waitOption = { value: 'SECONDS', help: 'how long to wait for the last stage (default: 120)' } as const;

export interface MembershipTalk {
  /** State folder of the device. */
  readonly folder: string;
  readonly request: MembershipRequest;
  readonly until: MembershipAnswer['stage'];
  readonly wait: string | undefined;
  readonly words: (answer: MembershipAnswer) => string;
}

/** Prints each stage in a line. @returns the exit status: 0 when it came to the last stage. @throws CommandFailure */
export async function talkAboutMembership({ folder, request, until, wait, words }: MembershipTalk): Promise<0> {
  const terminal = openTerminal(process.stdout, process.env);
  const say = (answer: MembershipAnswer): void => {
    if (answer.stage !== 'refused')
      terminal.line(`${terminal.paint(answer.stage === until ? 'good' : 'quiet', answer.stage)}  ${words(answer)}`);
  };
  const isEnough = ({ stage }: MembershipAnswer): boolean => stage === until || stage === 'in-force';
  const last = await askAboutMembership(folder, { request, isEnough, onAnswer: say, waitMs: readWait(wait) });
  if (last?.stage === 'refused') throw new CommandFailure(1, `refused: ${last.reason ?? 'unknown'}: ${last.detail ?? ''}`);
  if (last && isEnough(last)) return 0;
  const why = last ? `it is "${last.stage}" so far` : 'the firmware there gives no answer: is it running?';
  throw new CommandFailure(1, `${why}; the device goes on trying for a day, and the same command shows how it stands`);
}

/** "in block 512", as far as it is known. */
export function blockWords({ height }: MembershipAnswer): string {
  return height === undefined ? 'in a block of the chain' : `in block ${height}`;
}

function readWait(word = '120'): number {
  if (!/^[1-9][0-9]{0,4}$/.test(word)) throw new UsageError(`--wait ${word}: give whole seconds, 1 to 99999`);
  return Number(word) * 1_000;
}
