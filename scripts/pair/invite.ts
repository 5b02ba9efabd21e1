/** `pair invite client|box NAME`: an invitation to be carried to another machine. */
import { inviteHolder } from '../../device/pairing/invite.ts';
import { formatInvitation } from '#protocol/pairing.ts';
import { commandOf } from '../arguments.ts';
import { timeText } from '../terminal.ts';
import { chooseDevice, defaultState, deviceOption, kindOf, stateOption } from './device-folder.ts';

export const invite = commandOf(
  {
    name: 'invite',
    summary: 'Prints an invitation for a client or a box on another machine.',
    operands: ['client|box', 'NAME'],
    options: { state: stateOption, device: deviceOption },
    notes:
      'Whoever has the invitation can use it, once: carry it over a channel that you trust. On the other machine, npm run pair -- join reads it.',
  },
  async ({ operands: [word, name = ''], options }) => {
    const kind = kindOf(word);
    const device = chooseDevice(options.state ?? defaultState, options.device);
    const invitation = await inviteHolder(device.folder, kind, name);
    process.stderr.write(
      `Invitation for the ${kind} ${name} to device ${device.name}, valid once until ${timeText(invitation.expiresAtMs)}:\n`,
    );
    process.stdout.write(`${formatInvitation(invitation)}\n`);
    return 0;
  },
);
