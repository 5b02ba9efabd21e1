/**
 * Judgement of a job before anything of it touches the disk: the manifest was decoded at the agent's door, and this is
 * the sandbox's own look at what it is about to build paths, sizes and a command line from. Pure.
 */
import { LIMITS } from '#protocol/limits.ts';
import type { JobLimits, PreparedJob, RefusalReason } from '../executor.ts';
import { scratchBytesMax } from '../limits.ts';
import { judgePath } from './paths.ts';

export type JobVerdict =
  { readonly status: 'accepted' } | { readonly status: 'refused'; readonly reason: RefusalReason; readonly detail: string };

export function judgeJob(job: PreparedJob): JobVerdict {
  const verdicts = [judgeLimits(job.limits), judgeFiles(job), judgeEntry(job), judgeArguments(job), judgeEnvironment(job)];
  return verdicts.find((verdict) => verdict.status === 'refused') ?? accepted;
}

const accepted: JobVerdict = { status: 'accepted' };

function refused(reason: RefusalReason, detail: string): JobVerdict {
  return { status: 'refused', reason, detail };
}

/** [least, most] of each limit. */
const bounds: Readonly<Record<keyof JobLimits, readonly [number, number]>> = {
  wallMs: [1, LIMITS.wallMsMax],
  cpuMs: [1, LIMITS.wallMsMax * 1024],
  memoryBytes: [LIMITS.memoryBytesMin, LIMITS.memoryBytesMax],
  processes: [1, LIMITS.processesMax],
  outputBytes: [0, LIMITS.outputBytesMax],
  logBytes: [0, LIMITS.logBytesMax],
  scratchBytes: [0, scratchBytesMax],
};

function judgeLimits(limits: JobLimits): JobVerdict {
  for (const name of Object.keys(bounds) as (keyof JobLimits)[]) {
    const [least, most] = bounds[name];
    const value = limits[name];
    if (!Number.isSafeInteger(value) || value < least || value > most) {
      return refused('limits-refused', `${name} is ${value}; a whole number from ${least} to ${most} is accepted`);
    }
  }
  return accepted;
}

function judgeFiles(job: PreparedJob): JobVerdict {
  if (job.files.length > LIMITS.capsuleFilesMax) {
    return refused('path-refused', `the capsule has ${job.files.length} files; at most ${LIMITS.capsuleFilesMax} are accepted`);
  }
  const paths = new Set<string>();
  for (const { path } of job.files) {
    const verdict = judgePath(path);
    if (verdict.status === 'refused') return refused('path-refused', verdict.detail);
    if (paths.has(path)) return refused('path-refused', `${path} is there twice`);
    paths.add(path);
  }
  const folder = [...paths].flatMap(foldersOf).find((name) => paths.has(name));
  return folder === undefined ? accepted : refused('path-refused', `${folder} is both a file and a folder`);
}

function foldersOf(path: string): string[] {
  const segments = path.split('/');
  return segments.slice(1).map((_, index) => segments.slice(0, index + 1).join('/'));
}

function judgeEntry(job: PreparedJob): JobVerdict {
  const entry = job.files.find((file) => file.path === job.entry);
  if (entry === undefined) return refused('entry-missing', `the entry is none of the capsule's ${job.files.length} files`);
  if (job.runtime === 'executable' && entry.executable !== true) {
    return refused('entry-not-executable', `${job.entry} is not marked executable; the runtime "executable" starts it directly`);
  }
  return accepted;
}

function judgeArguments(job: PreparedJob): JobVerdict {
  if (job.arguments.length > LIMITS.argumentsMax) {
    return refused('arguments-refused', `there are ${job.arguments.length} arguments; at most ${LIMITS.argumentsMax} are accepted`);
  }
  const isWrong = job.arguments.some((text) => text.includes('\0') || text.length > LIMITS.argumentCharactersMax);
  return isWrong
    ? refused('arguments-refused', `an argument has a zero byte or more than ${LIMITS.argumentCharactersMax} characters`)
    : accepted;
}

function judgeEnvironment(job: PreparedJob): JobVerdict {
  const entries = Object.entries(job.environment);
  if (entries.length > LIMITS.environmentMax) {
    return refused('environment-refused', `the environment has ${entries.length} entries; at most ${LIMITS.environmentMax} are accepted`);
  }
  for (const [name, value] of entries) {
    if (!/^[A-Za-z_][A-Za-z0-9_]{0,63}$/.test(name))
      return refused('environment-refused', 'a name is not made of 1 to 64 letters, digits and underscores');
    if (name.startsWith('CAPSTAN_')) return refused('environment-refused', `${name} is the sandbox's own; choose another name`);
    if (value.includes('\0') || value.length > LIMITS.argumentCharactersMax) {
      return refused('environment-refused', `the value of ${name} has a zero byte or more than ${LIMITS.argumentCharactersMax} characters`);
    }
  }
  return accepted;
}
