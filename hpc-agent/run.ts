/**
 * One run of a capsule on this box, as a pure machine: assigned → fetching → running → reported → forgotten.
 * Specification §6.4.
 *
 * Effects are performed in order, so what is persisted before something is said stands before it in the list. Whatever
 * happens there is one report for one run: its bytes are stored before they leave and repeated until acknowledged.
 */
import type { Outcome, Report } from '#protocol/box-messages.ts';
import type { EndReason } from '#protocol/capsule.ts';
import { reportRepeatMaxMs, reportRepeatMs } from './limits.ts';
import type { RunRecord } from './run-record.ts';

export type Run =
  /** In line for a place. */
  | { readonly state: 'assigned'; readonly capsule: Uint8Array }
  | { readonly state: 'fetching'; readonly capsule: Uint8Array }
  | { readonly state: 'running'; readonly startedAtMs: number }
  /** Told to stop, and not ended yet. `startedAtMs` is absent while it was fetching. */
  | { readonly state: 'stopping'; readonly cause: EndReason; readonly startedAtMs?: number }
  /** Over; its report is being signed and stored. */
  | { readonly state: 'closing' }
  | { readonly state: 'reported'; readonly report: Uint8Array; readonly waitMs: number }
  | { readonly state: 'forgotten'; readonly sinceMs: number };

/** What a run was and left, before the box puts its name to it. */
export type Draft = Omit<Report, 'network' | 'device' | 'box' | 'run' | 'capsule'>;

/** How the work ended. */
export type Ending = Pick<Draft, 'outcome' | 'usage' | 'outputs' | 'stdout' | 'stderr'>;

export type RunEvent =
  | { readonly event: 'assignedAgain' }
  | { readonly event: 'placeGiven' }
  | { readonly event: 'inputFetched'; readonly atMs: number }
  /** Of a fetch that was stopped, too. */
  | { readonly event: 'inputRefused'; readonly outcome: Outcome; readonly atMs: number }
  | { readonly event: 'ended'; readonly ending: Ending; readonly atMs: number }
  | { readonly event: 'cancelled'; readonly reason: EndReason; readonly atMs: number }
  | { readonly event: 'agentStopping'; readonly atMs: number }
  /** Of a run whose record an earlier agent left: its sandbox died with that agent. */
  | { readonly event: 'agentRestarted'; readonly atMs: number }
  /** The answer to the effect `sign`. */
  | { readonly event: 'reportSigned'; readonly report: Uint8Array }
  | { readonly event: 'connected' }
  | { readonly event: 'repeatDue' }
  | { readonly event: 'acknowledged'; readonly atMs: number };

export type RunEffect =
  | { readonly effect: 'persist'; readonly record: RunRecord }
  | { readonly effect: 'say'; readonly state: 'fetching' | 'running' | 'reported' | 'unknown'; readonly note?: string }
  | { readonly effect: 'lineUp' }
  | { readonly effect: 'leavePlace' }
  | { readonly effect: 'fetch' }
  | { readonly effect: 'start' }
  /** Ends a fetch or the sandbox; its end is told by `inputRefused` or `ended`. */
  | { readonly effect: 'stop' }
  | { readonly effect: 'sign'; readonly draft: Draft }
  | { readonly effect: 'send'; readonly report: Uint8Array }
  | { readonly effect: 'repeatAfter'; readonly waitMs: number }
  /** Let go of what the run left and, after a while, of its folder. */
  | { readonly effect: 'forget' };

export interface RunStep {
  readonly run: Run;
  readonly effects: readonly RunEffect[];
}

/** SHA-256 of nothing. */
const emptyDigest = Uint8Array.fromHex('e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855');

export const NOTHING_LEFT = {
  usage: { wallMs: 0, cpuMs: 0, memoryBytesMax: 0 },
  outputs: [],
  stdout: { digest: emptyDigest, bytes: 0 },
  stderr: { digest: emptyDigest, bytes: 0 },
} satisfies Omit<Ending, 'outcome'>;

/** A new run. @param capsule digest of its manifest */
export function assignRun(capsule: Uint8Array, atMs: number): RunStep {
  const persist: RunEffect = { effect: 'persist', record: { stage: 'assigned', capsule, assignedAtMs: atMs } };
  return { run: { state: 'assigned', capsule }, effects: [persist, { effect: 'say', state: 'fetching' }, { effect: 'lineUp' }] };
}

/** The run as its record has it after a restart; `agentRestarted` is the next event. */
export function restoreRun(record: RunRecord): Run {
  switch (record.stage) {
    case 'assigned':
      return { state: 'stopping', cause: 'agent-restarted' };
    case 'running':
      return { state: 'stopping', cause: 'agent-restarted', startedAtMs: record.startedAtMs };
    case 'reported':
      return { state: 'reported', report: record.report, waitMs: reportRepeatMs };
    case 'forgotten':
      return { state: 'forgotten', sinceMs: record.forgottenAtMs };
  }
}

/** The run after `event`, and what is to be done. An event that means nothing in this state changes nothing. */
export function stepRun(run: Run, event: RunEvent): RunStep {
  switch (event.event) {
    case 'assignedAgain':
    case 'connected':
      return { run, effects: standing(run) };
    case 'placeGiven':
      return run.state === 'assigned' ? { run: { ...run, state: 'fetching' }, effects: [{ effect: 'fetch' }] } : unchanged(run);
    case 'inputFetched':
      return inputFetched(run, event.atMs);
    case 'inputRefused':
      return inputRefused(run, event.outcome, event.atMs);
    case 'ended':
      return ended(run, event.ending, event.atMs);
    case 'cancelled':
      return stopped(run, event.reason, event.atMs);
    case 'agentStopping':
      return stopped(run, 'agent-restarted', event.atMs);
    case 'agentRestarted':
      return agentRestarted(run, event.atMs);
    case 'reportSigned':
      return run.state === 'closing' ? reported(event.report) : unchanged(run);
    case 'repeatDue':
      return run.state === 'reported' ? repeated(run) : unchanged(run);
    case 'acknowledged':
      return run.state === 'reported' ? forgotten(event.atMs) : unchanged(run);
  }
}

function unchanged(run: Run): RunStep {
  return { run, effects: [] };
}

/** What the device is told about a run that it asks for, and at every connection. */
function standing(run: Run): RunEffect[] {
  switch (run.state) {
    case 'assigned':
    case 'fetching':
      return [{ effect: 'say', state: 'fetching' }];
    case 'running':
    case 'stopping':
    case 'closing':
      return [{ effect: 'say', state: 'running' }];
    case 'reported':
      return [
        { effect: 'say', state: 'reported' },
        { effect: 'send', report: run.report },
      ];
    case 'forgotten':
      return [{ effect: 'say', state: 'unknown', note: 'this run is over' }];
  }
}

/** A fetch may be done at the moment when it is told to stop. */
function inputFetched(run: Run, atMs: number): RunStep {
  if (run.state === 'fetching') return started(run.capsule, atMs);
  return run.state === 'stopping' && run.startedAtMs === undefined ? stoppedAtLast(run, atMs) : unchanged(run);
}

function agentRestarted(run: Run, atMs: number): RunStep {
  if (run.state === 'reported') return { run, effects: [{ effect: 'repeatAfter', waitMs: run.waitMs }] };
  return run.state === 'stopping' ? stoppedAtLast(run, atMs) : unchanged(run);
}

function started(capsule: Uint8Array, atMs: number): RunStep {
  const persist: RunEffect = { effect: 'persist', record: { stage: 'running', capsule, startedAtMs: atMs } };
  return { run: { state: 'running', startedAtMs: atMs }, effects: [persist, { effect: 'say', state: 'running' }, { effect: 'start' }] };
}

function inputRefused(run: Run, outcome: Outcome, atMs: number): RunStep {
  if (run.state === 'fetching') return closing({ ...NOTHING_LEFT, outcome, startedAtMs: atMs, endedAtMs: atMs });
  return run.state === 'stopping' ? stoppedAtLast(run, atMs) : unchanged(run);
}

function stoppedAtLast(run: Run & { state: 'stopping' }, atMs: number): RunStep {
  return closing({ ...NOTHING_LEFT, outcome: outcomeOfStop(run), startedAtMs: run.startedAtMs ?? atMs, endedAtMs: atMs });
}

/** A capsule that exited before the stop reached it has exited. */
function ended(run: Run, ending: Ending, atMs: number): RunStep {
  if (run.state === 'running') return closing({ ...ending, startedAtMs: run.startedAtMs, endedAtMs: atMs });
  if (run.state !== 'stopping') return unchanged(run);
  const outcome = ending.outcome.outcome === 'exited' ? ending.outcome : outcomeOfStop(run);
  return closing({ ...ending, outcome, startedAtMs: run.startedAtMs ?? atMs, endedAtMs: atMs });
}

function stopped(run: Run, cause: EndReason, atMs: number): RunStep {
  switch (run.state) {
    case 'assigned':
      return closing({ ...NOTHING_LEFT, outcome: outcomeOfStop({ cause }), startedAtMs: atMs, endedAtMs: atMs });
    case 'fetching':
      return { run: { state: 'stopping', cause }, effects: [{ effect: 'stop' }] };
    case 'running':
      return { run: { state: 'stopping', cause, startedAtMs: run.startedAtMs }, effects: [{ effect: 'stop' }] };
    case 'reported':
      return { run, effects: standing(run) };
    default:
      return unchanged(run);
  }
}

function outcomeOfStop({ cause, startedAtMs }: { readonly cause: EndReason; readonly startedAtMs?: number }): Outcome {
  if (cause === 'agent-restarted')
    return { outcome: 'failed', reason: cause, detail: 'the agent of the box was stopped or restarted during the run' };
  if (startedAtMs === undefined) return { outcome: 'failed', reason: cause, detail: 'stopped before it started' };
  return { outcome: 'killed', reason: cause };
}

function closing(draft: Draft): RunStep {
  return { run: { state: 'closing' }, effects: [{ effect: 'leavePlace' }, { effect: 'sign', draft }] };
}

function reported(report: Uint8Array): RunStep {
  const run: Run = { state: 'reported', report, waitMs: reportRepeatMs };
  return {
    run,
    effects: [
      { effect: 'persist', record: { stage: 'reported', report } },
      ...standing(run),
      { effect: 'repeatAfter', waitMs: reportRepeatMs },
    ],
  };
}

function repeated(run: Run & { state: 'reported' }): RunStep {
  const waitMs = Math.min(run.waitMs * 2, reportRepeatMaxMs);
  return {
    run: { ...run, waitMs },
    effects: [
      { effect: 'send', report: run.report },
      { effect: 'repeatAfter', waitMs },
    ],
  };
}

function forgotten(atMs: number): RunStep {
  return {
    run: { state: 'forgotten', sinceMs: atMs },
    effects: [{ effect: 'persist', record: { stage: 'forgotten', forgottenAtMs: atMs } }, { effect: 'forget' }],
  };
}
