/**
 * One agent a state folder: two would give the device two reports for one run. The mark is a socket name in the kernel
 * (abstract, unix(7)), which goes with the process however it ends.
 */
import { createHash } from 'node:crypto';
import { realpath } from 'node:fs/promises';
import { createServer } from 'node:net';

/** Another agent serves this state folder. */
export class AlreadyRunning extends Error {
  readonly code = 'already-running';
}

/** Returns how to give the folder free. @throws AlreadyRunning */
export async function claimStateFolder(stateFolder: string): Promise<() => void> {
  const folder = await realpath(stateFolder);
  const name = `\0capstan-agent-${createHash('sha256').update(folder).digest('hex').slice(0, 32)}`;
  const server = createServer((socket) => socket.destroy()).unref();
  await new Promise<void>((resolve, reject) => {
    server.once('error', () => {
      reject(new AlreadyRunning(`an agent serves ${folder} already; stop it, or give this one a state folder of its own`));
    });
    server.listen(name, resolve);
  });
  return () => {
    server.close();
  };
}
