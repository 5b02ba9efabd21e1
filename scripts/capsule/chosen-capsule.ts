/** Which capsule and whose connection a person means by an id, or its beginning. */
import { readPlain } from '#protocol/codec.ts';
import { CapsuleId } from '#protocol/capsule.ts';
import { keptCapsules, readRecord } from './capsule-folder.ts';
import { CommandFailure } from './failure.ts';
import { chooseProfile, type Profile, type ProfileChoice } from './profile.ts';

export interface ChosenCapsule {
  readonly capsule: string;
  readonly profile: Profile;
}

/** Whole ids are taken as they are; beginnings must be of one capsule that was submitted from here. @throws CommandFailure */
export async function chooseCapsule(state: string, given: string, choice: ProfileChoice): Promise<ChosenCapsule> {
  const capsule = await wholeId(state, given);
  const record = await readRecord(state, capsule);
  const profile = await chooseProfile(state, { device: choice.device ?? record?.device, client: choice.client ?? record?.client });
  return { capsule, profile };
}

/** @throws CommandFailure */
export async function wholeId(state: string, given: string): Promise<string> {
  const word = given.toLowerCase();
  if (readPlain(CapsuleId, word).status === 'decoded') return word;
  if (!/^[0-9a-f]{1,31}$/.test(word))
    throw new CommandFailure(2, `"${given}" is not a capsule's id: an id has 32 hexadecimal digits, of which the first few are enough`);
  const fitting = (await keptCapsules(state)).filter((id) => id.startsWith(word));
  const [only] = fitting;
  if (only === undefined)
    throw new CommandFailure(
      2,
      `no capsule submitted from ${state} has an id that begins with ${word}; \`npm run capsule -- list\` shows them`,
    );
  if (fitting.length > 1)
    throw new CommandFailure(
      2,
      `${fitting.length} capsules have ids that begin with ${word}: ${fitting
        .slice(0, 5)
        .map((id) => id.slice(0, 12))
        .join(', ')}; write more digits`,
    );
  return only;
}
