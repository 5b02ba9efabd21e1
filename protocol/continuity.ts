/**
 * Continuity: whether a device's new evidence can follow what a verifier has seen of it. Specification §3.7.
 *
 * One chip has one history: its boots, told apart by the reset and restart counts, come one after the other, its Time
 * grows within a boot, and a boot has one operational key. Two copies of a software TPM can't both keep to that.
 * A restart count begins again at 0 with each reset, so boots are compared by the pair.
 *
 * A reset clears the registers that bind the key, so the boot after it has a new one. With a restart the key may change
 * or stay: TPM Restart clears PCRs 0 to 15, TPM Resume keeps them (TPM 2.0 Part 1 section 12.2.3), and both add one to
 * the restart count and begin Time anew.
 */
import { sameBytes } from './codec.ts';
import { Digest } from './digest.ts';
import { LIMITS } from './limits.ts';
import { fixedBytes, flag, integer, struct, type Infer } from './schema.ts';

const Count = integer({ min: 0, max: 0xffff_ffff });
const Milliseconds = integer({ min: 0, max: Number.MAX_SAFE_INTEGER });

/** What one accepted piece of evidence says of the device's clock and boot. */
export const ClockState = struct({
  resetCount: Count,
  restartCount: Count,
  /** TPM Time: ms since the TPM got power. */
  timeMs: Milliseconds,
  /** TPM Clock: ms, kept over resets; its owner can set it forward, so nothing is decided by it. */
  clockMs: Milliseconds,
  safe: flag,
  attestationKeyDigest: Digest,
  operationalKey: fixedBytes(32),
  /** Before this, by its issuer's clock, the evidence can't have been made. */
  beaconIssuedAtMs: Milliseconds,
  /** When the verifier got it, by its own clock. */
  seenAtMs: Milliseconds,
});
export type ClockState = Infer<typeof ClockState>;

/** What a verifier remembers of a device: its latest state and since when it has seen that boot. */
export const Continuity = struct({ latest: ClockState, bootSeenAtMs: Milliseconds });
export type Continuity = Infer<typeof Continuity>;

export type DiscontinuityReason =
  'reset-count-went-back' | 'restart-count-went-back' | 'time-went-back' | 'second-operational-key' | 'operational-key-outlived-reset';

export type ContinuityVerdict =
  /** `explained-reset`: a higher reset count and a new key. `explained-restart`: the same reset, restarted or resumed. */
  | {
      readonly status: 'continuous';
      readonly change: 'first-seen' | 'same-boot' | 'explained-reset' | 'explained-restart' | 'new-attestation-key';
      readonly memory: Continuity;
    }
  /** Late evidence of an earlier moment: nothing is learnt from it, and nothing held against the device. */
  | { readonly status: 'superseded'; readonly detail: string }
  | { readonly status: 'quarantined'; readonly reason: DiscontinuityReason; readonly detail: string };

export function judgeContinuity(earlier: Continuity | undefined, now: ClockState): ContinuityVerdict {
  if (!earlier) return begin('first-seen', now);
  if (!sameBytes(earlier.latest.attestationKeyDigest, now.attestationKeyDigest)) return begin('new-attestation-key', now);
  const order = compareBoots(now, earlier.latest);
  if (order > 0) return judgeLaterBoot(earlier, now);
  return order === 0 ? judgeSameBoot(earlier, now) : judgeEarlierBoot(earlier, now);
}

function begin(change: 'first-seen' | 'explained-reset' | 'explained-restart' | 'new-attestation-key', now: ClockState): ContinuityVerdict {
  return { status: 'continuous', change, memory: { latest: now, bootSeenAtMs: now.seenAtMs } };
}

function judgeLaterBoot({ latest }: Continuity, now: ClockState): ContinuityVerdict {
  if (now.resetCount === latest.resetCount) return begin('explained-restart', now);
  if (!sameBytes(latest.operationalKey, now.operationalKey)) return begin('explained-reset', now);
  return quarantined(
    'operational-key-outlived-reset',
    `one operational key under reset counts ${latest.resetCount} and ${now.resetCount}; a reset demands a new one`,
  );
}

function judgeSameBoot(earlier: Continuity, now: ClockState): ContinuityVerdict {
  const { latest } = earlier;
  if (!sameBytes(latest.operationalKey, now.operationalKey)) {
    return quarantined('second-operational-key', `two operational keys under reset count ${now.resetCount}; one chip has one a boot`);
  }
  if (now.timeMs >= latest.timeMs) return { status: 'continuous', change: 'same-boot', memory: { ...earlier, latest: now } };
  if (now.beaconIssuedAtMs <= latest.beaconIssuedAtMs + LIMITS.clockSkewMaxMs)
    return { status: 'superseded', detail: 'later evidence of this boot is known already' };
  return quarantined(
    'time-went-back',
    `Time is ${now.timeMs} ms after ${latest.timeMs} ms under reset count ${now.resetCount}, though the beacon is newer`,
  );
}

/**
 * Evidence of an earlier boot that contains a beacon made after the later boot was seen was made after it too: the
 * device is in two places. With an older beacon it is merely late.
 */
function judgeEarlierBoot({ latest, bootSeenAtMs }: Continuity, now: ClockState): ContinuityVerdict {
  if (now.beaconIssuedAtMs <= bootSeenAtMs + LIMITS.clockSkewMaxMs)
    return { status: 'superseded', detail: 'a later boot of this device is known already' };
  if (now.resetCount < latest.resetCount) {
    return quarantined('reset-count-went-back', `reset count ${now.resetCount} after ${latest.resetCount}: the TPM was cleared, or copied`);
  }
  return quarantined(
    'restart-count-went-back',
    `restart count ${now.restartCount} after ${latest.restartCount} under reset count ${now.resetCount}`,
  );
}

function compareBoots(left: ClockState, right: ClockState): number {
  return left.resetCount - right.resetCount || left.restartCount - right.restartCount;
}

function quarantined(reason: DiscontinuityReason, detail: string): ContinuityVerdict {
  return { status: 'quarantined', reason, detail };
}
