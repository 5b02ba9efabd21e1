/** What a modelled race is given, and what is counted in it. */

/**
 * What the forged chips do with the blocks that they can make at any time:
 * `honest`: wait as others do. `fast-clock`: good chips, 1.2 times fast. `ahead`: send the block before it is due, so that it is taken at its
 * due everywhere. `late`: one tolerance after its due, to start the next wait before the others. `on-rival`: keep it
 * until a rival block appears. `private`: build a chain of its own in secret, and show as much of it as beats the others
 * (selfish mining, Eyal and Sirer 2014). `fork`: hide nothing, but build on its own block instead of a rival's wherever its next
 * draws, which it knows, make that pay.
 */
export type Trick = 'honest' | 'fast-clock' | 'ahead' | 'late' | 'on-rival' | 'private' | 'fork';

export interface RaceSettings {
  readonly nodes: number;
  /** The first ones are forged. */
  readonly forged: number;
  readonly trick: Trick;
  readonly heights: number;
  readonly targetIntervalMs: number;
  readonly minimumWaitMs: number;
  /** To send and judge a block, in the mean; each message takes 50 to 150 % of it. */
  readonly delayMs: number;
  /** Both certificates of a good chip. */
  readonly certifyMs: number;
  /** Without §12.4 for comparison: whatever looks right is taken at once. */
  readonly held: boolean;
  /** The tolerance of §12.4 as a share of the target interval. */
  readonly toleranceShare: number;
  /** For comparison: whether a block that is shown late counts from its date, if that is earlier than when it was seen. */
  readonly dated: boolean;
  /** After how much of the target interval a head is endorsed that is not final (§12.8); Infinity, for comparison, for never. */
  readonly endorsedAfterShare: number;
  /** Whether a member finishes its own wait when a rival with a longer one was taken before. */
  readonly goesOn: boolean;
}

export interface RaceOutcome {
  /** Blocks of the chain in the end. */
  readonly height: number;
  readonly forgedWins: number;
  /** Heights of that chain at which the shortest wait was a forged chip's: what it would have won without tricks and delays. */
  readonly forgedDrawn: number;
  /** Heights with more than one block. */
  readonly forkedHeights: number;
  readonly reorganisationMax: number;
  readonly finalised: number;
  /** Finalised blocks that are not in the chain of somebody. */
  readonly finalisedReverted: number;
  /** How often a node had to leave a head for a certificate of another branch. */
  readonly overruled: number;
  /** Of honest blocks at honest nodes: how many had to wait until their due, and how many were never taken although their parent was. */
  readonly honestHeldShare: number;
  readonly honestRefused: number;
  readonly meanIntervalMs: number;
}
