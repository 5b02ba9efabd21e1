/**
 * The windows that are open: taken from the owner's wishes, remembered by the disk and the TPM together, closed when they are
 * used, spent, over or withdrawn. Specification §5.6.
 */
import { randomBytes } from 'node:crypto';
import { LIMITS } from '#protocol/limits.ts';
import { codeInput, pairingSalt } from '#protocol/pairing.ts';
import { formatPairingCode, formatWindowAddress, objectionToName, parsePairingCode, type HolderKind } from '#protocol/pairing-code.ts';
import { proverSecretOf, scalarOf, verifierRecordOf, type VerifierRecord } from '#protocol/spake2plus.ts';
import { MQTT_LIMITS } from '../limits.ts';
import type { Log } from '../ports.ts';
import type { AttemptCounter } from './attempt-counter.ts';
import { stretchAside } from './pairing-cipher.ts';
import { NameTries } from './name-tries.ts';
import type { OpenWindow, Wish, WindowEnd, WindowFolder, WindowNews } from './window-folder.ts';

export interface WindowKeeperOptions {
  readonly folder: WindowFolder;
  readonly counter: AttemptCounter;
  /** Node id of this device. */
  readonly node: Uint8Array;
  /** Of the pairing broker, `mqtts://host:port`. */
  readonly url: string;
  readonly log: Log;
  /** For a small display: code and address of the window that was opened last and is open, or nothing. */
  readonly show: (lines: readonly string[]) => void;
  /** How long a window is open. */
  readonly windowMs: number;
  readonly now: () => number;
}

export class WindowKeeper {
  readonly #options: WindowKeeperOptions;
  readonly #saltSecret: Uint8Array;
  /** Stands in for windows that are not open: nobody has its code. */
  readonly #decoy: VerifierRecord;
  readonly #decoyId = new Uint8Array(randomBytes(16));
  readonly #tries: NameTries;
  #windows: readonly OpenWindow[] = [];
  /** For the display alone, by the window's id; a window of an earlier life of the firmware has none. */
  readonly #shown = new Map<string, readonly string[]>();
  #onDisplay: readonly string[] | undefined;
  /** When the last attempt of a window began, by the window's id. */
  readonly #spentAtMs = new Map<string, number>();
  /** A used window's answer may have to be said again until then. */
  #lingerUntilMs = 0;

  constructor(options: WindowKeeperOptions) {
    this.#options = options;
    this.#tries = new NameTries(options.windowMs);
    this.#saltSecret = options.folder.saltSecret();
    this.#decoy = verifierRecordOf(proverSecretOf(new Uint8Array(randomBytes(80))));
    const found = options.folder.windows();
    this.#windows = found.filter(({ id }) => options.counter.attemptsIn(id) !== undefined);
    for (const window of found) if (!this.#windows.includes(window)) this.#forget(window.id, 'lost', 0);
  }

  find(kind: HolderKind, name: string): OpenWindow | undefined {
    return this.#windows.find((window) => window.kind === kind && window.name === name && this.#options.folder.hasWindow(window.id));
  }

  isOpen(window: OpenWindow): boolean {
    return this.find(window.kind, window.name)?.id.toHex() === window.id.toHex();
  }

  /** What a share is answered from. */
  recordOf(window: OpenWindow | undefined): VerifierRecord {
    return window ?? this.#decoy;
  }

  saltFor(kind: HolderKind, name: string): Uint8Array {
    return pairingSalt(this.#saltSecret, kind, name);
  }

  freshScalar(): Uint8Array {
    return scalarOf(new Uint8Array(randomBytes(48)));
  }

  /**
   * Counts an attempt in the TPM, before anything is answered.
   * @returns `spent` where no attempt was left, and nothing is to be answered from
   */
  async countAttempt(window: OpenWindow | undefined, whom: { kind: HolderKind; name: string }): Promise<'counted' | 'spent'> {
    const { counter, log, now } = this.#options;
    const name = `${whom.kind}/${whom.name}`;
    const before = window ? (counter.attemptsIn(window.id) ?? LIMITS.pairingAttemptsMax) : this.#tries.at(name, now());
    if (before >= LIMITS.pairingAttemptsMax || (window && window.expiresAtMs <= now())) return 'spent';
    const counted = await counter.count(window?.id);
    const tried = this.#tries.count(name, now());
    const attempt = window ? counted : tried;
    log('pairingAttempt', { ...whom, attempt, window: window ? 'open' : 'none' });
    if (attempt > LIMITS.pairingAttemptsMax) return 'spent';
    if (window && attempt === LIMITS.pairingAttemptsMax) this.#spentAtMs.set(window.id.toHex(), now());
    // The disk has as much to do without a window: how long it takes shall not tell.
    if (!window) this.#forget(this.#decoyId, 'lost', attempt);
    else if (this.isOpen(window)) this.#sayOpen(window);
    return 'counted';
  }

  /** An attempt came to nothing. After the last one the window is closed at once. */
  async attemptFailed(window: OpenWindow | undefined): Promise<void> {
    if (window && this.#spentAtMs.has(window.id.toHex()) && this.isOpen(window)) await this.#close(window, 'attempts-spent');
  }

  /** The one use of a window. */
  async use(window: OpenWindow, news: WindowNews & { window: 'used' }): Promise<void> {
    const { folder, now } = this.#options;
    folder.drop(window.id, 'window');
    this.#windows = this.#windows.filter((other) => other !== window);
    this.#lingerUntilMs = now() + MQTT_LIMITS.pairingAnswerMs;
    folder.say(window.id, news, now());
    this.#showLatest();
    await this.#rememberWindows();
  }

  /** Follows the folder and the clock. @returns when to look again, or `undefined` when the door may be closed */
  async look(): Promise<number | undefined> {
    const { folder, now } = this.#options;
    for (const window of this.#windows.filter(({ id }) => !folder.hasWindow(id))) await this.#close(window, 'withdrawn');
    for (const window of this.#windows.filter(({ expiresAtMs }) => expiresAtMs <= now())) await this.#close(window, 'expired');
    for (const window of this.#windows.filter(({ id }) => this.#spentUntil(id) <= now())) await this.#close(window, 'attempts-spent');
    for (const wish of folder.wishes()) if (folder.hasWish(wish.id)) await this.#take(wish);
    this.#showLatest();
    await this.#rememberWindows();
    folder.dropOldNews(now());
    const ends = this.#windows.map(({ id, expiresAtMs }) => Math.min(expiresAtMs, this.#spentUntil(id)));
    if (this.#lingerUntilMs > now()) ends.push(this.#lingerUntilMs);
    return ends.length > 0 ? Math.min(...ends) : undefined;
  }

  async #take(wish: Wish): Promise<void> {
    const { folder, counter, node, now, log, windowMs } = this.#options;
    const { id, kind, name, replace } = wish;
    const code = parsePairingCode(wish.code);
    folder.drop(id, 'wish');
    const isStale = Math.abs(now() - wish.askedAtMs) > MQTT_LIMITS.pairingWishMs;
    if (isStale || code.status === 'unreadable' || objectionToName(name) !== undefined) return this.#forget(id, 'stale-wish', 0);
    const earlier = this.find(kind, name);
    if (earlier) await this.#close(earlier, 'opened-anew');
    if (this.#windows.length >= MQTT_LIMITS.pairingWindowsMax) return this.#forget(id, 'too-many-windows', 0);
    const stretched = await stretchAside(codeInput(code.value, kind, name, node), this.saltFor(kind, name));
    const window = { id, kind, name, replace, ...verifierRecordOf(proverSecretOf(stretched)), expiresAtMs: now() + windowMs };
    await this.#rememberWindows();
    await counter.admit(id);
    this.#tries.forget();
    folder.putWindow(window);
    this.#windows = [...this.#windows, window];
    this.#sayOpen(window);
    const [shownCode, address] = [formatPairingCode(code.value), this.#addressOf(window)];
    log('windowOpened', { kind, name, code: shownCode, address });
    this.#shown.set(id.toHex(), [shownCode, address.replace('mqtts://', '')]);
  }

  async #close(window: OpenWindow, reason: WindowEnd): Promise<void> {
    const { counter, log } = this.#options;
    const attempts = counter.attemptsIn(window.id) ?? 0;
    this.#windows = this.#windows.filter((other) => other !== window);
    this.#forget(window.id, reason, attempts);
    this.#showLatest();
    await this.#rememberWindows();
    log('windowClosed', { kind: window.kind, name: window.name, reason, attempts });
  }

  #forget(id: Uint8Array, reason: WindowEnd, attempts: number): void {
    this.#options.folder.drop(id, 'window');
    this.#spentAtMs.delete(id.toHex());
    this.#options.folder.say(
      id,
      { window: 'closed', reason, attempts: Math.min(attempts, LIMITS.pairingAttemptsMax) },
      this.#options.now(),
    );
  }

  #showLatest(): void {
    const open = new Set(this.#windows.map(({ id }) => id.toHex()));
    for (const id of this.#shown.keys()) if (!open.has(id)) this.#shown.delete(id);
    const latest = [...this.#shown.values()].at(-1) ?? [];
    if (latest === this.#onDisplay) return;
    this.#onDisplay = latest;
    this.#options.show(latest);
  }

  #rememberWindows(): Promise<void> {
    return this.#options.counter.keepOnly(this.#windows.map(({ id }) => id));
  }

  /** A window whose attempts were spent before the firmware was started waits for no confirmation. */
  #spentUntil(id: Uint8Array): number {
    if ((this.#options.counter.attemptsIn(id) ?? 0) < LIMITS.pairingAttemptsMax) return Infinity;
    const spentAtMs = this.#spentAtMs.get(id.toHex());
    return spentAtMs === undefined ? 0 : spentAtMs + MQTT_LIMITS.pairingConfirmMs;
  }

  #sayOpen(window: OpenWindow): void {
    const { folder, counter, now } = this.#options;
    const attempts = Math.min(counter.attemptsIn(window.id) ?? 0, LIMITS.pairingAttemptsMax);
    folder.say(window.id, { window: 'open', address: this.#addressOf(window), attempts, expiresAtMs: window.expiresAtMs }, now());
  }

  #addressOf({ kind, name }: OpenWindow): string {
    return formatWindowAddress({ url: this.#options.url, kind, name });
  }
}
