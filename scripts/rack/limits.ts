/** Every limit of the simulated rack, with its reason. Pure. Specification §16.4. */
export const RACK_LIMITS = {
  /** How often time passes for the boxes: a press is seen within this, and a fan's edges are told. */
  tickMs: 100,
  /** How often processor time is read: at 100 ticks of the kernel a second, a share is known to two hundredths. */
  loadEveryMs: 500,
  /** A mainboard takes half a minute; nobody waits for that at a bench. */
  bootMs: 500,
  /** A device, a person with `npm run board`, and those that a person forgot. */
  connectionsMax: 16,
  /** What may wait for a board that does not read: half a minute of two fans; then its wires are cut. */
  unreadBytesMax: 64 * 1_024,
  /** Boxes of one rack: a bench has four, and the status of all fits one message. */
  boxesMax: 16,
  /** Of a message of `npm run rack`. */
  messageBytesMax: 64 * 1_024,
  /** Between starts of an agent that ends by itself: as the grid does with its devices. */
  restartMinMs: 200,
  restartMaxMs: 10_000,
  /** An agent that ran this long has recovered. */
  settledMs: 30_000,
  /** A rack that is told to end gives its agents this long. */
  endMs: 8_000,
  /** A hand on a button, in milliseconds; as the press of a board. */
  pressMinMs: 1,
  pressMaxMs: 60_000,
  /** `npm run rack` waits for an answer. */
  answerMs: 3_000,
} as const;
