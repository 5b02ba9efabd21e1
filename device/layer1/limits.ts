/** Every limit of the way to layer 1, with its reason. Pure. Specification §20.8. */

const KIB = 1024;
const MIB = 1024 * KIB;
const SECOND = 1_000;
const DAY = 24 * 60 * 60 * SECOND;

export const LAYER1_LIMITS = {
  /** One answer of an endpoint: a block's header has 2 KiB, a receipt with the events of our contracts 8. */
  answerBytesMax: 1 * MIB,
  /** From the question to the last byte of the answer: public endpoints answer within a second; who takes longer is away. */
  answerMs: 10 * SECOND,
  /** The same for a device that starts: it asks seven things, one after the other, and goes on without after 15 s. */
  startAnswerMs: 2 * SECOND,
  /** Blocks by which heads of one chain's endpoints lie apart: a node that is this far behind answers about another time. */
  headsApartMax: 64,
  /** Blocks that are final where a chain names none as final: two epochs of Ethereum, ten minutes of most others. */
  finalityDepthBlocks: 64,
  /** Blocks whose prevrandao is looked at. */
  probedBlocks: 5,
  /** How often the chain is looked at while something is under way. */
  lookMs: 4 * SECOND,
  /** The same while nothing is: a look is 14 questions to each endpoint, and many endpoints count them. */
  idleLookMs: 60 * SECOND,
  /** The same where all endpoints are on this machine: it costs nobody else anything. The bench chain has a block in this time. */
  lookHereMs: 2 * SECOND,
  /** A transaction that is in no block for this long gets a higher fee: several blocks of the slowest chains. */
  bumpAfterMs: 60 * SECOND,
  /** A transaction that is in no block is said again after this long: nodes forget what they hold. */
  sayAgainMs: 30 * SECOND,
  /** Attempts at one nonce: 9/8 to the power of 32 is forty times the first fee. */
  attemptsMax: 32,
  /** EIP-7825: no transaction may have more gas. */
  gasMax: 16_777_216,
  /** What a transaction carries: votes of 128 places are 14 KiB; contract creation up to 48 KiB (EIP-3860), with its arguments. */
  dataBytesMax: 64 * KIB,
  /** One part of so many of a day's budget is left to challenges by posts: a challenge is a few hundred thousand gas, and carries no bond. */
  challengesPart: 4n,
  /** Wei for a unit of gas, as a receipt names it: more than any chain has coins. What an endpoint makes up stays within what is stored. */
  priceMax: 2n ** 96n,
  /** Intentions that are open: epochs of a week of outage. */
  openMax: 256,
  /** Ended ones are remembered this long, so that the same name is not done twice. */
  rememberedMs: 30 * DAY,
  /** Of an endpoint's own words in a log or a table. */
  wordsMax: 200,
} as const;

/** What is asked without TLS is on this machine (§4.5). @param endpoints of the network file */
export function areHere(endpoints: readonly string[]): boolean {
  return endpoints.every((url) => url.startsWith('http://'));
}

/** Between two looks at a chain. */
export function lookMsFor(endpoints: readonly string[]): number {
  return areHere(endpoints) ? LAYER1_LIMITS.lookHereMs : LAYER1_LIMITS.lookMs;
}
