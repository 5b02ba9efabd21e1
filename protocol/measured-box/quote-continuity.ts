/** Whether two quotes of one run are of one machine that was never reset in between. Pure. Specification §6.5. */
import { sameBytes } from '../codec.ts';
import { hex } from '../digest.ts';
import type { BoxMoment } from './box-quote.ts';
import { BOOT_PCRS } from './registers.ts';

export interface Contradiction {
  readonly reason: 'box-reset' | 'box-restarted' | 'tpm-firmware-changed' | 'clock-went-back' | 'register-changed' | 'files-taken-back';
  readonly detail: string;
}

const zeros = new Uint8Array(32);

export function quoteContradictions(earlier: BoxMoment, later: BoxMoment): Contradiction[] {
  const [before, after] = [earlier.clockInfo, later.clockInfo];
  if (before.resetCount !== after.resetCount)
    return [
      {
        reason: 'box-reset',
        detail: `the TPM was reset between two quotes (reset count ${before.resetCount}, then ${after.resetCount}): the box was started anew`,
      },
    ];
  if (before.restartCount !== after.restartCount)
    return [
      {
        reason: 'box-restarted',
        detail: `the TPM was restarted between two quotes (restart count ${before.restartCount}, then ${after.restartCount}): the box slept or was started anew`,
      },
    ];
  const contradictions: Contradiction[] = [];
  if (earlier.firmwareVersion !== later.firmwareVersion)
    contradictions.push({ reason: 'tpm-firmware-changed', detail: 'the firmware of the TPM changed between two quotes' });
  if (after.clock < before.clock)
    contradictions.push({
      reason: 'clock-went-back',
      detail: `the TPM's clock went back from ${before.clock} to ${after.clock} ms: the later quote is not later, or of another chip`,
    });
  for (const pcr of BOOT_PCRS) {
    const [was, is] = [earlier.registers.get(pcr) ?? zeros, later.registers.get(pcr) ?? zeros];
    if (!sameBytes(was, is))
      contradictions.push({
        reason: 'register-changed',
        detail: `PCR ${pcr} was ${hex(was)} and is ${hex(is)}: something was measured into it after the start`,
      });
  }
  if (isZero(later.registers.get(10)) && !isZero(earlier.registers.get(10)))
    contradictions.push({ reason: 'files-taken-back', detail: 'PCR 10 is zero again: the record of measured files is gone' });
  return contradictions;
}

function isZero(register: Uint8Array | undefined): boolean {
  return register === undefined || sameBytes(register, zeros);
}
