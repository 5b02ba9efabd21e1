/** What a member holds of the evidence of others and of votes on it, and how far it looks. Specification §10, §14.3, §18. */
export const TRUST_LIMITS = {
  /** Blocks below the head that are read at a start: some slots of the usual 48 heights, and 2 s on a board. */
  lookBackHeights: 4_096,
  /** Pieces of evidence of one member and slot: the chain takes one, and a member that was restarted may have said another before. */
  evidencePerSlotMax: 4,
  /** Rounds of a judgement that are counted, before and after the own one: waits grow, so two slots hold about a dozen. */
  voteRoundsApart: 16,
  /** Ballots on evidence, or by keys, that are not known yet; of one peer, and in all. */
  earlyPerPeerMax: 64,
  earlyMax: 1_024,
  /** Digests of ballots that were counted: two steps of a few rounds of all judgements of 128 members. */
  seenMax: 16_384,
  /** Signature checks that may come to nothing by what one peer says until the head moves: a member passes on what it has checked. */
  failedChecksPerHead: 64,
  /** Proofs of moments and challenges: two a slot, of the slots that count. */
  proofsMax: 8,
  /** What was said to the operator: some words about each slot of 1,024 members. */
  toldMax: 8_192,
} as const;
