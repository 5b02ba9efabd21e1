/**
 * Lets go of a button when the process ends while it is pressed: at its normal end, at an exception that nobody catches, and at the
 * signals that ask a process to end. At SIGKILL nothing of ours runs: the kernel takes the line back. Specification §16.2.
 */
import process from 'node:process';

const signals = ['SIGTERM', 'SIGINT', 'SIGHUP'] as const;

/** @returns what ends the guard, once the button has been released */
export function guardRelease(release: () => void): () => void {
  const atSignal = (signal: NodeJS.Signals): void => {
    release();
    end();
    if (process.listenerCount(signal) === 0) process.kill(process.pid, signal); // nobody else handles it: what it means by itself
  };
  const end = (): void => {
    process.off('exit', release);
    for (const signal of signals) process.off(signal, atSignal);
  };
  process.on('exit', release);
  for (const signal of signals) process.on(signal, atSignal);
  return end;
}
