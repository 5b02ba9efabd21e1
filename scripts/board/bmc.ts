/** `npm run board -- bmc HOST [VERB]`: what a box's BMC says, and what it does when it is told. Specification §16.5. */
import { setTimeout as sleep } from 'node:timers/promises';
import { readPlain } from '#protocol/codec.ts';
import { struct, type Schema } from '#protocol/schema.ts';
import { ipmiFields, redfishFields } from '../../device/bmc/bmc-configuration.ts';
import { BmcFailed } from '../../device/bmc/bmc.ts';
import { openIpmiBox, openRedfishBox } from '../../device/bmc/open-box.ts';
import { UNIT_OF, type BoxHardware, type PowerVerb } from '../../device/board/ports.ts';
import { commandOf, nearestAdvice, UsageError, wholeNumber } from '../arguments.ts';
import { openTerminal, table } from '../terminal.ts';
import { BoardFailure } from './opened-board.ts';

const verbs = ['on', 'soft-off', 'hard-off', 'reset'] as const satisfies readonly PowerVerb[];
/** A BMC tells of a change within seconds; a system that ends takes longer. */
const followMs = 6_000;

interface BmcOptions {
  readonly user: string | undefined;
  readonly 'password-file': string | undefined;
  readonly 'cipher-suite': string | undefined;
  readonly authority: string | undefined;
  readonly fingerprint: string | undefined;
  readonly system: string | undefined;
}

export const bmc = commandOf(
  {
    name: 'bmc',
    summary: "Reads a box's management controller, or switches the box by it.",
    operands: ['HOST', '[VERB]'],
    options: {
      user: { value: 'NAME', help: 'at the BMC' },
      'password-file': { value: 'FILE', help: 'its first line is the password; nobody else may read it (chmod 600)' },
      'cipher-suite': { value: 'N', help: 'of IPMI: 17, or 3 (SHA-1) for an old BMC (default 17)' },
      authority: { value: 'FILE', help: "of Redfish: PEM file of those who vouch for the BMC's certificate" },
      fingerprint: { value: 'SHA256', help: "of Redfish: of the BMC's certificate, in place of an authority" },
      system: { value: 'ID', help: 'of Redfish: where the service has several systems' },
    },
    notes: `HOST is https://NAME for Redfish, else NAME or NAME:PORT for IPMI. VERB is ${verbs.join(', ')}; without one nothing is switched.`,
  },
  async ({ operands: [host = '', verb], options }) => {
    const chosen = verbs.find((one) => one === verb);
    if (verb !== undefined && chosen === undefined) throw new UsageError(`there is no verb "${verb}"; ${nearestAdvice(verb, verbs)}`);
    const box = await opened(host, options);
    try {
      await firstSense(box);
      return chosen === undefined ? await show(box) : await switchBox(box, chosen);
    } finally {
      await box.close();
    }
  },
);

async function opened(host: string, options: BmcOptions): Promise<BoxHardware> {
  const { user, 'password-file': passwordFile, authority, fingerprint, system, 'cipher-suite': suite } = options;
  const isRedfish = host.startsWith('https://');
  const [name, port] = /^(.*[^:]):(\d+)$/.exec(host)?.slice(1) ?? [host];
  const cipherSuite = suite === undefined ? undefined : wholeNumber('--cipher-suite', suite);
  const given = isRedfish
    ? { url: host, user, passwordFile, authority, fingerprint, system }
    : { host: name, ...(port !== undefined && { port: Number(port) }), user, passwordFile, cipherSuite };
  const stated = Object.fromEntries(Object.entries(given).filter(([, value]) => value !== undefined));
  try {
    return isRedfish
      ? await openRedfishBox(checked(struct(redfishFields), stated), process.cwd())
      : await openIpmiBox(checked(struct(ipmiFields), stated), process.cwd());
  } catch (error) {
    if (error instanceof BmcFailed) throw new BoardFailure(error.message, { cause: error });
    throw error;
  }
}

function checked<T>(schema: Schema<T>, given: object): T {
  const read = readPlain(schema, given);
  if (read.status === 'decoded') return read.value;
  throw new UsageError(
    read.detail
      .replace(/^message lacks the field "(.*)"$/, '$1 is missing')
      .replaceAll('message.', '')
      .replace('passwordFile', '--password-file')
      .replace(/^user\b/, '--user'),
  );
}

async function show(box: BoxHardware): Promise<number> {
  const readings = await box.sample();
  const terminal = openTerminal(process.stdout, process.env);
  const rows = readings.map(({ sensor, quantity, value, quality, detail }) => [
    sensor,
    quality === 'failed' ? terminal.paint('bad', 'failed') : `${value} ${UNIT_OF[quantity]}`.trim(),
    quality === 'good' ? '' : (detail ?? quality),
  ]);
  terminal.line(table([['state', box.powerState(), `by ${box.source}: ${box.verbs.join(', ')}`], ...rows]));
  return readings.some(({ quality }) => quality === 'failed') ? 1 : 0;
}

async function switchBox(box: BoxHardware, verb: PowerVerb): Promise<number> {
  const before = box.powerState();
  const outcome = await box.power(verb);
  if (outcome.status !== 'done') throw new BoardFailure(`not switched (${outcome.reason}): ${outcome.detail}`);
  for (const end = Date.now() + followMs; Date.now() < end && box.powerState() === before;) await sleep(50);
  process.stdout.write(`${verb} by ${box.source}; the box was ${before} and is ${box.powerState()}\n`);
  return 0;
}

async function firstSense(box: BoxHardware): Promise<void> {
  for (const end = Date.now() + followMs; Date.now() < end && box.powerState() === 'unknown';) await sleep(50);
}
