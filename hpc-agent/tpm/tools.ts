/**
 * The programs of tpm2-tools, by which the agent speaks to the box's TPM. Their owner: nobody else starts them. Specification §6.5.
 *
 * The TCTI is always given: without one the library would ask whoever listens at a port of this machine.
 */
import { execFile } from 'node:child_process';
import { tpmToolMs, tpmToolOutputBytesMax } from '../limits.ts';

type Program =
  | 'tpm2_activatecredential'
  | 'tpm2_create'
  | 'tpm2_createek'
  | 'tpm2_flushcontext'
  | 'tpm2_load'
  | 'tpm2_nvread'
  | 'tpm2_policysecret'
  | 'tpm2_quote'
  | 'tpm2_startauthsession';

export class TpmToolFailed extends Error {
  readonly code = 'tpm-tool-failed';
}

export class TpmTools {
  readonly #tcti: string;
  readonly #folder: string;

  /** @param tcti `device:/dev/tpmrm0`, `swtpm:path=…`. @param folder in which file names of arguments stand */
  constructor(tcti: string, folder: string) {
    this.#tcti = tcti;
    this.#folder = folder;
  }

  /** @throws TpmToolFailed with what the program said */
  run(program: Program, ...programArguments: readonly string[]): Promise<void> {
    const options = {
      cwd: this.#folder,
      timeout: tpmToolMs,
      maxBuffer: tpmToolOutputBytesMax,
      env: { PATH: '/usr/local/bin:/usr/bin:/bin', LANG: 'C.UTF-8', TPM2TOOLS_TCTI: this.#tcti },
    };
    return new Promise((resolve, reject) => {
      execFile(program, programArguments, options, (error, _stdout, stderr) => {
        if (error) reject(new TpmToolFailed(`${program} failed: ${lastLine(stderr) ?? error.message}`));
        else resolve();
      });
    });
  }

  /** Runs `work` with a session that may use the endorsement key. */
  async withEndorsement<T>(work: (session: string) => Promise<T>): Promise<T> {
    const session = 'session.ctx';
    await this.run('tpm2_startauthsession', '--policy-session', '-S', session);
    try {
      await this.run('tpm2_policysecret', '-S', session, '-c', 'e');
      return await work(session);
    } finally {
      await this.run('tpm2_flushcontext', session).catch(() => undefined);
    }
  }

  /** A chip has three places for loaded keys; without the kernel's resource manager they stay taken. */
  async flush(): Promise<void> {
    await this.run('tpm2_flushcontext', '-t').catch(() => undefined);
  }
}

function lastLine(text: string): string | undefined {
  return text.trim().split('\n').at(-1)?.slice(0, 300) || undefined;
}
