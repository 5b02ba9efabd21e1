/**
 * TpmError: why a call of the chip failed. Made by the addon (device/addon/queue.cc).
 * Response codes: TPM 2.0 Part 2 section 6.6; layers: TCG TSS 2.0 Overview section 3.6.
 */

/** Who refused: the chip, a layer of tpm2-tss, or the addon before it asked anybody. */
export type TpmErrorLayer = 'tpm' | 'esys' | 'sys' | 'mu' | 'tcti' | 'resmgr' | 'addon' | 'unknown';

export interface TpmError extends Error {
  readonly code: 'ERR_TPM';
  /** TSS2_RC, all 32 bits: layer and code. */
  readonly rc: number;
  readonly layer: TpmErrorLayer;
  /** Method of the binding. */
  readonly command: string;
  /** The connection was given up: every handle is void; the next call opens it again. */
  readonly contextLost: boolean;
}

export function isTpmError(error: unknown): error is TpmError {
  return error instanceof Error && 'code' in error && error.code === 'ERR_TPM';
}

/** Codes that callers tell apart, without the bits for the parameter, session or handle number (format one). */
export const tpmCodes = {
  authorisationFailed: 0x08e,
  handleInvalid: 0x08b,
  badAuthorisation: 0x0a2,
  integrity: 0x09f,
  policyFailed: 0x09d,
  size: 0x095,
  value: 0x084,
  locked: 0x921,
  signature: 0x09b,
  ticket: 0x0a0,
  nvAlreadyDefined: 0x14c,
  nvUninitialized: 0x14a,
  pcrChanged: 0x128,
  objectMemory: 0x902,
  disabled: 0x120,
} as const;

/** Whether the chip answered with this code, wherever in the command the fault was. */
export function hasTpmCode(error: unknown, code: keyof typeof tpmCodes): error is TpmError {
  if (!isTpmError(error) || error.layer !== 'tpm') return false;
  const formatOne = (error.rc & 0x080) !== 0;
  return (formatOne ? error.rc & 0x0bf : error.rc & 0xfff) === tpmCodes[code];
}
