/** Limits of the client library, each with its reason. What both sides of the wire must keep is in `protocol/limits.ts`. */
const SECOND = 1_000;
const KIB = 1024;

export const CLIENT_LIMITS = {
  /** A request is repeated with the same correlation data after this long: twice the slowest answer of a busy device. */
  repeatMs: 3 * SECOND,
  /** A device killed in the middle of a request is back within a minute, its TPM's start included. */
  answerWaitMs: 90 * SECOND,
  /** A first connection takes a second on a loaded board; whoever waits longer would rather be told. */
  connectWaitMs: 6 * SECOND,
  /** While a capsule is watched its device is asked for its state this often, in case that news got lost. */
  watchQueryMs: 10 * SECOND,
  /** After the result the receipt follows at once; two more queries of slack. */
  receiptWaitMs: 30 * SECOND,
  /** A checkpoint follows within two blocks where two thirds of the members vote; on a network of chips that is a minute, which nobody has to wait for. */
  finalityWaitMs: 15 * SECOND,
  /** A retained status comes with the subscription or not at all. */
  statusWaitMs: 3 * SECOND,
  /** A device shows the evidence of a new operational key within seconds; a chip that signs slowly, or two resets, take more. */
  newKeyWaitMs: 60 * SECOND,
  /** A download that brings no byte for this long has no one at the other end. */
  downloadSilenceMs: 90 * SECOND,
  /** Requests on their way at one time. */
  requestsMax: 64,
  /** News of one capsule waiting for a slow reader: 1,024 log messages of 16 KiB are 16 MiB. */
  newsMax: 1_024,
  /** Capsules watched at one time by one client. */
  watchesMax: 64,
  /** Blobs offered at one time: the files of a few capsules. */
  offersMax: 8_192,
  /** Needs of the device that wait for the disk; the device asks again for what was dropped. */
  needsMax: 64,
  /** Read at once when files are hashed. */
  readBytes: 256 * KIB,
} as const;

export type ClientTimes = Pick<
  { readonly [K in keyof typeof CLIENT_LIMITS]: number },
  'repeatMs' | 'answerWaitMs' | 'watchQueryMs' | 'receiptWaitMs' | 'statusWaitMs' | 'newKeyWaitMs' | 'downloadSilenceMs'
>;
