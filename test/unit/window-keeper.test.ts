/** What the answers of a device tell of its windows to strangers who try names. Specification §5.6. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { LIMITS } from '#protocol/limits.ts';
import { proverSecretOf, verifierRecordOf } from '#protocol/spake2plus.ts';
import type { AttemptCounter } from '../../device/pairing/attempt-counter.ts';
import type { OpenWindow, WindowFolder } from '../../device/pairing/window-folder.ts';
import { WindowKeeper } from '../../device/pairing/window-keeper.ts';

const WINDOW_MS = 900_000;

/** A keeper with one open window, for box-1; its TPM and its disk are in memory. */
class Kept {
  nowMs = 1_000_000;
  readonly keeper: WindowKeeper;

  constructor() {
    const window: OpenWindow = {
      ...{ id: new Uint8Array(16).fill(1), kind: 'box', name: 'box-1', replace: false, expiresAtMs: this.nowMs + WINDOW_MS },
      ...verifierRecordOf(proverSecretOf(new Uint8Array(80).fill(2))),
    };
    const held = { windows: [window], attempts: 0 };
    const folder = {
      saltSecret: () => new Uint8Array(32),
      windows: () => held.windows,
      hasWindow: (id: Uint8Array) => held.windows.some((one) => one.id === id),
      drop: (id: Uint8Array) => (held.windows = held.windows.filter((one) => one.id !== id)),
      say: () => undefined,
    } as unknown as WindowFolder;
    const counter = {
      attemptsIn: (id: Uint8Array) => (id === window.id ? held.attempts : undefined),
      count: (id: Uint8Array | undefined) => Promise.resolve(id ? (held.attempts += 1) : 1),
      keepOnly: () => Promise.resolve(),
    } as unknown as AttemptCounter;
    const quiet = (): void => undefined;
    const where = { node: new Uint8Array(32), url: 'mqtts://localhost:1', log: quiet, show: quiet };
    this.keeper = new WindowKeeper({ folder, counter, ...where, windowMs: WINDOW_MS, now: () => this.nowMs });
  }

  /** A wrong guess, from the greeting to the confirmation that does not hold. */
  async guess(name: string): Promise<string> {
    const window = this.keeper.find('box', name);
    const verdict = await this.keeper.countAttempt(window, { kind: 'box', name });
    if (verdict === 'counted') await this.keeper.attemptFailed(window);
    return verdict;
  }
}

test('names with and without a window give out alike, whichever were tried before (§5.6)', async () => {
  const kept = new Kept();
  const answers = new Map<string, string[]>();
  for (let round = 0; round < 8; round += 1)
    for (const name of ['other-1', 'other-2', 'box-1', 'other-3'])
      answers.set(name, [...(answers.get(name) ?? []), await kept.guess(name)]);
  const five = [...Array<string>(LIMITS.pairingAttemptsMax).fill('counted'), 'spent', 'spent', 'spent'];
  for (const [name, given] of answers) assert.deepEqual(given, five, name);
  kept.nowMs += WINDOW_MS;
  for (const name of answers.keys()) assert.equal(await kept.guess(name), 'counted', `${name}, after as long as a window lasts`);
});
