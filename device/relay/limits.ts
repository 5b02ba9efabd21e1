/** Limits of the device's side of streams through another broker, each with its reason. Specification §5.7. */

const SECOND = 1_000;

export const RELAY_LIMITS = {
  /** Sessions, and so many connections more at the listeners: half a rack of boxes, and a few that pair. */
  sessionsMax: { boxes: 32, pairing: 4 },
  /** Connecting through another broker takes two connections to that, a turn through it, and TLS by it. */
  connectMs: 30 * SECOND,
  /** Openings taken: all boxes of a site whose broker was started anew, and what they try again. */
  openings: { messagesPerSecond: 8, messageBurst: 64, bytesPerSecond: 4_096, byteBurst: 65_536 },
  /** Openings beyond that, before it was full again, after which nobody is listened to for a while. */
  openingsDroppedMax: 256,
  /** For how long at first, and at most; six hours without another time make it the first one again. */
  pauseMs: 30 * SECOND,
  pauseMaxMs: 3_600 * SECOND,
  forgivenMs: 6 * 3_600 * SECOND,
  /** A box has shown its certificate within this, on a slow board with a full queue. */
  unusedMs: 30 * SECOND,
  /** A talk of pairing takes seconds, and may be begun anew. */
  pairingMs: 120 * SECOND,
  /** How often sessions look at the clock. */
  tickMs: 1 * SECOND,
  /** Sessions that were there, in memory: an opening that comes late, or again, opens nothing. */
  endedMax: 1_024,
  /** Lines of the log about sessions that were refused or ended badly, in a minute. */
  linesPerMinute: 12,
  /** A password: MQTT allows 65,535 bytes, people use fewer than 100. */
  passwordBytesMax: 1_024,
  /** A certificate with its chain, or the authorities that vouch for one: a system's whole list has 220 KiB. */
  pemBytesMax: 1_048_576,
  /** The way by which a box came is noted anew when it is another, or after this: it may come often. */
  wayNotedEveryMs: 60 * SECOND,
} as const;
