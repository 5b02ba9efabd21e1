/** Ctrl-C and its like while a window is open: it is closed before the command ends. */
const SIGNALS = ['SIGINT', 'SIGTERM', 'SIGHUP'] as const;

/** Work that is told of the first such signal; a second one ends the process as usual. */
export async function interruptible<T>(work: (interrupted: AbortSignal) => Promise<T>): Promise<T> {
  const interruption = new AbortController();
  const stopListening = (): void => SIGNALS.forEach((signal) => process.off(signal, interrupt));
  const interrupt = (): void => {
    stopListening();
    interruption.abort();
  };
  for (const signal of SIGNALS) process.on(signal, interrupt);
  return work(interruption.signal).finally(stopListening);
}
