/** What OpenSSL itself can do on this machine, by `openssl speed`. Owner of the `openssl` program. */
import { execFile } from 'node:child_process';
import { promisify } from 'node:util';

const runMaxMs = 60_000;

/** Verifications in a second of processor time, as `openssl speed` counts them. @throws Error when there is no openssl */
export async function opensslVerificationsPerSecond(algorithm: 'ecdsap256', seconds: number): Promise<number> {
  const { stdout } = await promisify(execFile)('openssl', ['speed', '-mr', '-seconds', String(seconds), algorithm], { timeout: runMaxMs });
  // +F4:3:256:<signatures a second>:<verifications a second>
  const rate = Number(/^\+F4:\d+:\d+:[\d.]+:([\d.]+)$/m.exec(stdout)?.[1]);
  if (!(rate > 0)) throw new Error('openssl speed printed no line +F4 with its rates');
  return rate;
}

export async function opensslVersion(): Promise<string> {
  const { stdout } = await promisify(execFile)('openssl', ['version']);
  return stdout.trim();
}
