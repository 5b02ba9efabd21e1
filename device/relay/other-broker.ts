/** The other broker of the configuration, with what its files hold. Specification §5.7. */
import { readFileSync, statSync } from 'node:fs';
import { resolve } from 'node:path';
import { plainFingerprint, type OtherBroker } from '#protocol/relay/other-broker.ts';
import type { OtherAddress } from '../mqtt/connection.ts';
import { readPassword } from '../password-file.ts';
import { RELAY_LIMITS } from './limits.ts';

/** A file that the configuration names for the other broker can't be used; the message says which, and what to do. */
export class OtherBrokerUnknown extends Error {
  readonly code = 'other-broker-unknown';
}

/** @param broker without contradictions (`objectionToOtherBroker`) @param folder from which its files are taken @throws OtherBrokerUnknown */
export function otherAddress(broker: OtherBroker, folder: string): OtherAddress {
  const { url, user, authority, fingerprint = '', certificate, key, passwordFile } = broker;
  const pem = (file: string): string => readPem(resolve(folder, file));
  const password =
    passwordFile === undefined ? undefined : readPassword(resolve(folder, passwordFile), RELAY_LIMITS.passwordBytesMax, unknown);
  return {
    url,
    trust: authority === undefined ? { fingerprint: plainFingerprint(fingerprint) } : { authority: pem(authority) },
    ...(user === undefined ? {} : { user }),
    ...(password === undefined ? {} : { password }),
    ...(certificate === undefined ? {} : { certificate: pem(certificate) }),
    ...(key === undefined ? {} : { key: pem(key) }),
  };
}

function readPem(file: string): string {
  try {
    if (statSync(file).size > RELAY_LIMITS.pemBytesMax) throw new Error(`it has more than ${RELAY_LIMITS.pemBytesMax} bytes`);
    return requirePem(readFileSync(file, 'utf8'));
  } catch (error) {
    throw unknown(
      `${file}, of the other broker, can't be used: ${error instanceof Error ? error.message : String(error)}; name a PEM file`,
    );
  }
}

function requirePem(words: string): string {
  if (!words.includes('-----BEGIN ')) throw new Error('it holds no PEM');
  return words;
}

function unknown(message: string): OtherBrokerUnknown {
  return new OtherBrokerUnknown(message);
}
