/** Every limit of the duty of anchors, with its reason. Pure. Specification §20.9. */

const SECOND = 1_000;

export const ANCHOR_LIMITS = {
  /** Epochs that are not final on layer 1: ten days of an outage at one an hour. The oldest must be posted first, so newer ones are not taken. */
  waitingMax: 256,
  /** Final ones that are kept, for proofs of their leaves. */
  finalKept: 32,
  /** Each device waits so much longer than the one before it in the order of an anchor: several blocks of the slowest chains. */
  turnMs: 60 * SECOND,
  /** The same where all chains are on this machine. */
  turnHereMs: 6 * SECOND,
  /** All turns of a challenge are over after one part of so many of its window: the rest is for fees to fall, and to get into a block. */
  challengesPart: 4,
  /** How often the contract is looked at. */
  lookMs: 12 * SECOND,
  /** Of what one member says of its votes the last counts, once in so long: each may ask for 32 checks of signatures. */
  heardEveryMs: 1 * SECOND,
  /** After the chip, or the contract, has refused. */
  againMs: 60 * SECOND,
  /** Blocks that are asked for posts at a time: what public endpoints answer at once. */
  postBlocksMax: 1_000,
  /** Ranges of blocks at one look, one after the other: a device that starts has seen all after four looks. */
  postRangesMax: 4,
  /** Blocks before the newest in which a device that starts looks for open posts: nine hours of blocks of two seconds. */
  postBlocksBack: 16_000,
  /** Blocks that are looked at again, for a reorganisation may have changed them. */
  postBlocksAgain: 64,
  /** Posts that are remembered, of each endpoint: as many as can be open, several times over. */
  postsMax: 256,
  /** Posts of one anchor that are read: the last of them stands there, and a reorganisation may exchange it for one before. */
  postsOfAnchorMax: 4,
  /** What this device is owed is fetched when it comes to so many bonds, for fetching costs gas as well; or when a post lacks funds. */
  owedBonds: 4n,
} as const;
