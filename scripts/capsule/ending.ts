/** How a capsule ended, in a sentence. The words of `protocol/capsule.ts` for people. */
import type { CapsuleState, EndReason } from '#protocol/capsule.ts';
import { harmless } from '../terminal.ts';

export interface Ending {
  readonly state: CapsuleState;
  readonly reason?: EndReason;
  readonly detail?: string;
  readonly exitStatus?: number;
}

/** Whether the program ran to its end, successfully, and the boxes agree. */
export function isSuccess({ state, exitStatus }: Ending): boolean {
  return state === 'agreed' && exitStatus === 0;
}

export function endingText(ending: Ending): string {
  const detail = ending.detail === undefined || ending.detail === '' ? '' : ` (${harmless(ending.detail)})`;
  return `${sentence(ending)}${detail}`;
}

function sentence({ state, reason, exitStatus }: Ending): string {
  if (reason !== undefined && reason !== 'exit-status') return `${state}: ${reasons[reason]}`;
  if (state === 'agreed' || reason === 'exit-status') {
    return exitStatus === 0
      ? `${state}: the program ended with exit status 0`
      : `${state}: the program ended with exit status ${exitStatus ?? 'unknown'}`;
  }
  return states[state] ?? state;
}

const states: Partial<Record<CapsuleState, string>> = {
  disputed: 'disputed: the boxes that ran it did not agree on a result',
  cancelled: 'cancelled',
  expired: 'expired: it had not started when its deadline passed',
};

const reasons: Readonly<Record<EndReason, string>> = {
  'exit-status': 'the program ended with an exit status other than 0',
  'wall-time': 'it ran longer than limits.wallSeconds allows, and was killed',
  'cpu-time': 'it used more processor time than limits.cpuSeconds allows, and was killed',
  memory: 'it used more memory than limits.memoryMegabytes allows, and was killed',
  processes: 'it had more processes than limits.processes allows, and was killed',
  'log-flood': 'it wrote more log than limits.logKilobytes allows, and was killed',
  'output-size': 'it left more output than limits.outputMegabytes allows',
  'output-files': 'it left too many output files; put them into an archive',
  signal: 'it was killed by a signal',
  'runtime-missing': 'no box has this runtime',
  'entry-missing': 'the entry is not among the files, or can not be started',
  'sandbox-unavailable': 'the box could not keep the program apart from itself, so it did not run it',
  'blob-missing': 'a file of the capsule could not be had',
  'blob-wrong': 'a file came with another content than its digest says',
  'disk-full': 'there was no room on the disk',
  'box-evidence-refused': "the device refused the box's evidence",
  'trust-lacking': 'the box did not show itself to be of the trust that policy.trust asks for',
  'box-lost': 'the box fell silent during the run',
  'agent-restarted': 'the agent of the box was restarted during the run',
  deadline: 'its deadline passed',
  'cancelled-by-client': 'a client of its name asked for it',
  'box-fenced': 'its device cut the box off during the run',
  'readings-contradict': 'what the device measured of the box contradicts what the box reported of the run',
  'box-opened': 'the case of the box was opened during the run',
};
