/** A rule of the chain that a simulated member broke: the end of a run. */

export const CHECKERS = [
  'agreement',
  'finality-stays',
  'one-block-a-height',
  'one-ballot-a-step',
  'one-verdict-ballot-a-step',
  'no-honest-untrusted',
  'bad-evidence-not-renewed',
  'false-judge-gains-nothing',
  'lock-respected',
  'head-descends',
  'persist-before-send',
  'no-honest-expelled',
  'transactions-once',
  'waits-are-waited',
  'honest-blocks-accepted',
  'chain-time',
  'forged-share',
  'certificates-valid',
  'bounded-memory',
  'no-throw',
  'wakes-bounded',
  'accountability',
  'progress',
  'inclusion',
] as const;
export type Checker = (typeof CHECKERS)[number];

export class RuleBroken extends Error {
  readonly checker: Checker;

  constructor(checker: Checker, detail: string) {
    super(`${checker}: ${detail}`);
    this.checker = checker;
  }
}

export function broken(checker: Checker, detail: string): never {
  throw new RuleBroken(checker, detail);
}

/** For reading: the first digits of an id. */
export function short(id: string | Uint8Array): string {
  return (typeof id === 'string' ? id : id.toHex()).slice(0, 8);
}
