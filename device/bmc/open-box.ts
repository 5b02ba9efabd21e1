/** The hardware port of a box that the configuration gives to a BMC. Specification §16.5. */
import { resolve } from 'node:path';
import type { BoxHardware } from '../board/ports.ts';
import { holdByBmc } from './bmc-box.ts';
import { BmcFailed } from './bmc.ts';
import { portOf, trustOf, type IpmiEntry, type RedfishEntry } from './bmc-configuration.ts';
import { openIpmi } from './ipmi.ts';
import { openRedfish } from './redfish.ts';

/**
 * Asks the BMC what it can do and what it measures. A BMC that is away is tried again by whoever holds the box.
 * @param folder from which the entry's files are taken: the state folder
 * @throws BmcFailed that says what to do
 */
export async function openIpmiBox(entry: IpmiEntry, folder: string): Promise<BoxHardware> {
  const { host, user, powerSensor, cipherSuite = 17 } = entry;
  return holdByBmc(
    await openIpmi({ host, port: portOf(entry), user, passwordFile: resolve(folder, entry.passwordFile), cipherSuite, powerSensor }),
  );
}

/** As {@link openIpmiBox}. */
export async function openRedfishBox(entry: RedfishEntry, folder: string): Promise<BoxHardware> {
  const { url, user, system, powerSensor } = entry;
  const named = trustOf(entry);
  if (!named) throw new BmcFailed('no-access', `${url} needs one of "authority" and "fingerprint", to know its certificate by`);
  const trust = 'authority' in named ? { authority: resolve(folder, named.authority) } : named;
  return holdByBmc(await openRedfish({ url, user, passwordFile: resolve(folder, entry.passwordFile), trust, system, powerSensor }));
}
