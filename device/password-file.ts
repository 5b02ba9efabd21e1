/** A file that holds a password: its first line, for the eyes of this user alone. Specification §5.7, §16.5. */
import { closeSync, constants, fstatSync, openSync, readSync } from 'node:fs';
import { getuid } from 'node:process';

/** What is thrown, given a sentence that names the file and what to do, and never holds what stands in it. */
export type PasswordFailure = (message: string) => Error;

/** @throws what `failure` makes */
export function readPassword(file: string, bytesMax: number, failure: PasswordFailure): string {
  const wrong = (was: string, right: string): Error => failure(`the password file ${file}: ${was}; ${right}`);
  const descriptor = opened(file, wrong);
  try {
    const { mode, uid } = requireFile(descriptor, wrong);
    if ((mode & 0o077) !== 0) throw wrong(`others may read it (mode ${(mode & 0o777).toString(8)})`, `chmod 600 ${file}`);
    if (uid !== getuid?.() && uid !== 0) throw wrong(`it belongs to user ${uid}`, 'give it to the user that the device runs as');
    const page = Buffer.alloc(bytesMax + 2);
    const [line = ''] = page.toString('utf8', 0, readSync(descriptor, page)).split(/\r?\n/, 1);
    const length = Buffer.byteLength(line);
    if (length < 1 || length > bytesMax)
      throw wrong(
        `its first line has ${length > bytesMax ? `more than ${bytesMax}` : 'no'} bytes`,
        `write the password as one line of 1 to ${bytesMax} bytes`,
      );
    return line;
  } finally {
    closeSync(descriptor);
  }
}

type Wrong = (was: string, right: string) => Error;

function opened(file: string, wrong: Wrong): number {
  try {
    return openSync(file, constants.O_RDONLY | constants.O_NONBLOCK | constants.O_NOCTTY);
  } catch (error) {
    throw wrong(error instanceof Error ? error.message : String(error), `printf '%s\\n' PASSWORD > ${file}, with umask 077`);
  }
}

function requireFile(descriptor: number, wrong: Wrong): { mode: number; uid: number } {
  const found = fstatSync(descriptor);
  if (!found.isFile()) throw wrong('it is no file', 'name a file that holds the password in its first line');
  return found;
}
