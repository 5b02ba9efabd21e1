/** Opens pairing windows from a device's state folder, in a process of its own beside the firmware. Specification §5.6. */
import { randomBytes } from 'node:crypto';
import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import {
  CODE_RANDOM_BYTES,
  objectionToName,
  formatPairingCode,
  pairingCodeFrom,
  type HolderKind,
  type PairingCode,
} from '#protocol/pairing-code.ts';
import { readConfiguration } from '../configuration.ts';
import { MQTT_LIMITS } from '../limits.ts';
import { WindowFolder, type WindowEnd, type WindowNews } from './window-folder.ts';

export type WindowObjection = 'bad-name' | 'too-many-windows' | 'not-a-device' | 'no-answer' | 'interrupted' | 'not-opened';

/** No window was opened; the message says why. */
export class WindowNotOpened extends Error {
  readonly code: WindowObjection;

  constructor(code: WindowObjection, message: string) {
    super(message);
    this.code = code;
  }
}

export interface WindowRequest {
  readonly kind: HolderKind;
  readonly name: string;
  /** Whether the name may go to other keys than those that it has. */
  readonly replace?: boolean;
}

export interface OwnWindow {
  readonly code: PairingCode;
  /** `mqtts://host:port/<kind>/<name>`. */
  readonly address: string;
  readonly expiresAtMs: number;
  /** How it stands. */
  news(): WindowNews;
  /** Closes it; the firmware sees that at once. */
  withdraw(): void;
}

/**
 * Leaves a wish in the state folder of a device that runs, and waits for the window.
 * @param interrupted takes the wish back, as long as the device has not read it; then the window is opened all the same
 * @throws WindowNotOpened
 */
export async function openWindow(stateFolder: string, request: WindowRequest, interrupted?: AbortSignal): Promise<OwnWindow> {
  const { kind, name, replace = false } = request;
  const objection = objectionToName(name);
  if (objection !== undefined) throw new WindowNotOpened('bad-name', `"${name}" can't be the name of a ${kind}: ${objection}`);
  if (!existsSync(join(stateFolder, 'configuration.json')))
    throw new WindowNotOpened('not-a-device', `${stateFolder} is not the state folder of a device`);
  const folder = new WindowFolder(stateFolder);
  const [id, code] = [new Uint8Array(randomBytes(16)), pairingCodeFrom(randomBytes(CODE_RANDOM_BYTES))];
  const wholeCode = formatPairingCode(code);
  folder.putWish({ id, kind, name, replace, code: wholeCode, askedAtMs: Date.now() });
  const news = await firstNews(folder, id, readConfiguration(stateFolder).name, interrupted).finally(() => folder.drop(id, 'wish'));
  if (news.window !== 'open') {
    folder.drop(id, 'news');
    throw notOpened(news);
  }
  return {
    code,
    address: news.address,
    expiresAtMs: news.expiresAtMs,
    news: () => folder.news(id) ?? { window: 'closed', reason: 'lost', attempts: 0 },
    withdraw: () => folder.drop(id, 'window'),
  };
}

async function firstNews(folder: WindowFolder, id: Uint8Array, device: string, interrupted?: AbortSignal): Promise<WindowNews> {
  const giveUpAt = performance.now() + MQTT_LIMITS.pairingOpenWaitMs;
  for (;;) {
    const news = folder.news(id);
    if (news) return news;
    if (interrupted?.aborted && folder.hasWish(id)) throw new WindowNotOpened('interrupted', 'no window was opened');
    if (performance.now() > giveUpAt)
      throw new WindowNotOpened(
        'no-answer',
        `device ${device} opens no window; is it running? npm start, or the log of its firmware, says`,
      );
    await sleep(MQTT_LIMITS.pairingSettleMs);
  }
}

function notOpened(news: WindowNews): WindowNotOpened {
  const reason: WindowEnd | undefined = news.window === 'closed' ? news.reason : undefined;
  if (reason !== 'too-many-windows') return new WindowNotOpened('not-opened', `the window was closed at once: ${reason ?? 'it was used'}`);
  const most = `${MQTT_LIMITS.pairingWindowsMax} windows are open`;
  return new WindowNotOpened(reason, `${most}; use them, close them with npm run pair -- remove NAME, or wait until they are over`);
}
