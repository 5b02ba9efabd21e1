/**
 * Pairing windows on the disk, by which `npm run pair` and the firmware, two processes, speak: `<state>/pairing/`, for the
 * firmware's account only. `<id>.wish.cbor` is from the owner to the firmware, `<id>.window.cbor` what the firmware keeps of an
 * open one (never its code), `<id>.news.cbor` what the owner is told. An owner who removes the window closes it. Specification §5.6.
 */
import { randomBytes } from 'node:crypto';
import { existsSync, mkdirSync, readdirSync, readFileSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { decodeStrict, encodeStrict } from '#protocol/codec.ts';
import { Digest } from '#protocol/digest.ts';
import { LIMITS } from '#protocol/limits.ts';
import { HOLDER_KINDS } from '#protocol/pairing-code.ts';
import { fixedBytes, flag, integer, oneOf, struct, text, variant, type Infer, type Schema } from '#protocol/schema.ts';
import { SCALAR_BYTES, SHARE_BYTES } from '#protocol/spake2plus.ts';
import { Name } from '#protocol/topics.ts';
import { MQTT_LIMITS } from '../limits.ts';
import { writeWholeFile } from '../mqtt/whole-file.ts';

const WindowId = fixedBytes(16);
const UnixMs = integer({ min: 0, max: Number.MAX_SAFE_INTEGER });
const Attempts = integer({ min: 0, max: LIMITS.pairingAttemptsMax });

/** Who may pair. `replace`: also with other keys than those that the name has. */
const whom = { id: WindowId, kind: oneOf(...HOLDER_KINDS), name: Name, replace: flag };

/** The code lies here for the moment that the firmware needs to stretch it. */
export const Wish = struct({ ...whom, code: text({ min: 1, max: 16 }), askedAtMs: UnixMs });
export type Wish = Infer<typeof Wish>;

export const OpenWindow = struct({ ...whom, w0: fixedBytes(SCALAR_BYTES), l: fixedBytes(SHARE_BYTES), expiresAtMs: UnixMs });
export type OpenWindow = Infer<typeof OpenWindow>;

/** Why a window is closed without having been used. */
export const WINDOW_ENDS = ['attempts-spent', 'expired', 'withdrawn', 'opened-anew', 'too-many-windows', 'stale-wish', 'lost'] as const;
export type WindowEnd = (typeof WINDOW_ENDS)[number];

export const WindowNews = variant('window', {
  open: struct({ address: text({ max: 400 }), attempts: Attempts, expiresAtMs: UnixMs }),
  used: struct({ authority: Digest, certificate: Digest, digits: text({ min: 7, max: 7 }) }),
  closed: struct({ reason: oneOf(...WINDOW_ENDS), attempts: Attempts }),
});
export type WindowNews = Infer<typeof WindowNews>;

const NewsFile = struct({ saidAtMs: UnixMs, news: WindowNews });

export class WindowFolder {
  /** To be watched by the other process. */
  readonly path: string;

  /** @param stateFolder of the device */
  constructor(stateFolder: string) {
    this.path = join(stateFolder, 'pairing');
    mkdirSync(this.path, { recursive: true, mode: 0o700 });
  }

  wishes(): Wish[] {
    return this.#all('wish', Wish);
  }

  putWish(wish: Wish): void {
    this.#write(wish.id, 'wish', encodeStrict(Wish, wish));
  }

  windows(): OpenWindow[] {
    return this.#all('window', OpenWindow);
  }

  putWindow(window: OpenWindow): void {
    this.#write(window.id, 'window', encodeStrict(OpenWindow, window));
  }

  hasWindow(id: Uint8Array): boolean {
    return existsSync(this.#file(id, 'window'));
  }

  hasWish(id: Uint8Array): boolean {
    return existsSync(this.#file(id, 'wish'));
  }

  drop(id: Uint8Array, what: 'wish' | 'window' | 'news'): void {
    rmSync(this.#file(id, what), { force: true });
  }

  say(id: Uint8Array, news: WindowNews, nowMs: number): void {
    this.#write(id, 'news', encodeStrict(NewsFile, { saidAtMs: nowMs, news }));
  }

  news(id: Uint8Array): WindowNews | undefined {
    return this.#read(this.#file(id, 'news'), NewsFile)?.news;
  }

  /** Of windows that ended and that nobody waits for. */
  dropOldNews(nowMs: number): void {
    for (const name of this.#names('news')) {
      const said = this.#read(join(this.path, name), NewsFile);
      const isOver = said?.news.window !== 'open' && (said?.saidAtMs ?? 0) + MQTT_LIMITS.pairingAnswerMs < nowMs;
      if (isOver) rmSync(join(this.path, name), { force: true });
    }
  }

  /** 32 random bytes of this device, made once, from which salts come. */
  saltSecret(): Uint8Array {
    const file = join(this.path, 'salt.key');
    if (!existsSync(file)) writeWholeFile(file, randomBytes(32), 0o600);
    return new Uint8Array(readFileSync(file));
  }

  #all<T>(what: string, schema: Schema<T>): T[] {
    return this.#names(what).flatMap((name) => this.#read(join(this.path, name), schema) ?? []);
  }

  #names(what: string): string[] {
    return readdirSync(this.path).filter((name) => name.endsWith(`.${what}.cbor`));
  }

  #file(id: Uint8Array, what: string): string {
    return join(this.path, `${id.toHex()}.${what}.cbor`);
  }

  #write(id: Uint8Array, what: string, content: Uint8Array): void {
    writeWholeFile(this.#file(id, what), content, 0o600);
  }

  /** Nothing where there is no such file, where the other process has just removed it, or where a disk has damaged it. */
  #read<T>(file: string, schema: Schema<T>): T | undefined {
    let content: Uint8Array;
    try {
      content = new Uint8Array(readFileSync(file));
    } catch (error) {
      if (error instanceof Error && 'code' in error && error.code === 'ENOENT') return undefined;
      throw error;
    }
    const decoded = decodeStrict(schema, content, MQTT_LIMITS.pairingFileBytesMax);
    return decoded.status === 'decoded' ? decoded.value : undefined;
  }
}
