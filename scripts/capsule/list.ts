/** `capsule list`: the capsules that devices remember of this client. */
import type { CapsuleLine } from '#protocol/client-messages.ts';
import { commandOf } from '../arguments.ts';
import { harmless, openTerminal, table, timeText, type Terminal } from '../terminal.ts';
import { clientOption, defaultState, jsonOption, stateOption } from './options.ts';
import { chooseProfile, readProfiles, type Profile, type ProfileChoice } from './profile.ts';
import { withSession } from './session.ts';
import { printJson } from './view.ts';

export const list = commandOf(
  {
    name: 'list',
    summary: 'Lists capsules, the newest first, at every device that this folder is paired with.',
    operands: [],
    options: { device: { value: 'NAME', help: 'only at this device' }, client: clientOption, state: stateOption, json: jsonOption },
  },
  async ({ options }) => {
    const state = options.state ?? defaultState;
    const answers = await Promise.allSettled((await chosenProfiles(state, options)).map((profile) => capsulesAt(state, profile)));
    const lines = answers
      .flatMap((answer) => (answer.status === 'fulfilled' ? answer.value : []))
      .sort((left, right) => right.submittedAtMs - left.submittedAtMs);
    const failures = answers.flatMap((answer) => (answer.status === 'rejected' ? [answer.reason as unknown] : []));
    if (failures.length === answers.length) throw failures[0];
    for (const failure of failures) process.stderr.write(`capsule: ${failure instanceof Error ? failure.message : String(failure)}\n`);
    if (options.json) printJson(lines);
    else showLines(lines);
    return failures.length === 0 ? 0 : 1;
  },
);

type PlacedLine = CapsuleLine & { readonly device: string };

async function chosenProfiles(state: string, choice: ProfileChoice): Promise<Profile[]> {
  if (choice.device !== undefined) return [await chooseProfile(state, choice)];
  const profiles = await readProfiles(state);
  return choice.client === undefined ? profiles : profiles.filter(({ client }) => client === choice.client);
}

function capsulesAt(state: string, profile: Profile): Promise<PlacedLine[]> {
  return withSession(state, profile, async ({ client }) => (await client.list()).map((line) => ({ ...line, device: profile.device })));
}

function showLines(lines: readonly PlacedLine[]): void {
  const terminal = openTerminal(process.stdout, process.env);
  if (lines.length === 0) return terminal.line('There are no capsules yet: npm run capsule -- submit FOLDER');
  const head = ['id', 'state', 'submitted', 'device', 'name'].map((word) => terminal.paint('quiet', word));
  const rows = lines.map((line) => [
    line.capsule.slice(0, 12),
    stateText(line, terminal),
    timeText(line.submittedAtMs),
    line.device,
    harmless(line.name),
  ]);
  terminal.line(table([head, ...rows]));
}

/** "agreed, not final": the chain may still give the capsule to another box. */
function stateText({ state, reason, finality }: CapsuleLine, { paint }: Pick<Terminal, 'paint'>): string {
  const words = reason === undefined ? state : `${state} (${reason})`;
  if (finality === undefined) return words;
  return finality === 'final' ? `${words}, final` : `${words}, ${paint('warning', 'not final')}`;
}
