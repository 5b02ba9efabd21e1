/** Why a command ends without success, in a sentence; 1: the capsule or the other side, 2: what the person gave it. */
export class CommandFailure extends Error {
  readonly exitStatus: 1 | 2;
  constructor(exitStatus: 1 | 2, message: string, options?: ErrorOptions) {
    super(message, options);
    this.exitStatus = exitStatus;
  }
}

/** `code` of a failure of the system, such as ENOENT. */
export function systemCode(error: unknown): string | undefined {
  return error instanceof Error && 'code' in error && typeof error.code === 'string' ? error.code : undefined;
}
