/** `capsule status`: where a capsule stands. */
import { hasEnded } from '#protocol/capsule.ts';
import type { CapsuleLine } from '#protocol/client-messages.ts';
import { commandOf } from '../arguments.ts';
import { durationText, harmless, openTerminal, table, timeText } from '../terminal.ts';
import { chooseCapsule } from './chosen-capsule.ts';
import { endingText } from './ending.ts';
import { clientOption, defaultState, deviceOption, jsonOption, stateOption } from './options.ts';
import { withSession } from './session.ts';
import { printJson } from './view.ts';

export const status = commandOf(
  {
    name: 'status',
    summary: 'Shows where a capsule stands.',
    operands: ['ID'],
    options: { device: deviceOption, client: clientOption, state: stateOption, json: jsonOption },
    notes: 'ID may be the beginning of an id, for capsules that were submitted from here.',
  },
  async ({ operands: [id = ''], options }) => {
    const state = options.state ?? defaultState;
    const { capsule, profile } = await chooseCapsule(state, id, options);
    return withSession(state, profile, async ({ client }) => {
      const line = await client.status(capsule);
      if (options.json) printJson({ ...line, device: profile.device });
      else showLine(line, profile.device);
      return 0;
    });
  },
);

function showLine(line: CapsuleLine, device: string): void {
  const endedAtMs = line.endedAtMs ?? Date.now();
  const rows = [
    ['capsule', `${harmless(line.name)} (${line.capsule})`],
    ['device', device],
    ['state', hasEnded(line.state) ? endedText(line) : line.state],
    ...(line.finality === undefined ? [] : [['receipt', finalityWords[line.finality]]]),
    ['submitted', timeText(line.submittedAtMs)],
    [hasEnded(line.state) ? 'took' : 'since', durationText(Math.max(0, endedAtMs - line.submittedAtMs))],
  ];
  openTerminal(process.stdout, process.env).line(table(rows));
}

const finalityWords = {
  final: 'final: a checkpoint of the chain holds it, as the device says',
  'not-final': 'not final: no checkpoint of the chain holds it yet',
} as const;

/** The line has no exit status; the result has. */
function endedText({ state, reason }: CapsuleLine): string {
  return state === 'agreed' || reason === 'exit-status'
    ? `${state}; \`npm run capsule -- result\` fetches what it left`
    : endingText({ state, ...(reason === undefined ? {} : { reason }) });
}
