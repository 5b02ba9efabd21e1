/** Why a device cannot be who it was: the operator has to act, so each says what to do. */

export type IdentityErrorCode =
  /** Another chip answers than the one that this state folder belongs to. */
  | 'ERR_TPM_CHANGED'
  /** TPM2_Clear, or somebody else, took the keys away. */
  | 'ERR_TPM_KEYS_LOST'
  /** The chip has no usable certificate of its endorsement key. */
  | 'ERR_TPM_CERTIFICATE'
  /** The chip keeps no SHA-256 registers. */
  | 'ERR_TPM_BANK'
  /** What was measured since the TPM was reset isn't what runs now. */
  | 'ERR_TPM_RESET_NEEDED'
  /** The TPM was reset under the running program: what it measured is gone. */
  | 'ERR_TPM_WAS_RESET'
  /** The connection to the TPM broke. */
  | 'ERR_TPM_LOST'
  /** The device has no VRF key yet. */
  | 'ERR_NOT_ENROLLED';

export class IdentityError extends Error {
  readonly code: IdentityErrorCode;

  constructor(code: IdentityErrorCode, message: string, cause?: unknown) {
    super(message, cause === undefined ? undefined : { cause });
    this.code = code;
  }
}

/** Whether the program should end, so that its supervisor starts it anew and it measures itself again. */
export function needsRestart(error: unknown): boolean {
  return error instanceof IdentityError && (error.code === 'ERR_TPM_LOST' || error.code === 'ERR_TPM_WAS_RESET');
}
