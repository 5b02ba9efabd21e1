/** Ctrl-C, counted: what the first and the second one mean is for the command to say. */
export interface Interrupts {
  /** Resolves with the next one. Those that came while nobody waited are not forgotten. */
  readonly next: () => Promise<'interrupted'>;
  readonly stop: () => void;
}

/** @param signals those that mean it */
export function listenForInterrupts(signals: readonly ('SIGINT' | 'SIGTERM' | 'SIGHUP')[] = ['SIGINT']): Interrupts {
  let counted = 0;
  let waiting: (() => void) | undefined;
  const heard = (): void => {
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
