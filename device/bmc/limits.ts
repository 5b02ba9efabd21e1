/** The limits of talking to a box's management controller, each with its reason. Pure. Specification §10, §16.5. */

const KIB = 1024;
const MIB = 1024 * KIB;
const SECOND = 1_000;

export const BMC_LIMITS = {
  /** How often power and intrusion are asked, and sensors are worth asking: a session of IPMI costs a BMC a tenth of a second. */
  pollMs: 2 * SECOND,
  samplePeriodMs: 5 * SECOND,
  /** A state, an order, a request: slow BMCs take a second or two. */
  commandMs: 10 * SECOND,
  /** All sensors, one after the other, and the repository that describes them: 200 records at some 20 ms to 200 ms. */
  sensorsMs: 30 * SECOND,
  repositoryMs: 60 * SECOND,
  /** What a BMC does when the device ends is waited for no longer: whoever stopped the device waits 8 s. */
  closeMs: 3 * SECOND,
  /** After a refused password: BMCs lock a user out who is wrong again and again. */
  accessRestMs: 60 * SECOND,
  /** Samples after which a box that was switched on has shown what its BMC can sense: a boot takes some of them. */
  looksForMore: 12,
  /** Sensors of a large server are 200, of which half are analog. */
  sensorsMax: 256,
  /** Output of ipmitool: 256 lines of 150 bytes. */
  outputBytesMax: 128 * KIB,
  /** An answer of Redfish: 256 expanded sensors of 2 KiB. */
  answerBytesMax: 1 * MIB,
  /** RMCP+ takes 20 bytes; Redfish leaves it to the service. */
  ipmiPasswordBytesMax: 20,
  passwordBytesMax: 256,
  /** A PEM file of an authority, or some. */
  authorityBytesMax: 64 * KIB,
} as const;
