/**
 * The firmware's side of the operator's word: takes what `npm run box` asks, does it, and answers with where the boxes stand.
 * Specification §17.7.
 */
import { watch } from 'node:fs';
import type { ControlOutcome } from '#protocol/control-messages.ts';
import { LIMITS } from '#protocol/limits.ts';
import { harmless } from '#protocol/schema.ts';
import type { Clock, Log } from '../ports.ts';
import { DeskFiles, type DeskAnswer, type DeskBox, type TakenRequest } from './desk-files.ts';
import type { HeldBox } from './held-box.ts';
import type { Control } from './host.ts';
import { CONTROL_LIMITS } from './limits.ts';
import { sensorNews } from './sensor-topics.ts';

export interface DeskParts {
  readonly stateFolder: string;
  readonly control: Pick<Control, 'boxes' | 'commands'>;
  readonly now: Clock;
  readonly log: Log;
}

export class ControlDesk {
  readonly #parts: DeskParts;
  readonly #files: DeskFiles;
  /** Ids of requests that are being dealt with. */
  readonly #dealing = new Set<string>();
  readonly #stopWatching: () => void;

  /** @throws Error where the folder can't be made */
  constructor(parts: DeskParts) {
    this.#parts = parts;
    this.#files = new DeskFiles(parts.stateFolder);
    this.#files.make();
    this.#answerInterrupted();
    this.#stopWatching = this.#watch();
    this.look();
  }

  /** To be called now and then as well: what was changed may have gone unnoticed. Never throws. */
  look(): void {
    try {
      this.#files.dropOld(this.#parts.now(), this.#dealing);
      for (const id of this.#files.waiting()) {
        if (this.#dealing.size >= CONTROL_LIMITS.deskRequestsMax) return;
        this.#take(id);
      }
    } catch (error) {
      this.#failed(error);
    }
  }

  close(): void {
    this.#stopWatching();
  }

  #take(id: string): void {
    const taken = this.#files.take(id);
    if (!taken) return;
    this.#dealing.add(id);
    this.#deal(id, taken)
      .catch((error: unknown) => this.#failed(error))
      .finally(() => {
        this.#dealing.delete(id);
        this.look();
      });
  }

  async #deal(id: string, taken: TakenRequest): Promise<void> {
    const outcome = await this.#outcomeOf(taken);
    this.#files.answer(id, { ...outcome, boxes: this.#boxes(taken) });
  }

  #outcomeOf(taken: TakenRequest): ControlOutcome | Promise<ControlOutcome> {
    if (taken.status === 'malformed') return refused('malformed', `the request is none: ${taken.detail}`);
    const { request, madeAtMs } = taken;
    if (request.ask !== 'order') return { outcome: 'done' };
    const ageMs = this.#parts.now() - madeAtMs;
    if (Math.abs(ageMs) > CONTROL_LIMITS.commandAgeMaxMs)
      return refused('stale', `the order is ${Math.round(ageMs / 1_000)} s old; it may be ${CONTROL_LIMITS.commandAgeMaxMs / 1_000} s old`);
    return this.#parts.control.commands.order(request.box, request.verb, 'the operator');
  }

  #boxes(taken: TakenRequest): DeskBox[] {
    const asked = taken.status === 'read' && taken.request.ask !== 'boxes' ? taken.request.box : undefined;
    const boxes = [...this.#parts.control.boxes.values()].slice(0, CONTROL_LIMITS.boxesMax);
    return boxes.filter(({ name }) => asked === undefined || name === asked).map((box) => shown(box, asked !== undefined));
  }

  /** What a firmware before this one had taken: nobody knows whether it was done. */
  #answerInterrupted(): void {
    for (const id of this.#files.taken()) {
      const detail = 'the firmware ended while it dealt with this; look where the box stands';
      this.#files.answer(id, { outcome: 'failed', reason: 'interrupted', detail, boxes: [] } satisfies DeskAnswer);
    }
  }

  /** Where the kernel has no watch left to give, looking now and then must do. */
  #watch(): () => void {
    try {
      const watcher = watch(this.#files.path, () => this.look());
      watcher.on('error', (error) => this.#failed(error));
      return () => watcher.close();
    } catch (error) {
      this.#failed(error);
      return () => undefined;
    }
  }

  #failed(error: unknown): void {
    this.#parts.log('deskFailed', { detail: error instanceof Error ? error.message : String(error) });
  }
}

function refused(reason: string, detail: string): ControlOutcome {
  return { outcome: 'refused', reason, detail: harmless(detail, LIMITS.noteCharactersMax) };
}

function shown(box: HeldBox, isWhole: boolean): DeskBox {
  const { name, standing, hardware, problem, readings } = box;
  const { state, cause, detail, sinceMs, power, runs, released } = standing;
  const sensors = hardware?.sensors ?? [];
  const wanted = isWhole ? sensors : sensors.filter(({ quantity }) => quantity === 'power').slice(0, 1);
  return {
    box: name,
    standing: { state, cause, detail, sinceMs, power, ...(hardware ? { source: hardware.source } : {}) },
    ...{ runs, released, verbs: [...(hardware?.verbs ?? [])] },
    against: standing.standing.slice(0, CONTROL_LIMITS.deskObjectionsMax).map(({ alarm, about }) => ({ alarm, about })),
    ...(problem === undefined ? {} : { problem: harmless(problem, LIMITS.noteCharactersMax) }),
    readings: wanted.slice(0, CONTROL_LIMITS.deskReadingsMax).flatMap(({ name: sensor }) => {
      const reading = readings.get(sensor);
      return reading && hardware ? [{ sensor, news: sensorNews(reading, hardware.source) }] : [];
    }),
  };
}
