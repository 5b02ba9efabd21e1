/**
 * A broker of somebody else through which boxes and a device meet: where it is, by what it is known and who one is there, as `configuration.json` of
 * the device and `connection.json` of the box say it. Specification §5.7.
 */
import { optional, text, type Struct } from '../schema.ts';

const path = text({ min: 1, max: 1_024 });

export const otherBrokerFields = {
  url: text({
    max: 280,
    pattern: /^mqtts:\/\/([A-Za-z0-9.-]+|\[[0-9A-Fa-f:.]+\]):[0-9]{1,5}$/,
    like: 'mqtts://host:port',
  }),
  /** A PEM file of those who vouch for the broker's certificate; or `fingerprint`. Files are taken from the folder of the configuration. */
  authority: optional(path),
  /** SHA-256 of the broker's certificate. */
  fingerprint: optional(
    text({ min: 64, max: 95, pattern: /^([0-9a-fA-F]{2}:?){31}[0-9a-fA-F]{2}$/, like: 'the SHA-256 of a certificate in hexadecimal' }),
  ),
  user: optional(text({ min: 1, max: 128 })),
  /** Its first line; for the eyes of the program's user alone. */
  passwordFile: optional(path),
  /** PEM, of a user that the broker knows by its certificate. */
  certificate: optional(path),
  key: optional(path),
};
export type OtherBroker = Struct<typeof otherBrokerFields>;

/** Which fields contradict each other, in a sentence, or `undefined`. */
export function objectionToOtherBroker(broker: OtherBroker): string | undefined {
  const { url, authority, fingerprint, user, passwordFile, certificate, key } = broker;
  if (!URL.canParse(url) || Number(new URL(url).port || 0) < 1) return `"url" is ${url}; it must be mqtts://host:port`;
  if ((authority === undefined) === (fingerprint === undefined))
    return 'it must have one of "authority" and "fingerprint", to know the broker by';
  if (passwordFile !== undefined && user === undefined) return '"passwordFile" is the password of a "user"; name that, too';
  if ((certificate === undefined) !== (key === undefined)) return '"certificate" and "key" come together';
  return undefined;
}

/** As 64 lower-case digits. */
export function plainFingerprint(fingerprint: string): string {
  return fingerprint.replaceAll(':', '').toLowerCase();
}
