/** The file that holds a BMC's password: its first line, for the eyes of this user alone. Specification §16.5. */
import { closeSync, constants, fstatSync, openSync, readSync } from 'node:fs';
import { getuid } from 'node:process';
import { BmcFailed } from './bmc.ts';

/** @throws BmcFailed that names the file and what to do; never with what stands in it */
export function readPassword(file: string, bytesMax: number): string {
  const descriptor = opened(file);
  try {
    const { mode, uid } = requireOwn(file, descriptor);
    if ((mode & 0o077) !== 0) throw wrong(file, `others may read it (mode ${(mode & 0o777).toString(8)})`, `chmod 600 ${file}`);
    if (uid !== getuid?.() && uid !== 0) throw wrong(file, `it belongs to user ${uid}`, 'give it to the user that the device runs as');
    const page = Buffer.alloc(bytesMax + 2);
    const [line = ''] = page.toString('utf8', 0, readSync(descriptor, page)).split(/\r?\n/, 1);
    const length = Buffer.byteLength(line);
    if (length < 1 || length > bytesMax)
      throw wrong(
        file,
        `its first line has ${length > bytesMax ? `more than ${bytesMax}` : 'no'} bytes`,
        `write the password as one line of 1 to ${bytesMax} bytes`,
      );
    return line;
  } finally {
    closeSync(descriptor);
  }
}

function opened(file: string): number {
  try {
    return openSync(file, constants.O_RDONLY | constants.O_NONBLOCK | constants.O_NOCTTY);
  } catch (error) {
    throw wrong(file, error instanceof Error ? error.message : String(error), `printf '%s\\n' PASSWORD > ${file}, with umask 077`);
  }
}

function requireOwn(file: string, descriptor: number): { mode: number; uid: number } {
  const found = fstatSync(descriptor);
  if (!found.isFile()) throw wrong(file, 'it is no file', 'name a file that holds the password in its first line');
  return found;
}

function wrong(file: string, was: string, right: string): BmcFailed {
  return new BmcFailed('no-access', `the password file ${file}: ${was}; ${right}`);
}
