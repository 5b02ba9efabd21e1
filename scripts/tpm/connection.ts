/** Which TPM a command looks at: one that is named, that of a device in a state folder, or a throw-away software TPM. */
import { mkdtemp, readdir, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import process from 'node:process';

import { startSoftwareTpm } from '../../device/tpm/swtpm.ts';
import { openTpm, type Tpm } from '../../device/tpm/tpm.ts';
import { UsageError, type OptionValues } from '../arguments.ts';

export const connectionOptions = {
  tcti: { value: 'STRING', help: 'the TPM, as tpm2-tss names it: device:/dev/tpmrm0, swtpm:path=… (default: CAPSTAN_TCTI)' },
  state: { value: 'DIR', help: 'state folder of Capstan: the TPM of a device that runs there' },
  device: { value: 'NAME', help: 'which device of the state folder (default: the first)' },
  software: { help: 'a software TPM that is thrown away afterwards' },
  json: { help: 'print JSON for programs' },
} as const;

export type ConnectionOptions = Pick<OptionValues<typeof connectionOptions>, 'tcti' | 'state' | 'device' | 'software'>;

/** Whose TPM it is: where a device's, its name and state folder. */
export type Owner = { readonly device: string; readonly state: string } | undefined;

/** Runs `work` with the TPM that the options name. @throws UsageError where they name none */
export async function withTpm<T>(options: ConnectionOptions, work: (tpm: Tpm, owner: Owner) => Promise<T>): Promise<T> {
  if (options.software) return withSoftwareTpm((tpm) => work(tpm, undefined));
  if (options.tcti !== undefined || options.state === undefined) return withConnection(namedTcti(options), (tpm) => work(tpm, undefined));
  const { state, device = await firstDevice(state) } = options;
  return withConnection(await tctiOfDevice(state, device), (tpm) => work(tpm, { device, state }));
}

async function withConnection<T>(tcti: string, work: (tpm: Tpm) => Promise<T>): Promise<T> {
  const tpm = await openTpm(tcti);
  try {
    return await work(tpm);
  } finally {
    await tpm.close();
  }
}

async function withSoftwareTpm<T>(work: (tpm: Tpm) => Promise<T>): Promise<T> {
  const folder = await mkdtemp(join(tmpdir(), 'capstan-tpm-'));
  try {
    const software = await startSoftwareTpm({ folder });
    return await withConnection(software.tcti, work).finally(() => software.stop());
  } finally {
    await rm(folder, { recursive: true, force: true });
  }
}

function namedTcti({ tcti }: ConnectionOptions): string {
  const named = tcti ?? process.env['CAPSTAN_TCTI'];
  if (named !== undefined && named !== '') return named;
  throw new UsageError(
    'say which TPM: --tcti device:/dev/tpmrm0 for the chip of this machine, --state DIR for the one of a running device, or --software for one to play with',
  );
}

async function firstDevice(state: string): Promise<string> {
  const [name] = await deviceNames(state);
  if (name === undefined) throw new UsageError(`there are no devices in ${state}; npm start makes some`);
  return name;
}

async function deviceNames(state: string): Promise<string[]> {
  return (await readdir(join(state, 'devices')).catch(() => [] as string[])).sort();
}

async function tctiOfDevice(state: string, device: string): Promise<string> {
  const file = join(state, 'devices', device, 'tpm', 'tcti');
  try {
    return (await readFile(file, 'utf8')).trim();
  } catch (cause) {
    const known = await deviceNames(state);
    const advice = known.includes(device) ? 'is it running?' : `its devices are ${known.join(', ') || 'none'}`;
    throw new UsageError(`the device ${device} of ${state} shows no TPM (${file} can't be read); ${advice}`, { cause });
  }
}
