/** `pair list`: who is paired with a device, and which windows are open. */
import { existsSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { X509Certificate } from 'node:crypto';
import { blobDigest } from '#protocol/digest.ts';
import { PairedNames, type PairedName } from '../../device/pairing/paired-names.ts';
import { WindowFolder, type OpenWindow } from '../../device/pairing/window-folder.ts';
import { readBoxWays, type BoxWay } from '../../device/relay/box-ways.ts';
import { commandOf } from '../arguments.ts';
import { openTerminal, table, timeText } from '../terminal.ts';
import { fingerprintText, shortFingerprint } from './comparison.ts';
import { chooseDevice, defaultState, deviceOption, stateOption } from './device-folder.ts';

export const list = commandOf(
  {
    name: 'list',
    summary: 'Lists the clients and boxes of a device with their fingerprints, and the windows that are open.',
    operands: [],
    options: { state: stateOption, device: deviceOption },
  },
  ({ options }) => {
    const device = chooseDevice(options.state ?? defaultState, options.device);
    const names = new PairedNames(device.folder);
    const ways = readBoxWays(device.folder);
    const paired = [...names.paired('client'), ...names.paired('box')].map((record) => pairedRow(record, ways));
    const open = new WindowFolder(device.folder).windows().filter(({ expiresAtMs }) => expiresAtMs > Date.now());
    const rows = [...paired, ...open.map(windowRow)];
    const terminal = openTerminal(process.stdout, process.env);
    const authority = authorityOf(device.folder);
    if (authority) terminal.line(`Authority of device ${device.name}: ${fingerprintText(authority)}`);
    if (rows.length === 0) terminal.line(`Nobody is paired with device ${device.name} yet: npm run pair -- client NAME`);
    else
      terminal.line(
        table([['kind', 'name', 'certificate', 'since', 'until', 'came last'].map((word) => terminal.paint('quiet', word)), ...rows]),
      );
    return Promise.resolve(0);
  },
);

function pairedRow({ kind, name, fingerprint, pairedAtMs, expiresAtMs }: PairedName, ways: readonly BoxWay[]): string[] {
  const came = kind === 'box' ? ways.find(({ box, atMs }) => box === name && atMs >= pairedAtMs) : undefined;
  const row = [kind, name, shortFingerprint(fingerprint), timeText(pairedAtMs), timeText(expiresAtMs).slice(0, 10)];
  return [...row, came === undefined ? '' : `${came.way === 'relay' ? 'through the relay' : 'directly'}, ${timeText(came.atMs)}`];
}

function windowRow({ kind, name, expiresAtMs }: OpenWindow): string[] {
  return [kind, name, 'window open', '', timeText(expiresAtMs), ''];
}

function authorityOf(folder: string): Uint8Array | undefined {
  const file = join(folder, 'authority', 'device.certificate.pem');
  return existsSync(file) ? blobDigest(new Uint8Array(new X509Certificate(readFileSync(file)).raw)) : undefined;
}
