/** Ctrl-C, counted: what the first and the second one mean is for the command to say. */
export interface Interrupts {
  /** Resolves with the next one. Those that came while nobody waited are not forgotten. */
  readonly next: () => Promise<'interrupted'>;
  readonly stop: () => void;
}

/** npm passes a Ctrl-C on that the terminal has sent already: a signal this soon after another is the same one. */
const sameSignalMs = 500;

/** @param signals those that mean it */
export function listenForInterrupts(signals: readonly ('SIGINT' | 'SIGTERM' | 'SIGHUP')[] = ['SIGINT']): Interrupts {
  let counted = 0;
  let waiting: (() => void) | undefined;
  let heardAtMs = -Infinity;
  const heard = (): void => {
    if (performance.now() - heardAtMs < sameSignalMs) return;
    heardAtMs = performance.now();
    counted += 1;
    waiting?.();
  };
  for (const signal of signals) process.on(signal, heard);
  return {
    next: async () => {
      while (counted === 0) await new Promise<void>((resolve) => (waiting = resolve));
      counted -= 1;
      return 'interrupted';
    },
    stop: () => {
      for (const signal of signals) process.off(signal, heard);
    },
  };
}
