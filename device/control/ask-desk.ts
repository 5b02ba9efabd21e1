/** Asks the firmware of a device about its boxes from its state folder, in a process of its own beside it. Specification §17.7. */
import { setTimeout as sleep } from 'node:timers/promises';
import { DeskFiles, type DeskAnswer, type DeskRequest } from './desk-files.ts';
import { CONTROL_LIMITS } from './limits.ts';

export interface DeskAsking {
  readonly request: DeskRequest;
  /** Called again and again while there is no answer. @param isTaken whether a firmware deals with it */
  readonly onQuiet?: (quietMs: number, isTaken: boolean) => void;
  /** Ends the waiting. */
  readonly signal?: AbortSignal;
}

/**
 * `withdrawn`: nobody has taken it, and nobody will: no firmware runs, or the waiting was ended before one did. `left`: a firmware has
 * taken it, and its answer was not waited for.
 */
export type Asked =
  { readonly status: 'answered'; readonly answer: DeskAnswer } | { readonly status: 'withdrawn' | 'left'; readonly isAborted: boolean };

/** @param stateFolder of a device. @throws Error of the file system */
export async function askDesk(stateFolder: string, { request, onQuiet, signal }: DeskAsking): Promise<Asked> {
  const files = new DeskFiles(stateFolder);
  if (!files.areThere()) return { status: 'withdrawn', isAborted: false };
  const id = files.ask(request);
  const beganAtMs = performance.now();
  let isTaken = false;
  for (;;) {
    const answer = files.answerTo(id);
    if (answer) {
      files.dropAnswer(id);
      return { status: 'answered', answer };
    }
    isTaken ||= files.isTaken(id);
    const quietMs = performance.now() - beganAtMs;
    const isAborted = signal?.aborted === true;
    const isOver = isAborted || quietMs > (isTaken ? CONTROL_LIMITS.deskAnswerWaitMs : CONTROL_LIMITS.deskTakenWaitMs);
    if (isOver && !isTaken && files.withdraw(id)) return { status: 'withdrawn', isAborted };
    if (isOver && isTaken) return { status: 'left', isAborted };
    if (isOver) isTaken = true;
    onQuiet?.(quietMs, isTaken);
    await sleep(CONTROL_LIMITS.deskLookMs);
  }
}
