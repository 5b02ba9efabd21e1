/**
 * The program ipmitool: one run, one command, one session of IPMI 2.0. Its owner: nobody else starts it. Specification §16.5.
 *
 * The password goes by a file, which ipmitool reads itself, so that neither arguments nor environment hold it. What the
 * program says under -v tells a refused password from a BMC that is not there.
 */
import { spawn } from 'node:child_process';
import { env } from 'node:process';
import { harmless } from '#protocol/schema.ts';
import { withoutDescriptors } from '../own-descriptors.ts';
import { BmcFailed } from './bmc.ts';
import { BMC_LIMITS } from './limits.ts';

/** 17: HMAC-SHA256 and AES-128; 3: HMAC-SHA1 and AES-128. The others authenticate nothing, or by MD5. */
export type CipherSuite = 3 | 17;

export interface IpmiAccess {
  readonly host: string;
  readonly port: number;
  readonly user: string;
  /** An absolute path. */
  readonly passwordFile: string;
  readonly cipherSuite: CipherSuite;
}

export interface IpmiCommand {
  readonly words: readonly string[];
  readonly timeoutMs: number;
  /** Ends it early, by its reason. */
  readonly overtaken?: AbortSignal | undefined;
  /** Which program plays ipmitool; tests alone say another. */
  readonly program?: string | undefined;
}

const RESEND_SECONDS = 1;
const RETRIES = 3;
const COMPLAINT_CHARACTERS_MAX = 300;

/** @returns what it printed. @throws BmcFailed, or the reason of `overtaken` */
export async function runIpmitool(access: IpmiAccess, { words, timeoutMs, overtaken, program = 'ipmitool' }: IpmiCommand): Promise<string> {
  overtaken?.throwIfAborted();
  const started = withoutDescriptors([program, ...argumentsOf(access), ...words]);
  const child = spawn(started.program, started.words, {
    stdio: ['ignore', 'pipe', 'pipe'],
    env: { PATH: env['PATH'] ?? '/usr/bin:/bin', LC_ALL: 'C' },
  });
  const { promise: ended, resolve } = Promise.withResolvers<number | Error>();
  child.once('error', resolve);
  child.once('close', (code) => resolve(code ?? -1));
  const stop = (): void => {
    child.kill('SIGKILL');
    // A grandchild may hold the pipes open; nobody waits for it.
    child.stdout.destroy();
    child.stderr.destroy();
  };
  const printed = hear(child.stdout, stop);
  const complaint = hear(child.stderr, stop);
  const late = new AbortController();
  const timer = setTimeout(() => {
    late.abort();
    stop();
  }, timeoutMs);
  overtaken?.addEventListener('abort', stop, { once: true });
  const end = await ended;
  clearTimeout(timer);
  overtaken?.removeEventListener('abort', stop);
  overtaken?.throwIfAborted();
  if (late.signal.aborted)
    throw new BmcFailed('no-answer', `the BMC at ${placeOf(access)} did not answer "${words.join(' ')}" within ${timeoutMs / 1_000} s`);
  if (end instanceof Error) throw new BmcFailed('hardware', `ipmitool can't be run: ${end.message}`);
  if (printed.isTooMuch() || complaint.isTooMuch())
    throw new BmcFailed(
      'hardware',
      `the BMC at ${placeOf(access)} gave more than ${BMC_LIMITS.outputBytesMax} bytes for "${words.join(' ')}"`,
    );
  if (end !== 0) throw failureOf(access, words, end, complaint.text());
  return printed.text();
}

function argumentsOf({ host, port, user, passwordFile, cipherSuite }: IpmiAccess): string[] {
  const way = ['-I', 'lanplus', '-C', String(cipherSuite), '-L', 'OPERATOR', '-N', String(RESEND_SECONDS), '-R', String(RETRIES)];
  return [...way, '-H', host, '-p', String(port), '-U', user, '-f', passwordFile, '-v'];
}

function placeOf({ host, port }: IpmiAccess): string {
  return `${host}:${port}`;
}

interface Heard {
  text(): string;
  isTooMuch(): boolean;
}

function hear(stream: NodeJS.ReadableStream, stop: () => void): Heard {
  const chunks: Buffer[] = [];
  let length = 0;
  stream.on('data', (chunk: Buffer) => {
    length += chunk.length;
    if (length > BMC_LIMITS.outputBytesMax) stop();
    else chunks.push(chunk);
  });
  stream.on('error', () => undefined);
  return { text: () => Buffer.concat(chunks).toString('utf8'), isTooMuch: () => length > BMC_LIMITS.outputBytesMax };
}

const NOT_FOUND = 127;

/** What it says under -v about its own probing at the begin of each session, which a BMC may refuse. */
const NOISE = /^(Loading IANA|Get HPM\.x|Running Get|Invalid completion code received|Discovered IPMB)/;

/** What ipmitool 1.8.18 and 1.8.19 say, and what it means. */
const MEANINGS: readonly (readonly [RegExp, (access: IpmiAccess) => BmcFailed])[] = [
  [
    /RAKP 2 HMAC is invalid|RAKP 4 message indicates an error|Invalid integrity check value/i,
    ({ user, passwordFile }) => noAccess(`refuses the password of "${user}"; write the right one into ${passwordFile}`),
  ],
  [/unauthorized name/i, ({ user }) => noAccess(`has no user "${user}" with the privilege OPERATOR; name one that may switch power`)],
  [
    /unauthorized role|invalid role|Insufficient privilege/i,
    ({ user }) => noAccess(`does not let "${user}" switch; give it the privilege OPERATOR`),
  ],
  [
    /invalid (authentication|integrity|confidentiality) algorithm|no matching cipher suite|illegal parameter/i,
    ({ cipherSuite }) =>
      noAccess(
        cipherSuite === 17
          ? 'does not offer cipher suite 17; update it, or accept SHA-1 by "cipherSuite": 3 in configuration.json'
          : `does not offer cipher suite ${cipherSuite}; use 17`,
      ),
  ],
  [/password file/i, ({ passwordFile }) => noAccess(`was not asked: ipmitool can't read ${passwordFile}`)],
  [
    /insufficient resources|no (free )?session|Close Session/i,
    () => new BmcFailed('no-answer', 'has no free session; end others, or wait a minute'),
  ],
  [
    /Get Auth Capabilities error|Address lookup|Could not open socket|Unable to establish|no response|timeout/i,
    () => new BmcFailed('no-answer', 'does not answer; is IPMI over LAN switched on there?'),
  ],
];

function noAccess(message: string): BmcFailed {
  return new BmcFailed('no-access', message);
}

function failureOf(access: IpmiAccess, words: readonly string[], code: number, complaint: string): BmcFailed {
  if (code === NOT_FOUND) return new BmcFailed('hardware', 'the program ipmitool is missing; on Debian: sudo apt install ipmitool');
  const said = complaint
    .split('\n')
    .filter((line) => line.trim() !== '' && !NOISE.test(line))
    .join('; ');
  const meaning = MEANINGS.find(([pattern]) => pattern.test(said))?.[1](access);
  const detail = `"${words.join(' ')}" ended with status ${code}: ${harmless(said, COMPLAINT_CHARACTERS_MAX) || 'without a word'}`;
  return meaning
    ? new BmcFailed(meaning.reason, `the BMC at ${placeOf(access)} ${meaning.message} (${detail})`)
    : new BmcFailed('hardware', `the BMC at ${placeOf(access)}: ${detail}`);
}
