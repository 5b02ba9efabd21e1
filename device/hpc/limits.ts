/** What a device hears of its boxes, each limit with its reason. Pure. Specification §6.7, §10. */

const KIB = 1024;
const MIB = 1024 * KIB;
const SECOND = 1_000;

/** What a device takes from one box at its door, before anything is read (§6.7). */
export const BOX_LIMITS = {
  paces: {
    /** One at each connection and every 15 s; each makes the device look at all that it owes. */
    hello: { messagesPerSecond: 1, messageBurst: 16, bytesPerSecond: 64 * KIB, byteBurst: 1 * MIB },
    /** Evidence of four runs, progress of each four times a second; at a new connection 64 reports of 80 KiB. */
    words: { messagesPerSecond: 32, messageBurst: 256, bytesPerSecond: 1 * MIB, byteBurst: 8 * MIB },
    /** Asks for input, 64 KiB each, and logs of four runs, 16 MiB each: faster than a line of 500 Mbit/s. */
    transfer: { messagesPerSecond: 1_024, messageBurst: 4_096, bytesPerSecond: 32 * MIB, byteBurst: 64 * MIB },
  },
  /** Pieces that the device has asked for and that may come whenever they do: more than all of its fetches have in flight. */
  askedMax: 512,
  /** A box that goes on beyond that is left alone: reading what will be dropped costs processor time and the place of others' words. */
  droppedMax: 256,
  /** For how long; twice as long at each time, so that one which always does it is hardly heard. */
  pauseMs: 30 * SECOND,
  pauseMaxMs: 3_600 * SECOND,
  /** After this long without another time it is taken for a box like others. */
  forgivenMs: 6 * 3_600 * SECOND,
  /** The broker is asked again for what it did not take. */
  rightsAgainMs: 1 * SECOND,
  /** Lines of the log about what one box said in vain, in a minute. */
  ignoredLinesPerMinute: 6,
  /** What a box says of itself is kept for the next start: one that says something else each time must not wear the disk. */
  helloKeptEveryMs: 60 * SECOND,
  /** Of runs that this device does not remember a box is told to forget one each so often. */
  foreignRunEveryMs: 5 * SECOND,
} as const;
