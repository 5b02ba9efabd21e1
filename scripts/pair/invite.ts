/** `pair invite client|box NAME`: an invitation to be carried to another machine. */
import { writeFileSync } from 'node:fs';
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
    options: {
      state: stateOption,
      device: deviceOption,
      out: { value: 'FILE', help: 'write it into a new file that nobody else can read, instead of printing it' },
    },
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
    const line = `${formatInvitation(invitation)}\n`;
    if (options.out === undefined) process.stdout.write(line);
    else writeFileSync(options.out, line, { mode: 0o600, flag: 'wx' });
    return 0;
  },
);
