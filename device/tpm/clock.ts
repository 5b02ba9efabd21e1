/** The chip's clock, unsigned: for looking at; what others shall believe comes from getTime (attestation.ts). */
import { TimeInfo } from '#protocol/tpm/clock-info.ts';

import { requireDecoded } from './answer.ts';
import { unauthorized } from './session.ts';
import type { Tpm } from './tpm.ts';

/** TPM2_ReadClock: Time and Clock in ms, counts of resets and restarts. TPM 2.0 Part 3 section 29.1. */
export async function readClock(tpm: Tpm): Promise<TimeInfo> {
  return tpm.exclusive(async ({ esys }) => requireDecoded(TimeInfo, await esys.ReadClock(...unauthorized)));
}
