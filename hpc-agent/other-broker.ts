/** The other broker through which this box reaches its device, with what its files hold. Specification §5.7. */
import { readFile, stat } from 'node:fs/promises';
import path from 'node:path';
import { getuid } from 'node:process';
import { objectionToOtherBroker, plainFingerprint, type OtherBroker } from '#protocol/relay/other-broker.ts';
import { passwordBytesMax, pemBytesMax } from './limits.ts';
import type { OtherAddress } from './mqtt.ts';

/** What is said of the other broker, or a file that it names, can't be used; the message says which, and what would be right. */
export class OtherBrokerUnknown extends Error {
  readonly code = 'other-broker-unknown';
}

/** @param folder from which files are taken @throws OtherBrokerUnknown */
export async function otherAddress(broker: OtherBroker, folder: string): Promise<OtherAddress> {
  const objection = objectionToOtherBroker(broker);
  if (objection !== undefined) throw new OtherBrokerUnknown(`of the broker in between: ${objection}`);
  const { url, user, authority, fingerprint = '', certificate, key, passwordFile } = broker;
  const pem = (file: string): Promise<string> => readPem(path.resolve(folder, file));
  return {
    url,
    trust: authority === undefined ? { fingerprint: plainFingerprint(fingerprint) } : { authority: await pem(authority) },
    ...(user === undefined ? {} : { user }),
    ...(passwordFile === undefined ? {} : { password: await readPassword(path.resolve(folder, passwordFile)) }),
    ...(certificate === undefined ? {} : { certificate: await pem(certificate) }),
    ...(key === undefined ? {} : { key: await pem(key) }),
  };
}

async function readPem(file: string): Promise<string> {
  const words = await readSmall(file, pemBytesMax);
  if (!words.includes('-----BEGIN ')) throw new OtherBrokerUnknown(`${file} holds no PEM; name a file with certificates or a key`);
  return words;
}

/** Its first line. A password that others can read is none. */
async function readPassword(file: string): Promise<string> {
  const [line = ''] = (await readSmall(file, passwordBytesMax + 2)).split(/\r?\n/, 1);
  const { mode, uid } = await stat(file);
  if ((mode & 0o077) !== 0)
    throw new OtherBrokerUnknown(`others may read the password file ${file} (mode ${(mode & 0o777).toString(8)}); chmod 600 ${file}`);
  if (uid !== getuid?.() && uid !== 0)
    throw new OtherBrokerUnknown(`the password file ${file} belongs to user ${uid}; give it to the user that the agent runs as`);
  if (line === '') throw new OtherBrokerUnknown(`the password file ${file} is empty; write the password as its first line`);
  return line;
}

async function readSmall(file: string, bytesMax: number): Promise<string> {
  try {
    const found = await stat(file);
    if (!found.isFile()) throw new Error('it is no file');
    if (found.size > bytesMax) throw new Error(`it has ${found.size} bytes; at most ${bytesMax} are read`);
    return await readFile(file, 'utf8');
  } catch (error) {
    throw new OtherBrokerUnknown(
      `${file}, of the broker in between, can't be read: ${error instanceof Error ? error.message : String(error)}`,
    );
  }
}
