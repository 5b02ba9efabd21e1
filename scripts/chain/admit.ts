/** `chain admit`: brings the card of a newcomer before the network, by the firmware of a member. Specification §11.5. */
import { readFileSync, statSync } from 'node:fs';
import { join } from 'node:path';
import type { MembershipAnswer } from '../../device/membership/requests.ts';
import { LIMITS } from '#protocol/limits.ts';
import { commandOf } from '../arguments.ts';
import { CommandFailure } from '../capsule/failure.ts';
import { deviceFolder, folderOptions } from './device-folder.ts';
import { blockWords, talkAboutMembership, waitOption } from './membership.ts';

export const admit = commandOf(
  {
    name: 'admit',
    summary: 'Brings the card of a new device before the network, on the machine of a member.',
    operands: ['CARD'],
    options: { ...folderOptions, seated: { help: 'wait until it has its seat' }, wait: waitOption },
    notes:
      'CARD is the file that `node device/main.ts card --state DIR` has made at the new device, or a folder that holds card.cbor.\nMembers vouch by themselves for a device whose key they have activated and whose evidence they trust, so it must run.\nExit status: 0, 1 when it is refused or does not come to it in time, 2 for a wrong line.',
  },
  async ({ operands: [file = ''], options }) => {
    const [folder, card] = [deviceFolder(options), readCard(file)];
    const until = options.seated ? 'in-force' : 'final';
    return talkAboutMembership({ folder, request: { ask: 'admit', card }, until, wait: options.wait, words });
  },
);

function words(answer: MembershipAnswer): string {
  const { stage, member = 'the device', vouchedBy, needed, checkpoint } = answer;
  switch (stage) {
    case 'asked':
      return `the application of ${member} is said to the others`;
    case 'in-block':
      return `the application of ${member} stands ${blockWords(answer)}`;
    case 'final':
      return `${member} has applied, ${blockWords(answer)}, which is final; ${vouchedBy.length} of ${needed} members vouch for it${names(vouchedBy)}`;
    case 'in-force':
      return `${member} has its seat (checkpoint ${checkpoint})${names(vouchedBy)}; its draws count from the third epoch from now`;
    case 'refused':
      return '';
  }
}

function names(list: readonly string[]): string {
  return list.length === 0 ? '' : `: ${list.join(', ')}`;
}

function readCard(given: string): Uint8Array {
  const found = statSync(given, { throwIfNoEntry: false });
  const file = found?.isDirectory() ? join(given, 'card.cbor') : given;
  const card = statSync(file, { throwIfNoEntry: false });
  if (!card?.isFile())
    throw new CommandFailure(2, `there is no card ${file}; the new device makes it: node device/main.ts card --state DIR`);
  if (card.size > LIMITS.signedBytesMax)
    throw new CommandFailure(2, `${file} has ${card.size} bytes; a member card has at most ${LIMITS.signedBytesMax}`);
  return new Uint8Array(readFileSync(file));
}
