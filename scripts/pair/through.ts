/** The broker of somebody else through which a box reaches its device, as `pair join` is told of it and `pair open` tells of it. Specification §5.7. */
import { resolve } from 'node:path';
import { formatPairingCode, formatWindowAddress, type PairingCode, type WindowAddress } from '#protocol/pairing-code.ts';
import { objectionToOtherBroker, plainFingerprint } from '#protocol/relay/other-broker.ts';
import type { DeviceConfiguration } from '../../device/configuration.ts';
import type { Through } from '../../hpc-agent/holder-files.ts';
import { UsageError, type OptionValues } from '../arguments.ts';

export const throughOptions = {
  authority: { value: 'FILE', help: 'of a broker in between: a PEM file of those who vouch for its certificate' },
  fingerprint: { value: 'SHA256', help: 'or the SHA-256 of its certificate' },
  user: { value: 'NAME', help: 'the user of this box there, if it asks for one' },
  'password-file': { value: 'FILE', help: "that user's password, in the first line of a file that nobody else may read (chmod 600)" },
  certificate: { value: 'FILE', help: 'or a certificate of this box there, PEM' },
  key: { value: 'FILE', help: 'with its key, PEM' },
} as const;
type ThroughOptions = OptionValues<typeof throughOptions>;

/** What the box is to remember of the broker in between, if there is one. Files are named from anywhere. @throws UsageError */
export function throughOf({ url, through }: WindowAddress, options: ThroughOptions): Through | undefined {
  const { authority, fingerprint, user, 'password-file': passwordFile, certificate, key } = options;
  const given = Object.keys(throughOptions).find((option) => options[option as keyof ThroughOptions] !== undefined);
  if (through === undefined) {
    if (given === undefined) return undefined;
    throw new UsageError(`--${given} is of a broker in between, whose address is mqtts://host:port/DEVICE/box/NAME`);
  }
  const entry: Through = {
    ...{ url, name: through },
    ...(authority === undefined ? {} : { authority: resolve(authority) }),
    ...(fingerprint === undefined ? {} : { fingerprint: plainFingerprint(fingerprint) }),
    ...(user === undefined ? {} : { user }),
    ...(passwordFile === undefined ? {} : { passwordFile: resolve(passwordFile) }),
    ...(certificate === undefined ? {} : { certificate: resolve(certificate) }),
    ...(key === undefined ? {} : { key: resolve(key) }),
  };
  if (fingerprint !== undefined && !/^[0-9a-f]{64}$/.test(plainFingerprint(fingerprint)))
    throw new UsageError(`--fingerprint is "${fingerprint}"; it must be the SHA-256 of a certificate, 64 digits in hexadecimal`);
  const objection = objectionToOtherBroker(entry);
  if (objection !== undefined) throw new UsageError(`of the broker at ${url}: ${inOptions(objection)}`);
  return entry;
}

/** Fields of the configuration are options here. */
function inOptions(words: string): string {
  return words.replaceAll('"passwordFile"', '--password-file').replaceAll(/"(\w+)"/g, '--$1');
}

/** What is typed at a box that reaches the device through its relay, and a remark on it; nothing where it has none. */
export function throughLine(
  { name: device, relay }: DeviceConfiguration,
  { kind, name }: Pick<WindowAddress, 'kind' | 'name'>,
  code: PairingCode,
  folder: string,
): { readonly address: string; readonly line: string; readonly remark?: string } | undefined {
  if (!relay || kind !== 'box') return undefined;
  const address = formatWindowAddress({ url: relay.url, through: relay.name ?? device, kind, name });
  const { authority, fingerprint = '' } = relay;
  const known = authority === undefined ? `--fingerprint ${plainFingerprint(fingerprint)}` : '--authority FILE';
  const line = `npm run pair -- join ${address} ${formatPairingCode(code)} ${known}`;
  const remarks = [
    ...(authority === undefined ? [] : [`FILE is a copy of ${resolve(folder, authority)}, who vouches for that broker.`]),
    ...(relay.user === undefined && relay.certificate === undefined
      ? []
      : ['The box needs a user or a certificate of its own there: join --help.']),
  ];
  return { address, line, ...(remarks.length === 0 ? {} : { remark: remarks.join(' ') }) };
}
