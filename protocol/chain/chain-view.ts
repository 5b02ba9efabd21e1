/**
 * The chain as a device shows it to people: its head on `<device>/chain` (retained), and answers to the query `chain`.
 * Unsigned: who needs certainty takes a proof (§13.6, §13.8). Specification §14.5.
 */
import { Digest } from '../digest.ts';
import { LIMITS } from '../limits.ts';
import { bytes, integer, list, oneOf, optional, struct, text, variant, type Infer } from '../schema.ts';
import { Name } from '../topics.ts';
import { TrustLevel } from '../trust-level.ts';
import { Round } from './ballot.ts';
import { Height } from './finality-certificate.ts';
import { BareBlock } from './shown-checkpoint.ts';

const UnixMs = integer({ min: 0, max: Number.MAX_SAFE_INTEGER });
const Count = integer({ min: 0, max: 0xffff_ffff });
const Ms = integer({ min: 0, max: Number.MAX_SAFE_INTEGER });

/** A block in a line. `leader` is the name of its member; `timeMs` is chain time (§11.2). */
export const BlockLine = struct({
  id: Digest,
  height: Height,
  /** Absent for the genesis block. */
  parent: optional(Digest),
  leader: Name,
  timeMs: UnixMs,
  /** The leader's drawn wait (§12.2); absent for the genesis block. */
  waitMs: optional(Ms),
  transactions: Count,
});

/** The last certified checkpoint that the device knows of. */
export const CheckpointLine = struct({
  number: Height,
  height: Height,
  block: Digest,
  /** Round of the certificate, and how many voters of how many it names; absent for checkpoint 0. */
  round: optional(Round),
  votes: optional(Count),
  voters: Count,
  /** From when the device took the block until it knew the certificate; absent where it came by catching up. */
  afterMs: optional(Ms),
  /** For how long the device has known the certificate; since its start, where it has not seen one come. */
  knownForMs: Ms,
});

/**
 * Where a device stands. `not-finalising`: the head has stood above the last checkpoint for eight target intervals. `behind`: it catches
 * up. `stopped`: two certificates contradict each other. Of §13.7: `joining`: it fetches its operator's checkpoint; `other-checkpoint`:
 * the chain that it keeps contradicts that one; `away-too-long`: its peers no longer have the blocks that it lacks.
 */
export const CHAIN_CONDITIONS = [
  ...(['finalising', 'not-finalising', 'behind', 'stopped'] as const),
  ...(['joining', 'other-checkpoint', 'away-too-long'] as const),
] as const;

export const HeadView = struct({
  device: Name,
  condition: oneOf(...CHAIN_CONDITIONS),
  head: BlockLine,
  checkpoint: CheckpointLine,
  epoch: Height,
  members: Count,
  /** Seats in force, and how many of those members this device reaches, itself included. */
  seats: Count,
  reached: Count,
  /** Voters of whom a ballot on the next checkpoint has come here. */
  voting: Count,
  targetIntervalMs: Ms,
  /** When this was said. */
  atMs: UnixMs,
});

/** A transaction in a line: `about` says in words what it does, such as "capsule 3f… by alpha". */
const TransactionLine = struct({ id: Digest, kind: text({ min: 1, max: 32 }), about: text({ max: 160 }) });

/** The lowest checkpoint at or above a finalised block, with the names of those whose votes its certificate holds. */
const HoldingCheckpoint = struct({
  number: Height,
  height: Height,
  round: Round,
  votes: list(Name, { max: LIMITS.committeeSize }),
});

export const BlockView = struct({
  block: BlockLine,
  bytes: Count,
  epoch: Height,
  standing: oneOf('final', 'not-final'),
  checkpoint: optional(HoldingCheckpoint),
  /** Certificates that the block rests on: when the leader's wait began and ended on its TPM's clock, ms since startup. */
  startedAtTpmMs: Height,
  endedAtTpmMs: Height,
  /** The first ones; `block.transactions` counts all. */
  transactions: list(TransactionLine, { max: LIMITS.chainLinesMax }),
});

/** A member as this device sees it. */
export const PeerView = struct({
  name: Name,
  node: Digest,
  standing: oneOf('applicant', 'member', 'left', 'expelled'),
  /** Whether its seat is in force: a member has one from the checkpoint after the one that made it a member. */
  seat: oneOf('in-force', 'none'),
  reach: oneOf('self', 'connected', 'lost'),
  /** How long ago it last said where it stands (§14.1), and the height of the head that it said; of the device itself, how it stands. */
  heardMs: optional(Ms),
  headHeight: optional(Height),
  /**
   * Whether its seat takes part. While checkpoints come, silent is who has not said a head that moved eight target intervals ago;
   * where `not-finalising`, who has cast no ballot on the next one.
   */
  voice: oneOf('votes', 'silent', 'none'),
  /** Number of the last certificate with its vote on this branch; 0 for none. */
  votedIn: Height,
  /** How many boxes it offers on the chain, the first of them by name, and the highest level among them (§15.10). */
  boxes: Count,
  firstBox: optional(Name),
  boxTrust: optional(TrustLevel),
  /** Its blocks among the finalised ones of the window, and what its draws would give, in thousandths of a block (§12.5). */
  blocks: Count,
  expectedBlocksMilli: optional(Count),
  /** e-value of its wins in thousandths: beyond 1/α it has won more than chance gives, with error α (§12.5). */
  winsMilli: optional(integer({ min: 0, max: Number.MAX_SAFE_INTEGER })),
  wins: oneOf('as-drawn', 'too-many', 'too-little-data'),
  /** How fast its TPM's clock runs against this device's, parts per million; and over how long that was seen. */
  ratePpm: optional(integer({ min: -1_000_000, max: 1_000_000 })),
  rateOverMs: optional(Ms),
  rate: oneOf('within-tolerance', 'fast', 'slow', 'too-little-data'),
});

/** What the query `chain` is answered with. */
export const ChainView = variant('show', {
  head: HeadView,
  block: BlockView,
  /**
   * By name. `window`: finalised blocks that are counted. `certificates`: number of the last one, for `votedIn`. `seats`: in
   * force, one vote each, and `voting` those of them that are not silent.
   */
  peers: struct({ window: Count, certificates: Height, seats: Count, voting: Count, peers: list(PeerView, { max: LIMITS.chainLinesMax }) }),
  /** `proof`: encoded `CheckpointProof` of the last checkpoint (§13.8). `next`: the first member that it has no room for. */
  state: struct({ proof: bytes({ min: 1, max: LIMITS.checkpointProofBytesMax }), next: optional(Digest) }),
  /** Encoded `MemberEvidence`, which whoever asks compares with the digest in the state (§18.6). */
  evidence: struct({ evidence: bytes({ min: 1, max: LIMITS.memberEvidenceBytesMax }) }),
  /** Encoded `AnchoredSeats` (§20.10). */
  anchor: struct({ seats: bytes({ min: 1, max: LIMITS.anchoredSeatsBytesMax }) }),
  /** The lowest first; each stands on the one before. */
  link: struct({ blocks: list(BareBlock, { max: LIMITS.bareBlocksMax }) }),
});

/** How a client names a block: by its height, or by the beginning of its id in hexadecimal. */
export const BlockChoice = variant('by', {
  height: struct({ height: Height }),
  id: struct({ prefix: text({ min: 4, max: 64, pattern: /^[0-9a-f]+$/, like: '4 to 64 hexadecimal digits' }) }),
});

export const ChainQuestion = variant('show', {
  head: struct({}),
  peers: struct({}),
  block: struct({ block: BlockChoice }),
  /** Core and members of the last checkpoint's state, in the order of node ids: from this one on, so many at most. */
  state: struct({ from: Digest, count: integer({ min: 1, max: LIMITS.membersShownMax }) }),
  /** What a member has shown in a slot that the state keeps. */
  evidence: struct({ node: Digest, slot: Height }),
  /** The checkpoint at this height, of which there is an anchor on layer 1; 0: the genesis. */
  anchor: struct({ height: Height }),
  /** Finalised blocks without their transactions, above a height, up to another. */
  link: struct({ above: Height, to: Height }),
});

export type BlockLine = Infer<typeof BlockLine>;
export type CheckpointLine = Infer<typeof CheckpointLine>;
export type HeadView = Infer<typeof HeadView>;
export type BlockView = Infer<typeof BlockView>;
export type PeerView = Infer<typeof PeerView>;
export type ChainView = Infer<typeof ChainView>;
export type BlockChoice = Infer<typeof BlockChoice>;
export type ChainQuestion = Infer<typeof ChainQuestion>;
