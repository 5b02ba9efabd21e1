/**
 * A box's report against the manifest that it was given: what no honest run could have left. Pure. Specification §9.2.
 *
 * Device and verifier judge by the same rules, so that a device never closes a capsule with a receipt that is refused.
 * Times here are all of one clock, the box's, but for the deadline.
 */
import type { Outcome, Report, SoftwareState } from './box-messages.ts';
import type { EndReason } from './capsule.ts';
import { LIMITS } from './limits.ts';
import { conflictAmong, type Manifest } from './manifest.ts';
import { harmless } from './schema.ts';

/** A sentence on the first contradiction. `software`: what the box said it has, where that is at hand. */
export function objectionToReport(report: Report, manifest: Manifest, software?: SoftwareState): string | undefined {
  return (
    objectionToPolicy(report, manifest) ??
    objectionToOutcome(report.outcome) ??
    objectionToTimes(report) ??
    objectionToUsage(report, manifest) ??
    objectionToOutputs(report, manifest) ??
    (software && objectionToRuntimes(report, manifest, software))
  );
}

const MIB = 1024 * 1024;

/** Reasons for which a run is killed, and for which one fails without having been; the others are the device's own. */
const KILL_REASONS: readonly EndReason[] = [
  'wall-time',
  'cpu-time',
  'memory',
  'processes',
  'log-flood',
  'output-size',
  'output-files',
  'signal',
  'cancelled-by-client',
];
const FAIL_REASONS: readonly EndReason[] = [
  'runtime-missing',
  'entry-missing',
  'sandbox-unavailable',
  'blob-missing',
  'blob-wrong',
  'disk-full',
  'output-size',
  'output-files',
  'agent-restarted',
  'cancelled-by-client',
];

/** A timer on a busy box fires late. */
const WALL_SLACK_MS = 5_000;
/** The kernel has to free what a killed run held: a tebibyte takes minutes, so a tenth of the limit counts as well. */
const KILLED_WALL_SLACK_MS = 60_000;
/** A timer fires a millisecond early at most; the rest is rounding. */
const EARLY_MAX_MS = 1_000;
/** Processor time is read every 50 ms, in which 256 processors spend 13 s. */
const CPU_SLACK_MS = 30_000;
/** How much longer than the run itself its frame may be: laying out the input, storing the outputs, 100 GB at 30 MB/s. */
const FRAME_MAX_MS = 3_600_000;
/** The most that a wall clock, set right by NTP meanwhile, may show less than the monotonic one. */
const CLOCK_SLACK_MS = 5_000;
/**
 * What a control group counts above the processes' own memory, /out aside: /tmp (1 GiB), shared memory (64 MiB), the
 * kernel's own (16 MiB), a page for each output file (4 MiB), and batches of pages for each processor.
 */
const MEMORY_BESIDE_MAX_BYTES = 1_152 * MIB;

/** A slack, or a tenth where that is more. */
function withSlack(limit: number, slack: number): number {
  return limit + Math.max(slack, limit / 10);
}

/** Whether the capsule's own code may have run. A `failed` run may never have begun. */
function hasRun({ outcome }: Outcome): boolean {
  return outcome !== 'failed';
}

function objectionToPolicy(report: Report, { policy }: Manifest): string | undefined {
  if (policy.replicas !== 1) return `the manifest asks for ${policy.replicas} replicas; one box's report can't stand for them`;
  if (policy.deadlineMs === undefined || !hasRun(report.outcome)) return undefined;
  if (report.startedAtMs <= policy.deadlineMs + LIMITS.clockSkewMaxMs) return undefined;
  return `the run began ${report.startedAtMs - policy.deadlineMs} ms after the deadline of its manifest`;
}

function objectionToOutcome(outcome: Outcome): string | undefined {
  if (outcome.outcome === 'exited') return undefined;
  const possible = outcome.outcome === 'killed' ? KILL_REASONS : FAIL_REASONS;
  return possible.includes(outcome.reason) ? undefined : `the report says ${outcome.outcome} by ${outcome.reason}, which can't be`;
}

function objectionToTimes({ startedAtMs, endedAtMs, usage, outcome }: Report): string | undefined {
  const frameMs = endedAtMs - startedAtMs;
  if (frameMs < 0) return `the report has its end ${-frameMs} ms before its start`;
  if (usage.wallMs > withSlack(frameMs, CLOCK_SLACK_MS))
    return `the report has a run of ${usage.wallMs} ms between times ${frameMs} ms apart`;
  if (hasRun(outcome) && frameMs > withSlack(usage.wallMs, FRAME_MAX_MS))
    return `the report has times ${frameMs} ms apart around a run of ${usage.wallMs} ms`;
  return undefined;
}

function objectionToUsage({ usage, outcome }: Report, { limits }: Manifest): string | undefined {
  const wallSlackMs = outcome.outcome === 'exited' ? WALL_SLACK_MS : KILLED_WALL_SLACK_MS;
  if (usage.wallMs > withSlack(limits.wallMs, wallSlackMs)) return beyond(`a run of ${usage.wallMs} ms`, `${limits.wallMs} ms`);
  if (usage.cpuMs > withSlack(limits.cpuMs, CPU_SLACK_MS)) return beyond(`${usage.cpuMs} ms of processor time`, `${limits.cpuMs} ms`);
  if (wasKilledBy(outcome, 'wall-time') && usage.wallMs + EARLY_MAX_MS < limits.wallMs)
    return `the report has a run killed for its time after ${usage.wallMs} ms of ${limits.wallMs} ms`;
  // Where a box has no control groups, a run may be over its limit for as long as a sample takes; then it is killed.
  const memoryBytesMax = limits.memoryBytes + limits.outputBytes + MEMORY_BESIDE_MAX_BYTES;
  if (outcome.outcome === 'exited' && usage.memoryBytesMax > memoryBytesMax)
    return beyond(`${usage.memoryBytesMax} bytes of memory`, `${memoryBytesMax}, with its files in memory`);
  return undefined;
}

function wasKilledBy(outcome: Outcome, reason: EndReason): boolean {
  return outcome.outcome === 'killed' && outcome.reason === reason;
}

/** Outputs and log are cut at the limit, so these bounds are exact. */
function objectionToOutputs({ outcome, outputs, stdout, stderr }: Report, { limits }: Manifest): string | undefined {
  const logBytes = stdout.bytes + stderr.bytes;
  if (logBytes > limits.logBytes) return beyond(`${logBytes} bytes of log`, `${limits.logBytes} bytes`);
  if (outcome.outcome !== 'exited' && outputs.length > 0) return `the report has outputs of a run that was ${outcome.outcome}`;
  const conflict = conflictAmong(outputs.map(({ path }) => path));
  if (conflict !== undefined) return `the report ${conflict} among the outputs`;
  const outputBytes = outputs.reduce((sum, { bytes }) => sum + bytes, 0);
  return outputBytes > limits.outputBytes ? beyond(`${outputBytes} bytes of output`, `${limits.outputBytes} bytes`) : undefined;
}

function objectionToRuntimes({ outcome }: Report, { runtime }: Manifest, { runtimes }: SoftwareState): string | undefined {
  const names = runtimes.map(({ name }) => name);
  const twice = names.find((name, index) => names.indexOf(name) !== index);
  if (twice !== undefined) return `the box lists the runtime "${harmless(twice, 80)}" twice`;
  if (!hasRun(outcome) || names.includes(runtime)) return undefined;
  return `the manifest asks for the runtime "${runtime}", which the box does not have`;
}

function beyond(used: string, limit: string): string {
  return `the report has ${used}; its manifest allows ${limit}`;
}
