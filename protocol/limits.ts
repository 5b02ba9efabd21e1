/**
 * Every limit of the protocol, with its reason. Specification §10.
 *
 * A limit that concerns one program only stands in that program's own `limits.ts`.
 */

const KIB = 1024;
const MIB = 1024 * KIB;
const SECOND = 1_000;
const MINUTE = 60 * SECOND;
const HOUR = 60 * MINUTE;
const DAY = 24 * HOUR;

export const LIMITS = {
  /** Names stand in certificates (common name ≤ 64, RFC 5280), topics and file names. */
  nameCharactersMax: 32,
  /** Our longest topic has under 200 characters; MQTT allows 65,535. */
  topicCharactersMax: 256,
  /** Our deepest topic has 9 levels; Mosquitto ends the connection of whoever publishes at more than 200. */
  topicLevelsMax: 32,
  /** Correlation data come back with the answer: an id or a digest, never a load. Ours have 16 bytes. */
  correlationBytesMax: 256,
  /** One MQTT packet: a chunk plus its envelope. Bounds what a broker must buffer for one publication. */
  packetBytesMax: 256 * KIB,
  /** One piece of a blob: a quarter of a packet, so that 8 in flight stay under the broker's default queue. */
  chunkBytesMax: 64 * KIB,
  /** Pieces of one blob asked for at once: 512 KiB in flight fill a 100 Mbit/s line at 40 ms. */
  chunksInFlightMax: 8,
  /** A piece that has not come after this long is asked for again; 512 KiB at 1 Mbit/s take 4 s. */
  chunkWaitMs: 10 * SECOND,
  /** Asks for one piece, each waiting twice as long as the last: five minutes in all, longer than a broker's restart. */
  chunkAsksMax: 5,
  /** A blob travels through MQTT up to this size; more belongs on a store of its own. */
  blobBytesMax: 1024 * MIB,

  /** Lists and maps inside one another: ours are 8 deep (proofs of finality); reading them is recursive. */
  cborDepthMax: 16,
  /** Single values, lists and maps of one message: ours have at most 13,000 (1,000 capsules of a client); more take too long. */
  cborItemsMax: 32_768,

  /** A signed message that carries no evidence. */
  signedBytesMax: 64 * KIB,
  /** Quote, certified time, credentials and event log of a device take about 6 KiB; three times that is room to grow. */
  evidenceBytesMax: 32 * KIB,
  /** What a box says of itself: up to 64 runtimes at about 150 bytes, and a quote with registers of 1 KiB. */
  boxEvidenceBytesMax: 12 * KIB,
  /** What it says during a run: a digest, and a quote with registers of 1 KiB. */
  boxCheckBytesMax: 2 * KIB,
  /** Checks during one run: what a receipt has room for, and a box still answers beside its work. */
  boxChecksMax: 3,
  /** A run of this length has been checked: the first moment is within 20 s, and an answer may take a minute (§6.6). */
  uncheckedRunMsMax: 90 * SECOND,
  /** UEFI firmware leaves 20 to 100 KiB (Linux reserves 64 KiB and grows); certificates of Secure Boot are the most of it. */
  bootLogBytesMax: 512 * KIB,
  /** Events of a boot: machines have 50 to 300; GRUB measures each of its commands. */
  bootEventsMax: 4_096,
  /** One event: the largest are lists of certificates (dbx, 30 KiB). */
  bootEventBytesMax: 128 * KIB,
  /** A name of a boot event, for people. */
  eventNameCharactersMax: 80,
  /** 65,536 files at 256 bytes, a long path or a signature with each. */
  imaLogBytesMax: 16 * MIB,
  /** Servers measure some thousands in a boot, workstations tens of thousands; twice what reference values list. */
  imaEntriesMax: 65_536,
  /** What was measured between quote and log: 2,000 files; a machine that starts measures hundreds in a second. */
  imaUncoveredBytesMax: 256 * KIB,
  /** What is read of a log before others have a turn: 2 ms, 10 ms on a small board. */
  imaEntriesPerTurn: 256,
  /** Files that a refusal names: what people read. */
  fileDeparturesMax: 64,
  /** One entry: a path (PATH_MAX 4,096), a digest, and a signature of RSA-4096. */
  imaEntryBytesMax: 8 * KIB,
  /** `ima-sig`, and room. */
  imaTemplateNameBytesMax: 16,
  /** A piece of a log that travels as a blob: of a growing log only the last one travels again. */
  logPartBytes: 256 * KIB,
  /** Known event sequences of one register: a boot differs by menu, cable and power button. */
  referenceAlternativesMax: 8,
  /** Known final values of one register: the releases that an operator allows. */
  referenceValuesMax: 64,
  /** Files that IMA may show on a box: a distribution's programs and libraries. */
  referenceFilesMax: 32_768,
  /** Digests of one file: its versions, over an update. */
  referenceDigestsMax: 8,
  /** Reference values as a file: 32,768 files at 250 bytes in JSON. */
  referenceBytesMax: 16 * MIB,
  /** A run's report: up to 1,024 outputs with short paths, or fewer with long ones. */
  reportBytesMax: 80 * KIB,
  /** A receipt carries manifest, report, a device's evidence, a box's keys, two pieces of its evidence and three checks, and still fits one packet. */
  receiptBytesMax: 236 * KIB,
  /** A founding network of 128 members, at about 6 KiB each. */
  networkBytesMax: 1 * MIB,

  /** Founding members of a network: what one receipt check and one gossip of everybody with everybody still bears. */
  membersMax: 128,
  /** Certificate authorities for endorsement keys: every TPM vendor has a handful of roots and intermediates. */
  endorsementAuthoritiesMax: 256,
  /** Two digests, a nonce, a time and a signature: about 250 bytes. */
  beaconBytesMax: 512,
  /** A credential names three keys and two devices: about 450 bytes. */
  credentialBytesMax: 1 * KIB,
  /** Credentials shown in one piece of evidence; two are demanded. */
  credentialsMax: 8,
  /** Known-good firmware, addon and board digests of a network. */
  referencesMax: 256,
  /** Layer-1 chains of a network: the one in use, one that it moves to, and two in reserve. Each costs gas an epoch. */
  layer1ChainsMax: 4,
  /** Endpoints of one chain that are compared: every question is asked of all of them. */
  layer1EndpointsMax: 4,
  /** Places of a committee for an anchor: a draw of so many has a false quorum of a false third with a chance below 10^-14 (§20.2). */
  anchorPlacesMax: 128,
  /** Draws of an anchor's committee that may be tried: with a quarter of the seats absent all of them fail never. */
  anchorRounds: 16,
  /** Votes on anchors that a member says at a time, for each chain of layer 1: of as many as the contract lets stand open. */
  anchorsSaidMax: 32,
  /** These votes for all chains, at about 500 bytes each. */
  anchorVotesBytesMax: 64 * KIB,
  /** Events measured into PCR 14: bundle, addon, board definition, and room for more. */
  measuredEventsMax: 32,
  /** A certificate in DER: EK certificates have 1 to 2 KiB. */
  certificateBytesMax: 4 * KIB,
  /** Extensions of one certificate: vendors use 6 to 10. */
  certificateExtensionsMax: 32,
  /** Certificates between an endorsement key and an authority: vendors have one or two. */
  certificateIntermediatesMax: 4,
  /** A TPM structure: the largest we take, a TPM2B_PUBLIC or TPMS_ATTEST, is under 1 KiB. */
  tpmStructureBytesMax: 2 * KIB,
  /** TPM2B_DIGEST: SHA-512 at most (TPM 2.0 Part 2 section 10.4.2). */
  tpmDigestBytesMax: 64,
  /** TPM2B_NAME: algorithm and digest, or a handle (Part 2 section 10.4.9). */
  tpmNameBytesMax: 66,
  /** TPM2B_DATA: a TPMT_HA (Part 2 section 10.4.3). */
  tpmDataBytesMax: 66,
  /** TPM2B_PUBLIC_KEY_RSA: RSA-4096; chips have 2048 and 3072. */
  tpmRsaBytesMax: 512,
  /** TPM2B_ECC_PARAMETER: P-521. */
  tpmEccParameterBytesMax: 66,
  /** Contents of an NV index that one NV_Certify can show (libtpms: 1,024). */
  tpmNvBytesMax: 1_024,
  /** TPML_PCR_SELECTION: HASH_COUNT of the reference code. */
  tpmPcrBanksMax: 16,
  /** 24 registers are 3 bytes; the structure allows 32 (Part 2 section 10.6.1). */
  tpmPcrMaskBytesMax: 4,
  /** A quote's beacon may be this old (§3.5): longer than the pace of beacons, short for a replay. */
  beaconAgeMaxMs: 5 * MINUTE,
  /** Clocks of honest machines agree within this (NTP: milliseconds; a Pi without an RTC just after boot: seconds). */
  clockSkewMaxMs: 30 * SECOND,

  /** Files of one capsule: code and input. More belong in an archive. */
  capsuleFilesMax: 1_024,
  /** About 900 files with short paths; more belong in an archive. A receipt carries the whole manifest. */
  manifestBytesMax: 80 * KIB,
  /** A file given inside a JSON request, before it is stored as a blob: it has to fit one packet in base64. */
  inlineBytesMax: 128 * KIB,
  /** A path inside a capsule or among its outputs. */
  pathCharactersMax: 255,
  /** Parts of such a path: deeper trees are loops or attacks. */
  pathDepthMax: 32,
  /** UTF-8 bytes of one part: what the file systems of Linux take. */
  pathSegmentBytesMax: 255,
  argumentsMax: 64,
  argumentCharactersMax: 4_096,
  environmentMax: 64,
  /** Files that a run may leave in its output folder. */
  outputFilesMax: 1_024,
  outputBytesMax: 1024 * MIB,
  memoryBytesMin: 16 * MIB,
  memoryBytesMax: 1024 * 1024 * MIB,
  processesMax: 4_096,
  wallMsMax: 7 * DAY,
  logBytesMax: 16 * MIB,
  /** A deadline further away is a mistake in units more often than a wish. */
  deadlineMaxMs: 30 * DAY,
  /** Runtimes that one box can report. */
  runtimesMax: 64,
  /** A rack of accelerators draws a tenth of it; what claims more does not measure one box. */
  boxWattsMax: 100_000,
  /** How often a capsule is given to a box before the device reports that no box could finish it. */
  attemptsMax: 3,

  /** Seats that all vote on a checkpoint; beyond, a committee does (§13.1): 128 certificates' votes are 18 KiB. */
  votersMax: 128,
  /** Drawn voters of a larger network: of 400, one third is reached by a quarter of bad members once in 10^4 draws. */
  committeeSize: 400,
  /** Seats that all admit newcomers; beyond, so many are drawn for an epoch (§11.5): with a third false, captured once in 10^8 draws. */
  admissionCommitteeSize: 64,
  /** Heights between two checkpoints: bounds a proof of finality, at 900 bytes a header. */
  checkpointStepMax: 64,
  /** Members, applicants and members that left: bounds the state at 8 KiB each. */
  chainMembersMax: 1_024,
  /** Applicants for whom nobody honest has vouched, the oldest of whom gives way to one more: one a block, so each stands so many blocks. */
  applicationsOpenMax: 32,
  /** For so many heights an application keeps others of its chip or name away: activation and evidence take a few checkpoints. */
  applicationStandsHeights: 32,
  /** After so many heights an applicant that is no member is forgotten: a day at 20 s a block. */
  applicationKeepHeights: 4_096,
  /** Blocks that change the seats between two certified checkpoints: bounds the core of the state at 16 lists of seats. */
  seatChangesMax: 16,
  /** Seeds since the last certified checkpoint: without checkpoints a seed stays, so there are two more at most (§12.1). */
  seedsMax: 4,
  /** The core of a state: 17 lists of 1,024 seats at 34 bytes, and three more with a byte of weight for each. */
  coreBytesMax: 768 * KIB,
  /** A member's card of 16 KiB, and 1,024 nodes that vouched for it. */
  memberRecordBytesMax: 64 * KIB,
  /** Evidence on the chain: quote, signature, registers and up to 32 events take 3 KiB; five times that is room to grow. */
  memberEvidenceBytesMax: 16 * KIB,
  /** Drawn judges of a verdict: at 31 a third of false seats captures one draw in 10,000, and their votes take 4 KiB. */
  judgesMax: 31,
  /** Seats that qualify below which all seats judge: of two one can decide by its weight, of three a silent one stops the others. */
  judgesLeast: 4,
  /** Slots of which draws and evidence are kept: one to show and judge in, one for late verdicts, one for what all seats judge. */
  trustSlotsKept: 3,
  /** Heights in which a subject may reveal a planted challenge before all seats judge: leaders of eight blocks in a row are no third of the seats. */
  revealHeights: 8,
  /** Credit is a share of a thousand. */
  creditMax: 1_000,
  /** Of a founder: a second weight, so that newcomers rise to founders and not above them. */
  creditOfFounder: 256,
  /** Whoever has lost all, or is new, shows good evidence for 64 slots before it is drawn. */
  creditToJudge: 128,
  /** Credit for each weight above one. */
  creditOfWeight: 256,
  /** Of a judge: more would let a few old members decide. */
  weightMax: 4,
  /** Divisor of what is lacking: in an ordinary verdict, where being right is the rule. */
  creditGainSmall: 128,
  /** The same where it is known that the word was right. */
  creditGain: 32,
  /** Divisor of the credit that a wrong word costs: two of them take the highest weight to the lowest. */
  creditLoss: 2,
  /** The same for silence, which is charged only above `creditToJudge`: who never answers is soon drawn no more, and loses no more than that. */
  creditOmission: 8,
  /** What good evidence of one's own gives below `creditToJudge`: at 4 a slot, judges that lie or sleep came back faster than they fell. */
  creditOwn: 2,
  /** Operational keys that are remembered of a member: its ballots of the last boots still count in certificates. */
  memberKeysMax: 4,
  /** Checkpoints for which a member answers for contrary ballots by keys that the chain has forgotten: a day at 20 s each. */
  contradictionCheckpointsMax: 4_096,
  /** A block fits one packet with its envelope. */
  blockBytesMax: 224 * KIB,
  /** About 600 bytes: draw 256, start certificate 250, digests. */
  headerBytesMax: 1 * KIB,
  /** One TPMS_ATTEST of TPM2_GetTime: 100 to 180 bytes. */
  timeAttestationBytesMax: 512,
  /** A member card, by far the largest transaction, is under 16 KiB; certificates of 400 votes are 64 KiB. */
  transactionBytesMax: 80 * KIB,
  /** Transactions of one block: 500 bytes each fill it. */
  transactionsPerBlockMax: 512,
  /** A voucher: quote, signature, two registers, event log. */
  voucherBytesMax: 8 * KIB,
  /** A signed ballot: about 260 bytes. */
  ballotBytesMax: 1 * KIB,
  /** A proposal with a quorum of prevotes of 400. */
  proposalBytesMax: 128 * KIB,
  /** Rounds of one checkpoint: they take longer and longer, so that this many are weeks. */
  roundsMax: 10_000,
  /** Blocks in one answer of a peer, and ancestors that one request may ask for. */
  ancestorsMax: 64,
  /** Boxes that one member offers on the chain. */
  chainBoxesPerMemberMax: 64,
  /** Runtimes of one offered box: with 64 boxes 40 KiB of state for a member at most. */
  chainRuntimesMax: 16,
  /** Capsules on the chain that have not ended; ended ones are kept for `chainCapsuleKeepHeights`. */
  chainCapsulesMax: 10_000,
  /** Capsules on the chain, ended ones included: bounds the state at 450 bytes each. */
  chainCapsulesKeptMax: 50_000,
  /** A gateway's share of both, whatever the seats: an even share of a network of 1,024 would be 9 capsules at a time. */
  gatewayCapsulesMin: 64,
  /** A capsule that nobody has ended is given up then: longer than the farthest deadline and the longest run together. */
  chainCapsuleOpenMaxMs: 40 * DAY,
  /** So many heights above the first block that draws, its leader may lead the second as well: others may be away. */
  drawOtherLeaderHeights: 4,
  /** Blocks that may hold an executor's answer to a retry: colluding leaders of a third of them keep it out of all once in 700 times. */
  retryAnswerHeights: 6,
  /** Chain time that it has at least, which a leader can date ahead by the clock skew: devices restart and reconnect in seconds. */
  retryAnswerMs: 15 * SECOND,
  /** After an answer the gateway may ask again so many heights later: each question costs the executor a transaction. */
  retryAgainHeights: 16,
  /** Boxes ranked for capsules by one block (§15): 40 ms of digests; who was left out is drawn by a later block. */
  boxRanksPerBlockMax: 2_048,
  /** Heights for which an ended capsule is remembered, so that its transactions are known when they come again. */
  chainCapsuleKeepHeights: 256,
  /** A submission is taken for this long after the gateway accepted it; shorter than what is remembered would be safe at any pace. */
  submissionAgeMaxMs: 60 * MINUTE,
  /** Certificates in one of which a member's vote must stand for its boxes to be drawn (§15). */
  voteSilenceMax: 16,
  /** Changes of seats since the genesis in one proof of finality, each with a certificate: more need a network file of later. */
  seatChangesShownMax: 64,
  /** A proof of finality as it goes to a client. */
  finalityProofBytesMax: 192 * KIB,
  /** A proof of state as it goes to a client: some 20 members at 8 KiB; in base64 it fits one packet. */
  checkpointProofBytesMax: 160 * KIB,
  /** What a device shows of an anchor's checkpoint in one answer: some 20 cards of 8 KiB. */
  anchoredSeatsBytesMax: 160 * KIB,
  /** An anchor as a file: its seats, and a link of 2,048 blocks. */
  anchorFileBytesMax: 3 * MIB,
  /** Blocks from a transaction up to the anchor above it, at 900 bytes each: half a day at 20 s. */
  anchorLinkMax: 2_048,
  /** Such blocks in one answer. */
  bareBlocksMax: 96,
  /** Members in one proof of state. */
  membersShownMax: 16,
  /** A member's trust as a file: a proof of state and three pieces of evidence. */
  trustFileBytesMax: 256 * KIB,
  /** The state at a checkpoint, as it goes to a member that starts from there: 22 MiB of capsules, and 40 KiB for each of 1,024 members. */
  stateBytesMax: 64 * MIB,

  /** Members, or transactions of a block, in one answer about the chain: 400 bytes each in JSON fit one packet. */
  chainLinesMax: 512,

  /** Text from a party, for people: reasons, notes of progress. */
  noteCharactersMax: 500,
  /** Log text in one message. */
  logChunkBytesMax: 16 * KIB,

  /** A pairing window is open this long: a walk from one machine to the other, and time to log in there. */
  pairingWindowMs: 15 * MINUTE,
  /** Attempts in one window: two slips of the finger and a doubt; with 35 bits a guesser succeeds in one window of 7·10⁹. */
  pairingAttemptsMax: 5,
  /** What a person types or scans: host name of 253, kind, name, code. */
  pairingTypedCharactersMax: 400,
  /** Two keys of 150 bytes together, sealed, with a confirmation. */
  pairingRequestBytesMax: 1 * KIB,
  /** The network file as an answer to pairing carries it, inside one packet; whoever founds a larger network hands it out. */
  pairingNetworkBytesMax: 192 * KIB,
  pairingAnswerBytesMax: 208 * KIB,
  /** Bytes of one frame through another broker (§5.7): a record of TLS; brokers with small packets take it. */
  relayDataBytesMax: 16 * KIB,
  /** With number, words and heads. */
  relayFrameBytesMax: 16 * KIB + 64,
  /** Frames of one direction in flight: 512 KiB fill a 100 Mbit/s line at 40 ms; brokers queue 1,000 by default. */
  relayFramesInFlightMax: 32,
  /** Frames of a session that bring nothing; a broker that keeps to MQTT makes none while a connection lasts. */
  relayUselessFramesMax: 1_024,
  /** A frame that is missing for so long never comes: brokers keep the order, and send on within milliseconds. */
  relayGapMs: 10 * SECOND,
  /** Two pings of an agent, and as long as a connection that is gone takes to be noticed. */
  relayStallMs: 60 * SECOND,
  /** An agent pings every 30 s, and loses three of them before. */
  relaySilenceMs: 120 * SECOND,
  /** Client and box certificates: renewed by pairing again. */
  certificateValidMs: 365 * DAY,
} as const;
