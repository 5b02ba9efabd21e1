/**
 * Connects to the device's TPM. A software TPM that was started a moment ago, or whose last client is just leaving,
 * refuses the first attempts; a chip behind the kernel's driver may be busy with its self test.
 */
import { setTimeout as sleep } from 'node:timers/promises';

import { DEVICE_LIMITS } from '../limits.ts';
import { isTpmError } from '../tpm/error.ts';
import { openTpm, type Tpm } from '../tpm/tpm.ts';

/** @throws TpmError where no TPM answers within `tpmOpenMs` */
export async function connectTpm(tcti: string): Promise<Tpm> {
  const deadline = performance.now() + DEVICE_LIMITS.tpmOpenMs;
  for (;;) {
    try {
      return await openTpm(tcti);
    } catch (error) {
      if (!isTpmError(error) || error.layer !== 'tcti' || performance.now() > deadline) throw error;
    }
    await sleep(DEVICE_LIMITS.tpmOpenPauseMs);
  }
}
