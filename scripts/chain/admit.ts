/** `chain admit`: brings the card of a newcomer before the network, by the firmware of a member. Specification §11.5. */
import { readFileSync, statSync } from 'node:fs';
import { join } from 'node:path';
import type { MembershipAnswer } from '../../device/membership/requests.ts';
import { decodeStrict } from '#protocol/codec.ts';
import { MemberCard } from '#protocol/enrolment.ts';
import { LIMITS } from '#protocol/limits.ts';
import { commandOf } from '../arguments.ts';
import { CommandFailure } from '../capsule/failure.ts';
import { FILE_KINDS, notWhatWasAsked } from '../capsule/foreign-file.ts';
import { deviceFolder, folderOptions } from './device-folder.ts';
import { blockWords, talkAboutMembership, waitOption } from './membership.ts';

export const admit = commandOf(
  {
    name: 'admit',
    summary: 'Brings the card of a new device before the network, on the machine of a member.',
    operands: ['CARD'],
    options: { ...folderOptions, seated: { help: 'wait until it has its seat' }, wait: waitOption },
    notes:
      'CARD is the file that `npx node device/main.ts card --state DIR` has made at the new device, or a folder that holds card.cbor.\nMembers vouch by themselves for a device whose key they have activated and whose evidence they trust, so it must run.\nExit status: 0, 1 when it is refused or does not come to it in time, 2 for a wrong line, 130 after Ctrl-C.',
  },
  async ({ operands: [file = ''], options }) => {
    const [folder, card] = [deviceFolder(options), readCard(file)];
    const until = options.seated ? 'in-force' : 'final';
    return talkAboutMembership({ folder, request: { ask: 'admit', card }, until, wait: options.wait, words });
  },
);

function words(answer: MembershipAnswer): string {
  const { stage, member = 'the device', vouchedBy, needed, checkpoint, reason, detail } = answer;
  const doubt = reason ? `; not this one (${reason}): ${detail ?? ''}` : '';
  switch (stage) {
    case 'asked':
      return `the application of ${member} is said to the others`;
    case 'in-block':
      return `the application of ${member} stands ${blockWords(answer)}`;
    case 'final':
      return `${member} has applied, ${blockWords(answer)}, which is final; ${vouchedBy.length} of ${needed} members vouch for it${names(vouchedBy)}${doubt}`;
    case 'in-force':
      return `${member} has its seat (as of checkpoint ${checkpoint})${seatWords(vouchedBy)}`;
    case 'refused':
      return '';
  }
}

/** Founders have nobody's word. */
function seatWords(vouchedBy: readonly string[]): string {
  if (vouchedBy.length === 0) return ', from the founding on: there is nothing to admit';
  return `${names(vouchedBy)} vouch for it; its draws count from the third epoch after the one in which it got the seat`;
}

function names(list: readonly string[]): string {
  return list.length === 0 ? '' : `: ${list.join(', ')}`;
}

function readCard(given: string): Uint8Array {
  const found = statSync(given, { throwIfNoEntry: false });
  const file = found?.isDirectory() ? join(given, 'card.cbor') : given;
  const card = statSync(file, { throwIfNoEntry: false });
  if (!card?.isFile()) throw new CommandFailure(2, `there is no card ${file}; ${FILE_KINDS['member card']}`);
  if (card.size > LIMITS.signedBytesMax)
    throw new CommandFailure(
      2,
      `${file} has ${card.size} bytes, and a member card at most ${LIMITS.signedBytesMax}; ${FILE_KINDS['member card']}`,
    );
  const content = new Uint8Array(readFileSync(file));
  if (decodeStrict(MemberCard, content, LIMITS.signedBytesMax).status === 'malformed')
    throw new CommandFailure(2, notWhatWasAsked(file, 'member card', content));
  return content;
}
