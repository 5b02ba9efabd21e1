/** The limits of control, each with its reason. Pure. Specification §10, §17. */

const SECOND = 1_000;

export const CONTROL_LIMITS = {
  /** A box with a run that has said nothing for two intervals of its hello is cut off. */
  silenceAtWorkMs: 30 * SECOND,
  /** Without a run it may miss one more: whoever rests may restart. */
  silenceMs: 45 * SECOND,
  /** How often control looks at what is due. */
  lookEveryMs: 1 * SECOND,
  /** A look that comes this late says that the device itself stood still: nobody's silence counts for that time. */
  standstillMs: 5 * SECOND,
  /** Evidence that did not come is asked for again: the box may not have been introduced to the device yet. */
  evidenceAskedEveryMs: 3 * SECOND,
  /** Then with a new nonce, so that the answer is fresh (§6.3). */
  challengeAgeMaxMs: 60 * SECOND,
  /** A box that rests is asked again so long after its last answer, at a drawn moment: often enough that it is no refuge, and seldom enough to cost nothing. */
  askedAgainMs: { min: 60 * SECOND, max: 300 * SECOND },

  /**
   * Readings in a row: one beyond a limit is a glitch, two are not; an end, and a broken sensor, take one more. Of the last eight three
   * beyond it are none either, whatever comes between them.
   */
  tripReadings: { beyond: 2, within: 3, failed: 3, last: 8, beyondOfLast: 3 },
  /** 2 °C: less is the noise of a thermometer. */
  temperatureMarginMilliCelsius: 2_000,
  /** Periods of a sensor without a reading that make a gap: one may be late, one lost. */
  gapPeriods: 4,
  /** The shortest period at which a box is sampled, whatever its definition says: a bus of 16 sensors takes some 20 ms. */
  periodMinMs: 100,
  /** A box without a run is sampled this often: nothing is integrated, and what is worth knowing at once comes by its edge. */
  periodAtRestMs: 1 * SECOND,
  /** Sensors that tell edges are read at least this often: a reading from before an edge is no older. */
  readingStandsMaxMs: 5 * SECOND,
  /** A box that shall be on. Rest: one whose power LED alone is dark says hello meanwhile, and a press would switch it off. Presses that bring nothing come ever less often. */
  keepOn: { restMs: 20 * SECOND, pauseMinMs: 10 * SECOND, pauseMaxMs: 300 * SECOND, settledMs: 60 * SECOND },
  /** Wires that could not be opened are tried again: a BMC may be starting. */
  openAgainMs: 10 * SECOND,
  /** A BMC that refused the password is left alone for longer: it locks a user out who is wrong again and again. */
  openRefusedAgainMs: 60 * SECOND,

  /** A reading on its topic: at most this often, and after so long though it has not moved. */
  sensorSaidEveryMs: 1 * SECOND,
  sensorSaidAgainMs: 60 * SECOND,
  /** It has moved if by more than this part, or than its accuracy. */
  sensorStepPart: 50,
  /** How often a client is told what its run takes. */
  energySaidEveryMs: 1 * SECOND,

  /** What meters have counted is written this often: a device that dies loses no more of it, and the disk hardly notices. */
  metersKeptEveryMs: 10 * SECOND,
  /** Runs of one box: as many as it may hold in all. */
  metersKeptMax: 64,

  /** Means over this long are levels of power: longer than the start of a program, shorter than most runs. */
  levelWindowMs: 30 * SECOND,
  /** A shorter run is over before heat, fans and regulators have followed it. */
  judgedRunMs: 10 * SECOND,
  /** What a box has said before its power went may still be on its way so long. */
  wordsOnTheirWayMs: 5 * SECOND,
  /** A kernel counts its time a little otherwise than we do, and power comes some seconds before it. */
  uptimeSpareS: 60,

  /** A command is for now: one that was on its way for longer would switch what somebody else has switched since. */
  commandAgeMaxMs: 30 * SECOND,
  /** Commands of which the answer is remembered, so that a repeated one does nothing: those of an age, many times over. */
  commandsRememberedMax: 256,
  /** Boxes whose wiring one configuration may name: as many as may connect. */
  boxesMax: 64,
  /** Operators' requests that are dealt with at one time; the others wait. */
  deskRequestsMax: 16,
  /** A box and a verb. */
  deskRequestBytesMax: 1_024,
  /** 64 boxes, or 257 readings of one, with a sentence of 500 characters each and three bytes to a character. */
  deskAnswerBytesMax: 1_024 * 1_024,
  /** Of one box: all sensors of a BMC, and its intrusion switch. */
  deskReadingsMax: 257,
  /** What stands against a box, in an answer: more than anybody reads. */
  deskObjectionsMax: 16,
  /** Requests and answers that nobody has come for go after this long. */
  deskAnswerKeptMs: 60 * SECOND,
  /** A firmware that runs takes a request within milliseconds; one that has not noticed it looks every 3 s. */
  deskTakenWaitMs: 6 * SECOND,
  /** A press takes 5.5 s, and an order to a BMC its turn behind all sensors, a question and itself. */
  deskAnswerWaitMs: 60 * SECOND,
  /** How often whoever waits for an answer looks. */
  deskLookMs: 50,
} as const;
