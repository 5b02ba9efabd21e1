/** Work that waits for what came before it, whether that succeeded or not. */

/** @returns how to do work when its turn comes; it returns what the work returns, and rejects as it does */
export function oneAtATime(): <T>(work: () => Promise<T>) => Promise<T> {
  let last: Promise<unknown> = Promise.resolve();
  return (work) => {
    const done = last.then(work);
    last = done.catch(() => undefined);
    return done;
  };
}
