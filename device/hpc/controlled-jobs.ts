/** What control does by the room of jobs, and what it is told of their runs. Specification §17.2, §17.4-17.5. */
import { hasEnded } from '#protocol/capsule.ts';
import type { RunNews } from '#protocol/peer-messages.ts';
import type { BoxWatch, JobsOfBoxes } from '../control/ports.ts';
import { DEVICE_LIMITS } from '../limits.ts';
import type { StoredJob } from '../store/job-store.ts';
import type { BoxLink } from './box-link.ts';
import type { BoxMeasuring } from './box-measuring.ts';
import { runOf, type Job, type JobEvent } from './job.ts';
import { offeringOf, type Offering } from './offers.ts';

export interface ControlledJobsParts {
  readonly control: BoxWatch;
  readonly link: BoxLink;
  readonly measuring: BoxMeasuring;
  /** Jobs that still owe something. */
  readonly open: () => Iterable<StoredJob>;
  readonly apply: (run: string, event: JobEvent) => void;
  readonly tellNews: (job: Job, news: RunNews) => void;
  /** A box may be given runs that could not be before, or the other way about. */
  readonly changed: () => void;
}

export class ControlledJobs implements JobsOfBoxes {
  readonly #parts: ControlledJobsParts;

  constructor(parts: ControlledJobsParts) {
    this.#parts = parts;
  }

  challenge: JobsOfBoxes['challenge'] = (box, run, measuring) => {
    // Control says it again: then with the secret.
    if (this.#parts.measuring.isClosing(box)) return;
    this.#parts.link.challenge(box, run, measuring, { activation: this.#parts.measuring.activationFor(box) });
  };

  endRuns: JobsOfBoxes['endRuns'] = (box, which, reason, detail) => {
    for (const job of this.#of(box))
      if (which === 'all' || !job.before) this.#parts.apply(runOf(job), { type: 'boxCutOff', reason, detail });
  };

  dispute: JobsOfBoxes['dispute'] = (box, dispute) => {
    for (const job of this.#of(box)) this.#parts.apply(runOf(job), { type: 'disputed', dispute });
  };

  fitnessChanged(): void {
    this.#parts.changed();
  }

  powerNow: JobsOfBoxes['powerNow'] = (run, power) => {
    const job = this.#open().find((open) => runOf(open) === run);
    if (job) this.#parts.tellNews(job, { news: 'energy', run, ...power });
  };

  /** Whether a further run of the box may begin. */
  mayBegin(box: string): boolean {
    const begun = this.#of(box).filter(({ before }) => before !== undefined).length;
    return begun < DEVICE_LIMITS.runsPerBoxMax && this.#parts.control.fitnessOf(box) === 'ready';
  }

  offeringOf(box: string): Offering {
    return offeringOf(this.#parts.control.fitnessOf(box), this.#of(box).some(isBegun));
  }

  /** To be called after each change of a job. */
  jobChanged({ box }: Job): void {
    const runs = this.#of(box).filter((job) => isBegun(job) && job.state !== 'reported');
    this.#parts.control.runsChanged(
      box,
      runs.map((job) => ({
        ...{ run: runOf(job), isRunning: job.state === 'running' },
        ...(job.assignedAtMs === undefined ? {} : { givenAtMs: job.assignedAtMs }),
      })),
    );
  }

  /** Says the runs of all boxes: after a start, or when other boxes are paired. */
  resume(): void {
    for (const job of this.#open()) this.jobChanged(job);
  }

  /** A run that was drawn for a box while something stands against it is given back at once. */
  timePassed(): void {
    for (const job of this.#open()) {
      const fitness = this.#parts.control.fitnessOf(job.box);
      const isHeld = fitness === 'held' || fitness === 'fenced';
      const detail = `box ${job.box} gets no runs: it is ${fitness === 'held' ? 'suspect' : 'fenced'}`;
      if (isHeld && job.state === 'assigned' && !job.before)
        this.#parts.apply(runOf(job), { type: 'boxCutOff', reason: 'box-fenced', detail });
    }
  }

  #of(box: string): Job[] {
    return this.#open().filter((job) => job.box === box);
  }

  #open(): Job[] {
    return [...this.#parts.open()].map(({ job }) => job).filter(({ state }) => !hasEnded(state));
  }
}

function isBegun({ before }: Job): boolean {
  return before !== undefined;
}
