/** Long work that a host may do in turns with other work: it yields now and then. Pure. Specification §6.5. */

export type Turns<T> = Generator<undefined, T, undefined>;

/** All of it at once. */
export function inOneTurn<T>(work: Turns<T>): T {
  for (;;) {
    const step = work.next();
    if (step.done) return step.value;
  }
}
