/** The TPM as the core asks it: one question at a time, the most urgent first, again after a refusal or a silence. Pure. Specification §12.3. */
import { sameBytes } from '#protocol/codec.ts';
import { CONSENSUS_LIMITS } from '../limits.ts';
import type { TpmTask } from './events.ts';
import type { ConsensusState } from './state.ts';
import { voteUntilMs, waitTask } from './waiting.ts';

/** Without a voucher nobody counts this member's votes, so that comes first. */
export function askTpm(state: ConsensusState): void {
  const { tpm, at, outbox, ownVoucher } = state;
  const isSilent = tpm.asked && at.monotonicMs >= tpm.asked.atMs + CONSENSUS_LIMITS.tpmAnswerMs;
  if (isSilent) tpm.asked = undefined;
  if (tpm.asked || at.monotonicMs < tpm.restUntilMs) return;
  const task: TpmTask | undefined = ownVoucher ? waitTask(state) : { task: 'make-voucher' };
  if (!task) return;
  tpm.asked = { task, atMs: at.monotonicMs };
  outbox.asks.push(task);
}

/** When the TPM may be asked again, on the monotonic clock. */
export function tpmUntilMs(state: ConsensusState): number | undefined {
  const { tpm, at } = state;
  if (tpm.asked) return tpm.asked.atMs + CONSENSUS_LIMITS.tpmAnswerMs;
  return tpm.restUntilMs > at.monotonicMs ? tpm.restUntilMs : voteUntilMs(state);
}

/** @returns whether this answers the question under way; an answer to an older one changes nothing */
export function tpmAnswered({ tpm }: ConsensusState, isAnswer: (task: TpmTask) => boolean): boolean {
  if (!tpm.asked || !isAnswer(tpm.asked.task)) return false;
  tpm.asked = undefined;
  return true;
}

export function tpmFailed(state: ConsensusState, failed: TpmTask): void {
  if (tpmAnswered(state, (task) => isSameTask(task, failed))) state.tpm.restUntilMs = state.at.monotonicMs + CONSENSUS_LIMITS.tpmRestMs;
}

export function isSameTask(left: TpmTask, right: TpmTask): boolean {
  switch (left.task) {
    case 'prove-draw':
      return right.task === 'prove-draw' && sameBytes(left.alpha, right.alpha);
    case 'certify-start':
      return right.task === 'certify-start' && sameBytes(left.parent, right.parent);
    case 'certify-end':
      return right.task === 'certify-end' && sameBytes(left.header, right.header);
    case 'make-voucher':
      return right.task === 'make-voucher';
  }
}
