/** `chain leave`: the device gives up its seat. Specification §11.5. */
import type { MembershipAnswer } from '../../device/membership/requests.ts';
import { commandOf } from '../arguments.ts';
import { CommandFailure } from '../capsule/failure.ts';
import { deviceFolder, folderOptions } from './device-folder.ts';
import { blockWords, talkAboutMembership, waitOption } from './membership.ts';

export const leave = commandOf(
  {
    name: 'leave',
    summary: 'Has a device on this machine give up its seat, for good: a chip comes into a network once.',
    operands: [],
    options: { ...folderOptions, yes: { help: 'do it: without this, nothing is done' }, wait: waitOption },
    notes:
      'Keep the device running until it says that it is in force: it still votes until then.\nExit status: 0, 1 when it is refused or does not come to it in time, 2 for a wrong line, 130 after Ctrl-C.',
  },
  async ({ options }) => {
    const folder = deviceFolder(options, true);
    if (!options.yes) throw new CommandFailure(2, `the device in ${folder} would leave for good; if that is meant, say --yes`);
    return talkAboutMembership({ folder, request: { ask: 'leave' }, until: 'in-force', wait: options.wait, words });
  },
);

function words(answer: MembershipAnswer): string {
  const { stage, member = 'the device', checkpoint } = answer;
  switch (stage) {
    case 'asked':
      return `${member} says to the others that it leaves`;
    case 'in-block':
      return `that ${member} leaves stands ${blockWords(answer)}; it votes until a checkpoint holds this`;
    case 'final':
    case 'in-force':
      return `${member} has left with checkpoint ${checkpoint}; it may be switched off`;
    case 'refused':
      return '';
  }
}
