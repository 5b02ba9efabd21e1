/** Limits of the agent alone, each with its reason. What both ends of the wire must know stands in `protocol/limits.ts`. */

const MiB = 1024 * 1024;

/** The private /tmp of a capsule may hold up to this: like /out it is memory, and the device never asks for more. */
export const scratchBytesMax = 1024 * MiB;

/** Memory file systems count in pages: less than one cannot be given. */
export const pageBytes = 4096;

/** Files and folders under /out: a folder for each file at worst, and the root. */
export const outputEntriesMax = 2 * 1024 + 1;

/** Files and folders in /tmp: each costs about a kibibyte of kernel memory. */
export const scratchEntriesMax = 65_536;

/** Depth of a path in a capsule or an output. Deeper trees are loops or attacks. */
export const pathDepthMax = 32;

/** Bytes of a path's segment: the limit of Linux file systems. */
export const pathSegmentBytesMax = 255;

/** Bytes of one progress line: a number and a short note. */
export const progressLineBytesMax = 4096;

/** Bytes on the progress channel in one run, 20,000 lines or so; more is a flood. */
export const progressBytesMax = MiB;

/** Bytes of the sandbox's own complaint that go into a report. */
export const complaintBytesMax = 2048;

/** How often a running capsule is measured. The kernel's own bounds hold in between. */
export const sampleMs = 50;

/** A sandbox that is not set up after this long is broken: the median is 5 ms. */
export const sandboxStartMs = 20_000;

/** bubblewrap ends within a millisecond of the first process that it watches; one that lingers is killed as well. */
export const sandboxEndMs = 1_000;

/** How long removal of a limit group is tried: the kernel releases the dead within milliseconds. */
export const groupRemovalMs = 5_000;

/** Shared memory of a capsule (/dev/shm): what container engines give by default. */
export const sharedMemoryBytes = 64 * MiB;

/** Open files of one process in a capsule: enough for a database, too few to exhaust the host. */
export const openFilesMax = 4096;

/** Workspaces that one machine's agents may hold at a time; each has a user id of its own. */
export const workspaceSlots = 65_536;

/** A workspace folder without an owner note may belong to an agent that is just starting; older ones are stale. */
export const ownerlessStageMs = 60_000;

/** How long one interpreter may take to tell its version: a cold Java virtual machine needs about a second. */
export const runtimeVersionMs = 10_000;

/** Characters of an interpreter's version that are kept: a line on a screen. */
export const runtimeVersionCharactersMax = 120;

/** Runs at one time: half of the processors, since a capsule may use several, and at least one. */
export function runsAtOnceMax(processors: number): number {
  return Math.max(1, Math.floor(processors / 2));
}

/** Runs that a box holds in all, in line and reported ones included: what a hello can list. */
export const runsHeldMax = 64;

/** A forgotten run is remembered this long, so that a late copy of its assignment does not start it again. */
export const forgottenMs = 15 * 60_000;

/** Forgotten runs remembered at most, a kibibyte each; beyond them the oldest goes before its time. */
export const forgottenMax = 4_096;

/** An assignment or a challenge that is older was meant for another moment; the device repeats each within a minute. */
export const orderAgeMaxMs = 5 * 60_000;

/** First wait before a report is repeated; each wait is twice the last. */
export const reportRepeatMs = 10_000;

/** Longest wait between two copies of a report. */
export const reportRepeatMaxMs = 5 * 60_000;

/** A record that the disk refused is written again after this long. */
export const persistAgainMs = 5_000;

/** Least time between two messages of progress of one run: a person sees no more. */
export const progressIntervalMs = 250;

/** What every capsule gets for its private /tmp, memory of the machine; the manifest has no word on it. */
export const scratchBytes = 256 * MiB;

/** After a piece of a log that is not full: lines that come one by one are sent together, within what a device hears of a box (§6.7). */
export const logIntervalMs = 50;

/** Blobs kept for the next capsule that uses them. What runs need is kept besides. */
export const blobCacheBytesMax = 16 * 1024 * MiB;

/** Blobs fetched at one time, with eight pieces of each in flight. */
export const blobsAtOnceMax = 4;

/** Files of a run written through to the disk at one time: the journal takes many in one go. */
export const filesKeptAtOnce = 16;

/** Half a blob that nobody continued for a day is removed. */
export const partialBlobMs = 24 * 3_600_000;

/** Asks for output that wait while earlier ones are read from the disk; the device asks again for what is dropped. */
export const needsWaitingMax = 64;

/** Messages that a fetch has not written to the disk yet; beyond its window of asks they are repetitions. */
export const chunksWaitingMax = 16;

/** How long a starting agent waits for the reports of runs that it did not survive; a full disk may take longer. */
export const restoreMs = 5_000;

/** How long a stopping agent waits for its capsules to end and its reports to leave: systemd gives 90 s. */
export const stopMs = 30_000;

/** A record of a run: a report and its frame. */
export const runRecordBytesMax = 96 * 1024;

/** Lists of installed packages: 2,000 packages make 100 KiB. */
export const packageListBytesMax = 16 * MiB;

/** How long one program of tpm2-tools may take: making an RSA key takes a slow chip half a minute. */
export const tpmToolMs = 90_000;

/** What such a program prints: a page. */
export const tpmToolOutputBytesMax = MiB;

/** Answers whose logs are kept for the device to fetch: those of a few runs at once. */
export const logAnswersKept = 8;

/** How long a package manager may take to list what is installed. */
export const packageListMs = 30_000;

/** Kernel memory of a capsule's processes, page tables and file names, above what the capsule asked for. */
export const memoryOverheadBytes = 16 * MiB;

/** Processes of the sandbox itself in a capsule's group: bubblewrap, outside and inside. */
export const processOverhead = 2;

/** Progress, asks and pieces that nobody took within a minute have been said again, or never matter again. */
export const telemetrySeconds = 60;

/** How often the box says that it is there; a device takes 45 s of silence for a loss (protocol/README.md §6.4). */
export const helloIntervalMs = 15_000;

/** Challenges answered at one time: the device asks once before and once after each run. */
export const challengesAtOnceMax = 8;

/** How long a device may take to open its door and to answer a call: milliseconds; a TPM and a slow board together take 1 s. */
export const pairingWaitMs = 10_000;

/** A call is said again after this long; the device answers the same call with the same answer. */
export const pairingRepeatMs = 2_000;

/** MQTT messages and bytes that wait for a broker's acknowledgement; more are dropped and said so. */
export const outgoingMessagesMax = 4_096;
export const outgoingBytesMax = 64 * MiB;

/** How long a broker may take to answer: it does so at once, and a longer wait only finds dead ones later. */
export const connectMs = 10_000;

/** Through another broker: two connections to that, a turn through it, and TLS by it. */
export const connectThroughMs = 30_000;

/** An opening of a stream through another broker is said again after this; the device may be connecting. */
export const relayOpenRepeatMs = 2_000;

/** A device that gives no word for this long is not behind that broker: it answers within a turn through it. */
export const relayAnswerMs = 12_000;

/** Until a pairing broker is reached through another: a device that does not answer is told of, with the reason. */
export const pairingThroughWaitMs = 20_000;

/** How often a stream through another broker looks at the clock. */
export const relayTickMs = 1_000;

/** A password at another broker: MQTT allows 65,535 bytes, people use fewer than 100. */
export const passwordBytesMax = 1_024;

/** A certificate with its chain, or the authorities that vouch for one: a system's whole list has 220 KiB. */
export const pemBytesMax = MiB;

/** Between attempts to reach a broker again: from the first to the longest. */
export const reconnectMinMs = 100;
export const reconnectMaxMs = 5_000;

/** A device that can't be reached for so long is said to be away, with the reason; one that was started anew is back by then. */
export const awayMs = 5_000;

/** A silent connection is noticed after one and a half of these. */
export const keepAliveSeconds = 30;

/** What waits is sent before a connection is closed, for this long at most. */
export const closeMs = 2_000;
