/** What a device is made of: firmware, addon and board, as it measures them and as a network's references name them. Specification §3.3. */
import { fileURLToPath } from 'node:url';
import type { Reference } from '#protocol/network.ts';
import { readBoard } from './board/board-file.ts';
import { firmwareDigest } from './identity/firmware-digest.ts';
import type { Measurements } from './identity/measurement.ts';
import { loadAddon } from './addon.ts';

export const FIRMWARE_VERSION = '0.1.0';

const root = fileURLToPath(new URL('..', import.meta.url));

/** Everything that runs in the device's process and can be changed: the code, and by the lock file the packages. */
const FIRMWARE_PARTS = ['device', 'protocol', 'package-lock.json'] as const;

/** @throws BoardFileError that names the boards there are, when `board` is none of them, and what is wrong with one that is */
export async function measureSoftware(board: string): Promise<Measurements> {
  const { digest } = await readBoard(board);
  return { firmware: await firmwareDigest(root, FIRMWARE_PARTS), addon: loadAddon().sha256, board: digest };
}

/** The same as known-good digests for a network file. */
export function referencesOf(measurements: Measurements, board: string): Reference[] {
  return [
    { kind: 'firmware', digest: measurements.firmware, label: `capstan ${FIRMWARE_VERSION}` },
    { kind: 'addon', digest: measurements.addon, label: `addon ${FIRMWARE_VERSION}` },
    { kind: 'board', digest: measurements.board, label: board },
  ];
}
