/** What the operator says of a box's BMC, in `control` of `configuration.json`. Pure. Specification §16.5. */
import { integer, oneOf, optional, text, type Struct } from '#protocol/schema.ts';
import { Name } from '#protocol/topics.ts';

const IPMI_PORT = 623;
const path = text({ min: 1, max: 1_024 });
const common = {
  user: text({ min: 1, max: 64, pattern: /^[^-\s]\S*$/, like: 'a user name without spaces' }),
  /** Taken from the state folder where it is not absolute. */
  passwordFile: path,
  /** The BMC's sensor, by its name here, that measures the whole box. */
  powerSensor: optional(Name),
};

export const ipmiFields = {
  host: text({ min: 1, max: 253, pattern: /^[A-Za-z0-9:][A-Za-z0-9.:-]*$/, like: 'a host name or an address' }),
  port: optional(integer({ min: 1, max: 65_535 })),
  /** 17 unless the operator accepts SHA-1 for an old BMC. */
  cipherSuite: optional(oneOf(3, 17)),
  ...common,
  /** 16 bytes are what IPMI has room for. */
  user: text({ min: 1, max: 16, pattern: /^[^-\s]\S*$/, like: 'a user name without spaces' }),
};
export type IpmiEntry = Struct<typeof ipmiFields>;

export const redfishFields = {
  url: text({
    min: 9,
    max: 300,
    pattern: /^https:\/\/([A-Za-z0-9.-]+|\[[0-9A-Fa-f:]+\])(:\d{1,5})?\/?$/,
    like: 'https://HOST or https://HOST:PORT',
  }),
  ...common,
  /** A PEM file of those who vouch for the BMC's certificate; or `fingerprint`. */
  authority: optional(path),
  /** SHA-256 of the BMC's certificate. */
  fingerprint: optional(
    text({ min: 64, max: 95, pattern: /^([0-9a-fA-F]{2}:?){31}[0-9a-fA-F]{2}$/, like: 'the SHA-256 of a certificate in hexadecimal' }),
  ),
  /** Id of the ComputerSystem, where the service has several. */
  system: optional(text({ min: 1, max: 128 })),
};
export type RedfishEntry = Struct<typeof redfishFields>;

export function portOf({ port }: IpmiEntry): number {
  return port ?? IPMI_PORT;
}

/** How the certificate of a Redfish service is checked; undefined unless exactly one way is named. */
export function trustOf({ authority, fingerprint }: RedfishEntry): { authority: string } | { fingerprint: string } | undefined {
  if (authority !== undefined) return fingerprint === undefined ? { authority } : undefined;
  return fingerprint === undefined ? undefined : { fingerprint: fingerprint.replaceAll(':', '').toLowerCase() };
}
