/** `pair join`: uses an invitation that was made on the device's machine. It is read from a file or from the input, never from the command line, which every process of the machine can see. */
import { readFile } from 'node:fs/promises';
import { join as joinPath } from 'node:path';
import { text as readStream } from 'node:stream/consumers';
import { parseInvitation, type Invitation } from '#protocol/pairing.ts';
import { commandOf } from '../arguments.ts';
import { openTerminal } from '../terminal.ts';
import { defaultState, outOption, PairFailure, stateOption } from './device-folder.ts';
import { pairInto } from './holder.ts';

export const join = commandOf(
  {
    name: 'join',
    summary: 'Uses an invitation: makes keys here and fetches the certificate from the device.',
    operands: [],
    options: {
      'invitation-file': { value: 'FILE', help: 'file with the invitation; - or nothing: paste it' },
      state: stateOption,
      out: outOption,
    },
  },
  async ({ options }) => {
    const file = options['invitation-file'] ?? '-';
    if (file === '-' && process.stdin.isTTY) process.stderr.write('Paste the invitation, then press Enter and Ctrl-D:\n');
    const invitation = readInvitation(file === '-' ? await readStream(process.stdin) : await readFile(file, 'utf8'));
    const folder = options.out ?? folderFor(options.state ?? defaultState, invitation);
    await pairInto(folder, invitation);
    const terminal = openTerminal(process.stdout, process.env);
    terminal.line(
      `${terminal.paint('good', `The ${invitation.kind} ${invitation.name} is paired`)} with device ${invitation.device}: ${folder}`,
    );
    return 0;
  },
);

/** The last line that isn't empty: npm writes a banner above what a program prints. */
function readInvitation(text: string): Invitation {
  const line = text.split('\n').findLast((candidate) => candidate.trim() !== '') ?? '';
  const decoded = parseInvitation(line.trim());
  if (decoded.status === 'malformed') throw new PairFailure(`this is no invitation: ${decoded.detail}`);
  if (decoded.value.expiresAtMs <= Date.now())
    throw new PairFailure('the invitation has expired; have a new one made with npm run pair -- invite');
  return decoded.value;
}

function folderFor(state: string, { kind, device, name }: Invitation): string {
  return kind === 'client' ? joinPath(state, 'clients', device, name) : joinPath(state, 'boxes', name);
}
