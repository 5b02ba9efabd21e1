/** The replicated state, as every member must come to it. Specification §11.4. Its rules are in `device/consensus/`. */
import { CapsuleId, CapsuleState, EndReason } from '../capsule.ts';
import { Digest, hex } from '../digest.ts';
import { LIMITS } from '../limits.ts';
import { Member } from '../network.ts';
import { integer, list, oneOf, optional, struct, type Infer } from '../schema.ts';
import { Name } from '../topics.ts';
import { TrustLevel } from '../trust-level.ts';
import { BootKey } from './boot-key.ts';
import { Height } from './finality-certificate.ts';
import type { StateMap } from './state-map.ts';
import { OfferedBox, Runtime } from './transaction.ts';
import { MemberTrust, SlotDraw } from './trust-state.ts';

const UnixMs = integer({ min: 0, max: Number.MAX_SAFE_INTEGER });
const Count = integer({ min: 0, max: 0xffff_ffff });
/** Node ids in their order. */
const Seats = list(Digest, { max: LIMITS.chainMembersMax });

export const CoreState = struct({
  /** §12.1. `gathered` of the epoch before this one and `gathering` of this one. */
  epoch: struct({ number: Height, seed: Digest, gathered: Digest, gathering: Digest }),
  /** The last checkpoint that a `finality` transaction of this branch certified. */
  checkpoint: struct({ number: Height, height: Height, block: Digest }),
  /** In force: those of the checkpoint's state (§11.5). */
  seats: Seats,
  /** What the seats will be at a checkpoint from these heights on; rising, the last entry is how they stand now. */
  seatsToCome: list(struct({ fromHeight: Height, seats: Seats }), { min: 1, max: LIMITS.seatChangesMax }),
  /** Seeds from these heights on, rising; the first one is that of the checkpoint, by which a committee is drawn (§13.1). */
  seeds: list(struct({ fromHeight: Height, seed: Digest }), { min: 1, max: LIMITS.seedsMax }),
  /** Of the last slots, rising; where the genesis has `trust` (§18.1). */
  draws: optional(list(SlotDraw, { min: 1, max: LIMITS.trustSlotsKept })),
});

const standing = {
  node: Digest,
  standing: oneOf('applicant', 'member', 'left', 'expelled'),
  /** Epoch from which its draws count (§11.5); 0 for founders. */
  drawsFromEpoch: Height,
  /** Height of its application; a founder has none. */
  appliedHeight: optional(Height),
  vouchedBy: list(Digest, { max: LIMITS.chainMembersMax }),
  /** Newest last. */
  keys: list(BootKey, { max: LIMITS.memberKeysMax }),
  /** When the wait of its last block on this branch was over: the start certificate's counts, and its Time plus the wait (§12.3). */
  waitedUntil: optional(struct({ resetCount: Count, restartCount: Count, timeMs: Height })),
  /** Number of the last certificate that has its vote. */
  votedIn: Height,
  boxesSerial: Height,
  /** Of whoever is or was a member, where the genesis has `trust` (§18). */
  trust: optional(MemberTrust),
};

/** What changes about a member. */
export const MemberStanding = struct(standing);

/** A member, an applicant, or one that is gone and may not come back with the same chip. */
export const MemberRecord = struct({ ...standing, member: Member });

export const BoxRecord = struct({ node: Digest, box: OfferedBox });

export const CapsuleRecord = struct({
  capsule: CapsuleId,
  gateway: Digest,
  digest: Digest,
  manifest: Digest,
  manifestBytes: integer({ min: 1, max: LIMITS.manifestBytesMax }),
  runtime: Runtime,
  trust: TrustLevel,
  acceptedAtMs: UnixMs,
  deadlineMs: optional(UnixMs),
  orderedHeight: Height,
  /** Attempts so far, the last one last; the box of each. */
  attempts: list(struct({ node: Digest, box: Name, height: Height }), { max: LIMITS.attemptsMax }),
  /** Whether a box is to be drawn: set by the submission and by a retry. */
  awaitsDraw: oneOf('yes', 'no'),
  /** The gateway has said that the last attempt got nowhere: its executor has to answer by a height and chain time that follow (§15.5). */
  asked: optional(struct({ height: Height, timeMs: UnixMs })),
  /** Height at which the executor has last answered that the run goes on. */
  answeredHeight: optional(Height),
  /** The first of the two blocks that draw: its leader, VRF output and height (§15.2). */
  drawing: optional(struct({ leader: Digest, output: Digest, height: Height })),
  /** What both have drawn, where the second has ranked too many boxes already: the box follows with a later block. */
  draw: optional(Digest),
  end: optional(struct({ state: CapsuleState, reason: optional(EndReason), receipt: optional(Digest), height: Height })),
});

/** Where a box stands in a state. */
export function boxKey({ node, box }: BoxRecord): string {
  return `${hex(node)}/${box.name}`;
}

export type CoreState = Infer<typeof CoreState>;
export type MemberRecord = Infer<typeof MemberRecord>;
export type BoxRecord = Infer<typeof BoxRecord>;
export type CapsuleRecord = Infer<typeof CapsuleRecord>;

/** Immutable; keys are hexadecimal node ids, `node/box` and capsule ids. */
export interface ChainState {
  readonly core: CoreState;
  readonly members: StateMap<MemberRecord>;
  readonly boxes: StateMap<BoxRecord>;
  readonly capsules: StateMap<CapsuleRecord>;
}
