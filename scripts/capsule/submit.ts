/** `capsule submit`: hands a capsule to a device, gives it the files and follows it to its result. */
import { counted } from '#protocol/counted.ts';
import { capsuleDigest, decodeManifest, encodeManifest, manifestFrom, type Manifest } from '#protocol/manifest.ts';
import { TRUST_LEVELS, type TrustLevel } from '#protocol/trust-level.ts';
import type { AcceptedCapsule } from '../client/client.ts';
import type { DeviceTrust } from '../client/device-trust.ts';
import type { News } from '../client/news.ts';
import type { OfferedBlob } from '../client/offers.ts';
import { commandOf, UsageError } from '../arguments.ts';
import { shellQuoted } from '../pair/paste-lines.ts';
import { bytesText, harmless } from '../terminal.ts';
import { collectFiles } from './capsule-files.ts';
import { keepRecord } from './capsule-folder.ts';
import { CommandFailure } from './failure.ts';
import { finish } from './finish.ts';
import { follow } from './follow.ts';
import { MANIFEST_KEYS, readManifestFile } from './manifest-file.ts';
import { clientOption, defaultState, deviceOption, stateOption } from './options.ts';
import { chooseProfile } from './profile.ts';
import { withSession, type Session } from './session.ts';
import { openView, type View } from './view.ts';
import { waitingHint } from './waiting-hint.ts';

export const submit = commandOf(
  {
    name: 'submit',
    summary: 'Runs a capsule: submits it, uploads its files, shows its log and fetches the result with its receipt.',
    operands: ['FOLDER|FILE'],
    options: {
      watch: { help: 'stay until the result is here (this is the default)' },
      trust: { value: 'LEVEL', help: `run it on a box of this level or a higher one: ${TRUST_LEVELS.join(', ')} (default: policy.trust)` },
      'no-wait': { help: 'leave when the device has the capsule and its files' },
      device: deviceOption,
      client: clientOption,
      state: stateOption,
      json: { help: 'print a line of JSON for each event' },
    },
    notes: `FILE is a capsule.yaml or capsule.json, FOLDER one that holds such a file. Its keys: ${MANIFEST_KEYS.join(', ')}.
Paths in it are relative to its folder, and nothing outside that folder is read.
Ctrl-C leaves the capsule running; a second one cancels it.
Exit status: 0 the program ended with 0 and the receipt holds; 1 it failed; 2 the command or the capsule is wrong.`,
  },
  async ({ operands: [file = ''], options }) => {
    if (options.watch && options['no-wait']) throw new UsageError('--watch and --no-wait contradict each other; give one of them');
    const { manifest, blobs } = await readCapsule(file, options.trust === undefined ? undefined : levelNamed(options.trust));
    const state = options.state ?? defaultState;
    const profile = await chooseProfile(state, options);
    const view = openView(options.json);
    const early = endWhenInterrupted(profile.device, state, view);
    return withSession(state, profile, (session) => run({ session, manifest, blobs, state, view, wait: !options['no-wait'], early }));
  },
);

interface Run {
  readonly session: Session;
  readonly manifest: Manifest;
  readonly blobs: readonly OfferedBlob[];
  readonly state: string;
  readonly view: View;
  readonly wait: boolean;
  readonly early: EarlyEnd;
}

async function readCapsule(file: string, trust: TrustLevel | undefined): Promise<Pick<Run, 'manifest' | 'blobs'>> {
  const manifestFile = await readManifestFile(file);
  const { files, blobs } = await collectFiles(manifestFile);
  const { policy, ...written } = manifestFile.written;
  const manifest = manifestFrom({ ...written, policy: { ...policy, ...(trust ? { trust } : {}) } }, files, Date.now());
  const decoded = decodeManifest(encodeManifest(manifest));
  if (decoded.status === 'malformed') throw new CommandFailure(2, `${manifestFile.path}: ${decoded.detail}`);
  return { manifest, blobs };
}

function levelNamed(word: string): TrustLevel {
  const level = TRUST_LEVELS.find((known) => known === word);
  if (level) return level;
  throw new UsageError(
    `--trust ${harmless(word)}: there is no such level; from the least to the highest they are ${TRUST_LEVELS.join(', ')}`,
  );
}

async function run({ session, manifest, blobs, state, view, wait, early }: Run): Promise<number> {
  const { client, profile } = session;
  warnOfDevice(await client.deviceTrust(), profile.device, view);
  const onUpload = (bytes: number, total: number): void => view.transferred('uploading', bytes, total);
  early.sending();
  const accepted = await client.submit({ manifest, blobs, onUpload });
  const { capsule } = accepted;
  const record = {
    capsule,
    device: profile.device,
    client: profile.client,
    name: manifest.name,
    submittedAtMs: accepted.acceptance.acceptedAtMs,
  };
  const folder = await keepRecord(state, record, encodeManifest(manifest), accepted.encodedAcceptance);
  tellAccepted(accepted, manifest, blobs, profile.device, view, folder);
  early.over();
  const hint = waitingHint(capsule, manifest, view);
  const show = (news: News): boolean => {
    hint.heard(news);
    return true;
  };
  const followed = await follow({ client, capsule, view, untilTaken: !wait, show }).finally(() => hint.stop());
  if (followed.status === 'ended') return finish(session, followed.result, state, undefined, view);
  if (!wait)
    view.explain(
      `The device has the capsule and its files.\n  npm run capsule -- logs ${capsule.slice(0, 12)} --follow\n  npm run capsule -- result ${capsule.slice(0, 12)}`,
    );
  return wait ? interruptedStatus : 0;
}

const interruptedStatus = 130; // as shells have it: 128 + SIGINT

/** Until the capsule is accepted, Ctrl-C ends the command at once. */
interface EarlyEnd {
  /** From now on the device may have the capsule. */
  readonly sending: () => void;
  /** From now on Ctrl-C means something else. */
  readonly over: () => void;
}

function endWhenInterrupted(device: string, state: string, view: View): EarlyEnd {
  const elsewhere = state === defaultState ? '' : ` --state ${shellQuoted(state)}`;
  let words = `Interrupted before anything was sent: device ${device} does not have the capsule.`;
  const end = (): void => {
    view.settle();
    view.explain(`\n${words}`);
    process.exit(interruptedStatus);
  };
  process.once('SIGINT', end);
  return {
    sending: () => {
      words = `Interrupted before device ${device} has answered: it may have taken the capsule all the same. Whether it has:\n  npm run capsule -- list --device ${device}${elsewhere}`;
    },
    over: () => void process.off('SIGINT', end),
  };
}

/** The receipt decides in the end; before any work is done, the person learns what speaks against it. */
function warnOfDevice(trust: DeviceTrust, device: string, view: View): void {
  if (trust.status === 'untrusted')
    view.warn(
      `device ${device} shows evidence that does not hold (${trust.reason}): ${harmless(trust.detail)}. Its receipt will not hold either.`,
    );
}

function tellAccepted(
  { capsule, acceptance, signature }: AcceptedCapsule,
  manifest: Manifest,
  blobs: readonly OfferedBlob[],
  device: string,
  view: View,
  folder: string,
): void {
  const size = bytesText(blobs.reduce((sum, { bytes }) => sum + bytes, 0));
  const files = `${counted(manifest.files.length, 'file')}, ${size}`;
  const digest = capsuleDigest(encodeManifest(manifest)).toHex();
  view.tell(
    `accepted ${capsule}  "${harmless(manifest.name)}" (${files}) by device ${device}${signature === 'checked' ? ', signature checked' : ''}`,
    {
      event: 'accepted',
      capsule,
      device,
      digest,
      acceptedAtMs: acceptance.acceptedAtMs,
      signature,
      folder,
    },
  );
}
