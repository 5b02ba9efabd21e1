/** Every limit of a device's program that is not on the wire, with its reason. Specification §10. */

const KIB = 1024;
const MIB = 1024 * KIB;
const SECOND = 1_000;
const DAY = 24 * 60 * 60 * SECOND;

export const DEVICE_LIMITS = {
  /** Imported keys that are kept: attestation, VRF and operational key of each member of a network of 128, and clients'. */
  importedKeysMax: 1_024,
  /** Right signatures of the chain that are remembered: those of a dozen full blocks and of what waits for the next ones; 1 MiB. */
  rememberedSignaturesMax: 8_192,
  /** Capsules shown in one list: what fits one packet. */
  capsulesListedMax: 500,
  /** Capsules of one client that have not ended: a client that floods only fills its own share. */
  openCapsulesPerClientMax: 200,
  /** Capsules of all clients that have not ended: bounds what a restart must take up again. */
  openCapsulesMax: 2_000,
  /** Runs given to one box at once; it queues what its processors can't take. */
  runsPerBoxMax: 4,
  /** What is said to a box that isn't there: stale orders must not reach it later; duties say them again. */
  downExpirySeconds: 60,
  /** State, result and receipt of a capsule stay on the broker this long; asking again brings them back. */
  newsExpirySeconds: 24 * 3_600,
  /** Capsules whose news is said again after a restart of the broker: as many as one list shows of a client, of a few clients. */
  retainedAgainMax: 2_000,
  /** So many of them at once, and how long until the next: 2,000 take 50 s and leave the broker's queues to answers. */
  retainedAgainCapsules: 8,
  retainedAgainMs: 200,
  /** Topic, properties and heads around the payload of an answer: a topic and a response topic of 256 bytes, and some. */
  answerOverheadBytes: 2 * KIB,
  /** Queries of one client at once, and a second: a person's, or a program's that watches 64 capsules. */
  queryBurst: 100,
  queriesPerSecond: 20,
  /** Capsules of one client that are kept: beyond them the oldest that have ended go before their time. */
  capsulesKeptPerClientMax: 500,
  /** A text output up to this size stands in a JSON result itself. */
  inlineOutputBytesMax: 16 * KIB,
  /** The own broker has opened its listeners by then; connecting to its socket takes milliseconds. */
  ownBrokerWaitMs: 15 * SECOND,
  /** A receipt's evidence must outlast its signing by this, so that a verifier's arithmetic never lies on the edge. */
  evidenceSpareMs: 5 * SECOND,
  /** How often the TPM is asked for its time, to notice that it is gone or was reset. The answer takes a chip 50 ms. */
  tpmWatchMs: 5 * SECOND,
  /** How often duties are done again while nothing happens. */
  dutyIntervalMs: 3 * SECOND,
  /** A client that accepted capsules wait for has this long to deliver their files. */
  inputWaitMaxMs: 3_600 * SECOND,
  /** Fetches at once: each has 512 KiB in flight. */
  blobsCollectedAtOnceMax: 8,
  /** Of these a client, box or peer has so many at once: two keep its line busy while a piece is checked. */
  blobsOfSourceAtOnceMax: 2,
  /** Sources that get their first place though others hold all: the clients and boxes of a device that send at one time. */
  blobSourcesAtOnceMax: 64,
  /** A challenge that has waited this long is asked again with a new nonce, so that its answer is always fresh. */
  challengeAgeMaxMs: 60 * SECOND,
  /** The first check during a run comes this long after its start, at random: short runs are checked too (§6.6). */
  checkAfterMsMin: 1 * SECOND,
  checkAfterMsMax: 20 * SECOND,
  /** A box that has said nothing for this long while it owes something has lost its run. */
  boxSilenceMaxMs: 45 * SECOND,
  /**
   * What the last measurement of a box makes of its offer (§15.10): three of the spans after which a resting box is asked anew at the latest,
   * so that one answer that is lost, and the next, change nothing.
   */
  boxLevelMs: 15 * 60 * SECOND,
  /** For each box the device's TPM closes a secret this often: it takes a chip 0.1 s, and keys may change with every hello. */
  activationEveryMs: 60 * SECOND,
  /** Answers of one box that are judged or wait for that: of its four runs, and of control's own challenge; it is asked again for others. */
  answersJudgedMax: 8,
  /** An executor that has said nothing to the gateway for this long is asked on the chain whether the run goes on (§15.5); it speaks every 3 s. */
  executorSilenceMaxMs: 20 * SECOND,
  /** A run that has not begun this long after its box was drawn is given to another: that box has too much to do. */
  startWaitMaxMs: 3_600 * SECOND,
  /** Beyond its wall time a run may take this long: laying out input, storing outputs, sending them over a slow line. */
  runSpareMs: 3_600 * SECOND,
  /** After its draw a failed attempt waits this long for another box to be drawn: boxes come back within minutes. */
  retryWaitMaxMs: 2 * 3_600 * SECOND,
  /** A gateway has this long to take receipt and outputs before the receipt goes to the chain without its word. */
  deliveryWaitMaxMs: 600 * SECOND,
  /** A run whose assignment is not in the head goes on this long: two blocks of one height take turns for seconds. */
  withdrawalWaitMs: 15 * SECOND,
  /** How often the offered boxes may be said anew on the chain. */
  offersEveryMs: 5 * SECOND,
  /** Ended capsules, receipts and outputs are kept this long. */
  retentionMs: 7 * 24 * 3_600 * SECOND,
  /** How often what is older is forgotten. */
  sweepIntervalMs: 3_600 * SECOND,
  /** Free space that a device keeps for its store and log: below it nothing new is accepted. */
  freeBytesMin: 256 * 1_048_576,

  /** Rounds ahead of a voter's own of which it keeps ballots (§14.3); of later ones it only knows who is there. */
  voteRoundsAhead: 64,
  /** Rounds behind of which it keeps ballots: a decision can still come out of them. */
  voteRoundsBehind: 16,
  /** Values that a voter knows at once: 64 heights with some forks. Who forgets one asks for it again. */
  voteValuesMax: 1_024,

  /** How often an operator's requests about membership are looked at: each costs a look into the blocks since the last time. */
  membershipLookMs: 500,
  /** A request is followed, and its answer kept, this long. */
  membershipRequestMs: DAY,
  /** Requests that are followed at once: an operator has one or two. */
  membershipRequestsMax: 16,
  /** A card of 64 KiB, or an answer that names every member. */
  membershipFileBytesMax: 128 * KIB,
  /** Blocks below the head that are searched for the one that holds a request. */
  membershipBlocksSearchedMax: 256,

  /** A beacon this often keeps every verifier's view under half of the age at which evidence expires. */
  beaconEveryMs: 2 * 60 * SECOND,
  /** Evidence is renewed at the same pace: two renewals may fail before a peer counts it as stale. */
  evidenceEveryMs: 2 * 60 * SECOND,
  /** A peer's evidence is judged at most this often; of those between, the latest. A judgement takes 1 to 30 ms. */
  evidenceJudgedEveryMs: 1 * SECOND,
  /** A peer of whom nothing was heard for so long is unreachable: two of its beacons are missing. */
  peerSilentMs: 5 * 60 * SECOND,
  /** A TPM that is there answers long before; one that is missing should be reported while somebody is looking. */
  tpmOpenMs: 1 * SECOND,
  tpmOpenPauseMs: 50,
  /** Before a request that the TPM refused is made again, or one that a peer can demand at will. */
  tpmRetryMs: 10 * SECOND,
  /** Firmware has some hundred files; a tree of this many is not ours. */
  firmwareFilesMax: 10_000,
  /** A sealed or remembered file of the identity: a few KiB. */
  identityFileBytesMax: 64 * KIB,
  /** What attestation remembers of 128 members: under 2 KiB each. */
  attestationRecordBytesMax: 1 * MIB,
  /** How often attestation looks at what is due. */
  attestationTickMs: 1 * SECOND,
  /** A definition of a board has some 4 KiB, comments included. */
  boardFileBytesMax: 64 * KIB,
  /** Whoever needs evidence of now waits for a beacon and three signatures of a chip: 2 s each, and as much again. */
  evidenceWaitMs: 15 * SECOND,
} as const;

/** What a device takes from one peer at its door, before anything is read (§14.3). */
export const PEER_LIMITS = {
  /** 128 members that pass on two ballots of 128 voters and some hundred transactions within one interval of a second. */
  messagesPerSecond: 512,
  messageBurst: 2_048,
  /** Answers of 1 MiB a second, and as much again for blocks, transactions and ballots. */
  bytesPerSecond: 2 * MIB,
  byteBurst: 8 * MIB,
  /** A peer that goes on beyond that is left alone for a while: reading what will be dropped costs processor time, too. */
  droppedMax: 4_096,
  pauseMs: 30 * SECOND,
  /** Between two lines of the log about the same peer. */
  logEveryMs: 60 * SECOND,
} as const;

/** The chain: what its host and its store allow themselves. */
export const CHAIN_LIMITS = {
  /** Lines of the log about refusals of one peer in a minute: a lying peer must not fill the disk. */
  refusalLinesPerMinute: 6,
  /** Blocks are kept for so many heights below the last checkpoint (§14.4). */
  keptHeights: 100_000,
  /** Of the states of checkpoints, one for so many heights is kept (§14.4). */
  stateEveryHeights: 256,
  /** Rows that one pruning removes, so that it never holds up a block: 100 ms on a card. */
  prunedRowsMax: 2_048,
  /** A checkpoint follows its block within milliseconds; a block without one gets its line in the log after this long. */
  blockLineHeldMs: 2 * SECOND,
  /** Target intervals in which votes, or a head, are due before a device calls its network not finalising, or a member silent. */
  notFinalisingIntervals: 8,
  /** Heights that a peer is ahead before a device says that it is behind. */
  behindHeights: 3,
  /**
   * What came from a peer is passed on after this long, and ballots only while nothing is decided: members that reach one
   * another have it by then, and copies of copies would take most of the time to a certificate.
   */
  relayAfterMs: 50,
  /** Transactions of others that a member passes on: an eighth of what it may say to a peer (`PEER_LIMITS`). Their authors repeat them. */
  relayedTransactionsPerSecond: 64,
  relayedTransactionBytesPerSecond: 256 * KIB,
  /** Messages of others that wait to be passed on. */
  relaysMax: 2_048,
  /** The head on `<device>/chain` is said at most this often: nobody reads faster. */
  headSaidEveryMs: 100,
  /** Checkpoints with an anchor of which the seats are kept, at 8 KiB a member: a quarter of a year of anchors every half hour for four. */
  anchoredKept: 4_096,
  /** Blocks of a slot that are looked through for a member's evidence: 50 ms; a slot of the usual length has 48. */
  evidenceHeightsMax: 1_024,
  /** Before the TPM is asked again for what it refused: a busy chip needs some hundred milliseconds. */
  tpmRetryMs: 500,
  /** How often evidence looks whether the chip is done with the wait of a block, which takes it 2 to 500 ms. */
  chipIdleEveryMs: 10,
} as const;

/** Broker, connections and pairing. */
export const MQTT_LIMITS = {
  /** A port that was chosen is kept for its broker this long: longer than a grid's founding on a slow machine. */
  portReservedMs: 600 * SECOND,
  /** Boxes that one device controls: an owner's rack. Connections that are more are refused by the broker. */
  boxConnectionsMax: 64,
  /** A client may hold several connections: one that watches, one that sends. */
  clientConnectionsMax: 256,
  /** Each member of the largest network, once, and again while a lost connection is not yet noticed. */
  peerConnectionsMax: 256,
  /**
   * Connections of one certificate; a newer one ends the oldest. A person has some commands that watch and some in scripts; a box and
   * a peer have one, and another while the loss of that is not noticed: together these are what their listeners hold.
   */
  connectionsPerCertificateMax: { clients: 32, boxes: 2, peers: 2 },
  /** Connections that are between their handshake and their first packet: what all listeners hold, and as many that went. */
  arrivingConnectionsMax: 1_024,
  /** Taking over a client id at the own socket takes a millisecond. */
  takeOverMs: 2 * SECOND,
  /** People pair one thing at a time; anonymous connections are kept few. */
  pairingConnectionsMax: 8,
  /**
   * Descriptors of a broker beyond its connections: standard streams, listeners, the firmware. The sum is a hard limit,
   * because Mosquitto loses count of a listener's connections as they come and go (its issue 1460).
   */
  brokerDescriptorsSpare: 24,
  /**
   * What the broker holds for one session, in flight and queued, present or absent: 5 MiB. The firmware needs the most: 8
   * fetches with 512 KiB asked for each (4 MiB), and news. More helps nobody but those who leave sessions behind.
   */
  brokerInflightMax: 16,
  brokerInflightBytesMax: 1 * MIB,
  brokerQueuedMessagesMax: 512,
  brokerQueuedBytesMax: 4 * MIB,
  /** The broker needs 12 MiB with a handful of connections; beyond this it drops messages rather than starve the firmware. */
  brokerMemoryBytesMax: 256 * MIB,
  pairingBrokerMemoryBytesMax: 32 * MIB,
  /** A broker above this part of its memory is started anew: what is left fills within seconds, and then nobody gets in. */
  brokerMemoryFullPart: 0.75,
  /** How often that is looked at: one client has filled 10 MiB a second, and a quarter of the memory is 64 MiB. */
  brokerWatchMs: 1 * SECOND,
  /** A broker that has listened this long without an answer never will answer; twice the longest wait of a reconnection. */
  brokerSilentMs: 10 * SECOND,
  /** A silent connection is noticed after one and a half of these. */
  brokerKeepAliveSecondsMax: 60,
  /** A broker that does not listen after this long never will: it takes about 20 ms, on a loaded board a second. */
  brokerStartMs: 10 * SECOND,
  /** A broker looks at its signals ten times a second, on a loaded machine three times; one that hangs is killed by then. */
  brokerSignalMs: 500,
  brokerSignalsMax: 20,
  /** A broker that is told to stop does so at once; after this it is killed. */
  brokerStopMs: 2 * SECOND,
  /** Between restarts of a broker that keeps dying. */
  brokerRestartMinMs: 100,
  brokerRestartMaxMs: 10 * SECOND,
  /** A broker that has lived this long did not die of its start, so the next restart is quick again. */
  brokerSettledMs: 60 * SECOND,
  /** Lines of a broker's last words that go into an error. */
  brokerLastWordsMax: 8,
  /** One line of a broker's log, which Mosquitto cuts at 1,000; client ids and topics in it are other people's text. */
  brokerLineCharactersMax: 1_024,
  /** The path of a Unix socket has to fit `sockaddr_un` with its final zero. */
  socketPathBytesMax: 107,

  /** Messages and bytes that wait for a broker's acknowledgement; more are dropped and said so. */
  outgoingMessagesMax: 4_096,
  outgoingBytesMax: 64 * MIB,
  /** A broker on the same machine or network answers at once; a longer wait only finds dead ones later. */
  connectMs: 10 * SECOND,
  reconnectMinMs: 100,
  reconnectMaxMs: 5 * SECOND,
  keepAliveSeconds: 30,
  /** What waits is sent before a connection is closed, for this long at most. */
  closeMs: 2 * SECOND,

  /** An authority's own certificate, and those that a device gives to itself: as long as the board lives. */
  authorityValidMs: 20 * 365 * DAY,
  /** A door stays open for so long after a window was used, should the answer have been lost; a stranger repeats every two seconds. */
  pairingAnswerMs: 60 * SECOND,
  /** A file of the registry or of a window: under 1 KiB. */
  pairingFileBytesMax: 8 * KIB,
  /** Changes in the folders of pairing that come together are read once. */
  pairingSettleMs: 20,
  /** Windows open at a time: a rack that is set up. Each takes 9 bytes of the TPM's memory, of which chips have 6 KiB for all. */
  pairingWindowsMax: 8,
  /** The firmware opens a window in the time that a code takes to stretch: 2 s on a slow board, and its broker as long. */
  pairingOpenWaitMs: 15 * SECOND,
  /** A wish for a window waits this long for the firmware; an older one comes from a restored disk. */
  pairingWishMs: 60 * SECOND,
  /** Names whose attempts are remembered for as long as a window lasts; each attempt takes the TPM some 10 ms at least. */
  pairingNamesTriedMax: 1_024,
  /** Talks with strangers in memory, 1 KiB each: as many as can be connected. The oldest gives way. */
  pairingTalksMax: 32,
  /** From a stranger's first word to its last: a slow box takes 2 s for the code, and repeats what was lost every 2 s. */
  pairingTalkMs: 30 * SECOND,
  /** The last attempt in a window has this long for its confirmation. */
  pairingConfirmMs: 10 * SECOND,
  /** Calls in one talk, after which a stranger is not heard: greet, share, confirm, abandon. */
  pairingCallsMax: 4,
  /** Names that a device certifies, living and expelled: bounds its registry and its revocation lists. */
  pairedNamesMax: 4_096,
} as const;

/** The consensus core: what it holds in memory for others, and how long it waits for them (§14.3). */
export const CONSENSUS_LIMITS = {
  /** Blocks asked for and not come: those of a held branch and of every peer's head, many times over. */
  askedMax: 4_096,
  /** Vouchers of the latest blocks, 700 bytes each: four of each of the most members, for votes by keys that the chain has replaced. */
  shownVouchersMax: 4_096,
  /** Ids of finalised blocks in memory; of older ones the store is asked. */
  spineHeightsMax: 1_024,
  /**
   * Blocks so far below the newest of a branch are thin: every 16th state stays in memory, and of the rest some are remembered. Of 10,000
   * without a checkpoint 23 MB are left instead of 84 MB, or of 2 GB where blocks are full.
   */
  wholeHeights: 256,
  wholeStateEveryHeights: 16,
  remadeStatesMax: 16,
  /** Blocks of one leader and height that are taken unasked: an equivocator makes as many as it likes. */
  rivalBlocksMax: 4,
  /** Blocks that are not due yet, of one peer and in all. */
  heldPerPeerMax: 64,
  heldMax: 512,
  /** Blocks whose parent is not known, of one peer (§14.3), and bytes of all of them: 300 blocks of full size. */
  orphansPerPeerMax: 64,
  orphanBytesMax: 64 * MIB,
  /** Digests of what was refused, and of messages that were taken: what comes again is not judged again. */
  refusedMax: 4_096,
  seenMax: 16_384,
  /** Undecided transactions, of one peer (§14.3), own ones, and bytes of all of them. */
  transactionsPerPeerMax: 256,
  ownTransactionsMax: 1_024,
  poolBytesMax: 16 * MIB,
  /** Transactions judged anew when the head moves: a millisecond each on a board. */
  rejudgedPerHead: 128,
  /** Heights after which an own transaction that no state accepts is given up. */
  ownTransactionHeights: 64,
  /** Candidates for a block: what may be refused comes on top of what fits. */
  candidatesMax: 1_024,
  /** Finality certificates in one block: a chain that finalises late catches up. */
  certificatesPerBlock: 16,
  /** Ballots by members whose key, or of instances which, is not known yet; of one member, and in all. */
  earlyBallotsPerNode: 16,
  earlyBallotsMax: 1_024,
  /**
   * Signature checks that may come to nothing by what one peer says: a member passes on what it has checked, so these are messages by
   * keys of which this member has not heard yet. At once, the ballots of a network whose members all start anew; 0.2 ms each on a board.
   */
  failedChecksPerSecond: 32,
  failedChecksBurst: 512,
  /** What reading and judging a card costs, in such checks: certificates, keys and ten signatures, 8 ms on a board. */
  cardChecks: 32,
  /** Heights and leaders for which a peer's announcements have had one more block taken. */
  liftedSlotsMax: 256,
  /** Heights of which a member's endorsements are remembered, and how far above the head they may lie: what decides is the latest two or three. */
  endorsedHeights: 16,
  /** Certificates that wait for their block, and checkpoints of which the voters are remembered. */
  pendingCertificatesMax: 128,
  rememberedCheckpoints: 64,
  /** Keys by vouchers that are on no branch yet, of one member. */
  gossipedKeysMax: 4,
  /** Peers that are listened to. */
  peersMax: 1_024,
  /** Requests under way or waiting. */
  wantsMax: 64,
  /** A request that was not answered after this long is sent to another peer (§14.2). */
  requestMs: 5 * SECOND,
  /** After every peer was asked in vain. */
  wantRestMs: 5 * SECOND,
  /** A peer that has pruned what is asked for is asked again after this long: it will not have it then either. */
  prunedRestMs: 10 * 60 * SECOND,
  /** A kept chain whose last checkpoint is older than this proves nothing about the present: keys of members that left may be anybody's (§13.7). */
  trustWindowMs: 30 * DAY,
  /** Blocks below a checkpoint to start from: states are 256 heights apart, and checkpoints 64. */
  joinBlocksMax: 1_024,
  /** An answer may be lost with a connection. */
  joinTries: 3,
  /** A chunk this often stays within what a peer answers in a second. */
  joinPieceEveryMs: 70,
  /** After every peer was asked for a checkpoint in vain. */
  joinRestMs: 30 * SECOND,
  /** Answers to one peer (§14.3). */
  answerBytesPerSecond: 1 * MIB,
  /** What stands around the blocks of an answer in its packet. */
  answerEnvelopeBytes: 4 * KIB,
  /** A question to the TPM that was not answered after this long is asked again: the slowest command takes 2 s. */
  tpmAnswerMs: 30 * SECOND,
  /** Rest after a refusal of the TPM. */
  tpmRestMs: 500,
  /** VRF proofs kept: some heights ahead. */
  proofsMax: 64,
} as const;

/** The simulated wires (§16.4): both ends read what the other says, and either may be anything. */
export const WIRE_LIMITS = {
  /** A message has some 50 bytes; a display takes 1 KiB at a time in pieces of `transferBytesMax`. */
  frameBytesMax: 4_096,
  /** As a header of a board has: offsets beyond are none. */
  linesMax: 64,
  /** What an SMBus block transfer carries. */
  transferBytesMax: 32,
  /** Of one batch: a fan of 30,000 rpm makes 100 in a tenth of a second. */
  edgesMax: 10_000,
  /** Requests that wait for their answer: sixteen sensors of three registers, and as many lines. */
  openRequestsMax: 128,
  /** The rack answers within a millisecond; a machine that does everything at once may take this long. */
  answerMs: 2 * SECOND,
  /** Before a broken wire is joined again. */
  rejoinMs: 1 * SECOND,
} as const;
