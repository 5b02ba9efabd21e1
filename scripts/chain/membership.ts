/** A command's conversation with the firmware of a device about membership, through its state folder. Specification §11.5. */
import { askAboutMembership } from '../../device/membership/ask.ts';
import type { MembershipAnswer, MembershipRequest } from '../../device/membership/requests.ts';
import { UsageError } from '../arguments.ts';
import { CommandFailure } from '../capsule/failure.ts';
import { listenForInterrupts } from '../capsule/interrupt.ts';
import { durationText, openTerminal, type Terminal } from '../terminal.ts';

export const waitOption = { value: 'SECONDS', help: 'how long to wait for the last stage (default: 120)' } as const;

export interface MembershipTalk {
  /** State folder of the device. */
  readonly folder: string;
  readonly request: MembershipRequest;
  readonly until: MembershipAnswer['stage'];
  readonly wait: string | undefined;
  readonly words: (answer: MembershipAnswer) => string;
}

/** Prints each stage in a line. @returns the exit status: 0 when it came to the last stage, 130 for Ctrl-C. @throws CommandFailure */
export async function talkAboutMembership({ folder, request, until, wait, words }: MembershipTalk): Promise<number> {
  const waitMs = readWait(wait);
  const terminal = openTerminal(process.stdout, process.env);
  const interrupts = listenForInterrupts();
  const stopping = new AbortController();
  void interrupts.next().then(() => stopping.abort());
  const isEnough = ({ stage }: MembershipAnswer): boolean => stage === until || stage === 'in-force';
  const say = (answer: MembershipAnswer): void => {
    if (answer.stage !== 'refused')
      terminal.line(`${terminal.paint(isEnough(answer) ? 'good' : 'quiet', answer.stage.padEnd(8))}  ${words(answer)}`);
  };
  const onQuiet = quietTeller(terminal, folder);
  try {
    const last = await askAboutMembership(folder, { request, isEnough, onAnswer: say, onQuiet, waitMs, signal: stopping.signal });
    return statusOf(last, folder, { isEnough, isInterrupted: stopping.signal.aborted, say: (line) => terminal.line(line) });
  } finally {
    terminal.settle();
    interrupts.stop();
  }
}

interface Ending {
  readonly isEnough: (answer: MembershipAnswer) => boolean;
  readonly isInterrupted: boolean;
  readonly say: (line: string) => void;
}

function statusOf(last: MembershipAnswer | undefined, folder: string, { isEnough, isInterrupted, say }: Ending): number {
  if (last?.stage === 'refused') throw new CommandFailure(1, refusalText(last));
  if (last && isEnough(last)) return 0;
  const goesOn = 'the device goes on trying for a day, and the same command shows how it stands';
  if (isInterrupted) {
    say(last ? `Not waited for any longer; ${goesOn}.` : 'Withdrawn: no device has taken it.');
    return interruptedStatus;
  }
  if (last) throw new CommandFailure(1, `it is "${last.stage}" so far, and waits for ${waitsFor(last, folder)}; ${goesOn}`);
  throw new CommandFailure(
    1,
    `the firmware of ${folder} does not answer: is it running? Nothing was asked of the network; start the device and try again`,
  );
}

/** On a terminal a live line; elsewhere a line when it takes long, and again each half minute. */
function quietTeller(terminal: Terminal, folder: string): (quietMs: number, last: MembershipAnswer | undefined) => void {
  let toldMs = 0;
  return (quietMs, last) => {
    if (quietMs < toldMs) toldMs = 0;
    if (quietMs < quietMinMs) return;
    const text = `waits for ${waitsFor(last, folder)} (${durationText(Math.floor(quietMs / 1_000) * 1_000)}; Ctrl-C ends the waiting)`;
    if (terminal.live) return terminal.show(text);
    if (toldMs > 0 && quietMs - toldMs < toldAgainMs) return;
    toldMs = quietMs;
    terminal.line(text);
  };
}

function waitsFor(last: MembershipAnswer | undefined, folder: string): string {
  if (!last) return `the firmware of ${folder}, which must be running`;
  switch (last.stage) {
    case 'asked':
      return 'a block that holds it';
    case 'in-block':
      return 'a checkpoint above its block: `npm run chain -- peers` shows whether enough seats vote';
    case 'final':
      if (last.vouchedBy.length >= last.needed) return 'its seat, which comes with the next checkpoint';
      return `the word of ${last.needed} members, ${last.reason ? `of which this one hesitates (${last.reason})` : 'which takes the new device running and reached'}; ${last.vouchedBy.length} have given it`;
    case 'in-force':
    case 'refused':
      return 'nothing';
  }
}

function refusalText({ reason = 'unknown', member = 'the device of this card', detail = '' }: MembershipAnswer): string {
  if (reason === 'node-known')
    return `refused (${reason}): ${member} has applied before, is a member with another card, has left or was expelled; \`npm run chain -- peers\` shows which. A chip comes into a network once`;
  return `refused (${reason}): ${detail}`;
}

/** "in block 512", as far as it is known. */
export function blockWords({ height }: MembershipAnswer): string {
  return height === undefined ? 'in a block of the chain' : `in block ${height}`;
}

function readWait(word = '120'): number {
  if (!/^[1-9][0-9]{0,4}$/.test(word)) throw new UsageError(`--wait ${word}: give whole seconds, 1 to 99999`);
  return Number(word) * 1_000;
}

const quietMinMs = 3_000;
const toldAgainMs = 30_000;
const interruptedStatus = 130; // as shells have it: 128 + SIGINT
