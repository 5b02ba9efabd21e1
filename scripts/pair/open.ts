/** `pair open`: opens a window, shows its code, and stays until it is used or closed. Specification §5.6. */
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { LIMITS } from '#protocol/limits.ts';
import { formatInvitation, formatPairingCode, parseWindowAddress, type HolderKind } from '#protocol/pairing-code.ts';
import { readConfiguration } from '../../device/configuration.ts';
import { openWindow, type OwnWindow } from '../../device/pairing/open-window.ts';
import { PairedNames } from '../../device/pairing/paired-names.ts';
import { WindowFolder, type WindowEnd, type WindowNews } from '../../device/pairing/window-folder.ts';
import { commandOf, UsageError } from '../arguments.ts';
import { durationText, openTerminal, type Terminal } from '../terminal.ts';
import { showComparison } from './comparison.ts';
import { chooseDevice, defaultState, deviceOption, stateOption, type DeviceFolder } from './device-folder.ts';
import { interruptible } from './interruption.ts';
import { qrCodeLines } from './qr-code.ts';
import { throughLine } from './through.ts';

const LOOK_MS = 200;
/** Names and addresses that mean the machine on which they are used. */
const LOOPBACK = /^mqtts:\/\/(127\.[0-9.]+|localhost|\[::1\]):/;

export const open = commandOf(
  {
    name: 'open',
    summary: 'Opens a window for a box or a client on another machine: shows a code to type there.',
    operands: [],
    options: {
      box: { value: 'NAME', help: 'pair a box of this name (default: the first free name)' },
      client: { value: 'NAME', help: 'pair a client of this name' },
      replace: { help: 'give a name that is paired already to another machine' },
      state: stateOption,
      device: deviceOption,
    },
    notes:
      'The window ends when it is used, after 15 minutes, after five wrong codes, or with Ctrl-C. The code is a secret until then: show it to nobody but the one who types it. On the other machine: npm run pair -- join ADDRESS CODE.',
  },
  ({ options }) => {
    const device = chooseDevice(options.state ?? defaultState, options.device);
    const { kind, name } = whomOf(options, device);
    return interruptible(async (interrupted) => {
      const window = await openWindow(device.folder, { kind, name, replace: options.replace }, interrupted);
      const terminal = openTerminal(process.stdout, process.env);
      announce(terminal, device, window);
      if (!options.replace && new PairedNames(device.folder).find(kind, name))
        terminal.line(`  The ${kind} ${name} is paired already: the same machine gets a new certificate, another needs --replace.\n`);
      const end = await follow(terminal, window, interrupted);
      return report(terminal, device.name, { kind, name }, end);
    });
  },
);

function whomOf(
  options: { box: string | undefined; client: string | undefined },
  device: DeviceFolder,
): { kind: HolderKind; name: string } {
  if (options.box !== undefined && options.client !== undefined) throw new UsageError('a window is for one: --box NAME or --client NAME');
  if (options.client !== undefined) return { kind: 'client', name: options.client };
  return { kind: 'box', name: options.box ?? freeBoxName(device) };
}

function freeBoxName({ name, folder }: DeviceFolder): string {
  const taken = new Set([...new PairedNames(folder).paired('box'), ...new WindowFolder(folder).windows()].map((box) => box.name));
  const stem = `${name}-box`.slice(0, LIMITS.nameCharactersMax - 3);
  for (let number = 2, candidate = stem; ; number += 1) {
    if (!taken.has(candidate)) return candidate;
    candidate = `${stem}${number}`;
  }
}

function announce(terminal: Terminal, device: DeviceFolder, { address, code }: OwnWindow): void {
  const parsed = parseWindowAddress(address);
  const isOfHere = parsed.status === 'read' && LOOPBACK.test(parsed.value.url);
  terminal.line(`Device ${device.name} waits. ${isOfHere ? 'In another terminal of this machine' : 'On the other machine'}:\n`);
  terminal.line(`  npm run pair -- join ${address} ${formatPairingCode(code)}\n`);
  terminal.line(`  address  ${address}`);
  terminal.line(`  code     ${terminal.paint('strong', formatPairingCode(code))}\n`);
  const through = parsed.status === 'read' ? throughLine(readConfiguration(device.folder), parsed.value, code, device.folder) : undefined;
  if (through) {
    terminal.line('  Where it reaches only the broker that is the relay of this device:\n');
    terminal.line(`  ${through.line}\n`);
    if (through.remark !== undefined) terminal.line(`  ${through.remark}\n`);
  } else if (isOfHere) terminal.line(`${terminal.paint('warning', '  The address is of this machine only.')} ${elsewhereText(device)}\n`);
  if (!terminal.live || parsed.status !== 'read') return;
  for (const line of qrCodeLines(formatInvitation(parsed.value, code))) terminal.line(`  ${terminal.paint('light-on-dark', line)}`);
  terminal.line('');
}

function elsewhereText({ folder }: DeviceFolder): string {
  return [
    `For another machine the device needs one that reaches it: as the first of "hosts" in ${join(folder, 'configuration.json')},`,
    '  which is the one that is shown here, with an "address" at which it listens for it, or none for every interface; then start the device again.',
    '  The devices of npm start are for one machine, and get 127.0.0.1 at each start. Through a forwarder: join with its host and port, and --address.',
  ].join('\n');
}

/** Until the window is used or closed. */
async function follow(terminal: Terminal, window: OwnWindow, interrupted: AbortSignal): Promise<WindowNews> {
  let attempts = 0;
  try {
    for (;;) {
      if (interrupted.aborted) window.withdraw();
      const news = window.news();
      if (news.window !== 'open') return news;
      if (news.attempts > attempts) terminal.line(attemptText(news.attempts));
      attempts = news.attempts;
      const leftMs = Math.max(0, news.expiresAtMs - Date.now());
      terminal.show(`  ${durationText(leftMs)} left, ${LIMITS.pairingAttemptsMax - attempts} attempts; Ctrl-C closes the window`);
      await sleep(LOOK_MS);
    }
  } finally {
    terminal.settle();
  }
}

function attemptText(attempts: number): string {
  return `  somebody tries a code: attempt ${attempts} of ${LIMITS.pairingAttemptsMax}`;
}

const ENDS: Readonly<Record<WindowEnd, string>> = {
  'attempts-spent': `${LIMITS.pairingAttemptsMax} wrong codes have spent its attempts. If that was not you, somebody guesses, or stands in between`,
  expired: 'its time is over',
  withdrawn: 'its owner has closed it',
  'opened-anew': 'another one for the same name was opened',
  'too-many-windows': 'too many windows are open',
  'stale-wish': 'the device did not take it in time',
  lost: 'the device does not know it any more',
};

function report(terminal: Terminal, device: string, whom: { kind: HolderKind; name: string }, news: WindowNews): number {
  if (news.window === 'used') {
    terminal.line(terminal.paint('good', `The ${whom.kind} ${whom.name} is paired with device ${device}`));
    showComparison(terminal, { device, ...whom, ...news });
    return 0;
  }
  const why = news.window === 'closed' ? ENDS[news.reason] : 'nobody knows why';
  terminal.line(terminal.paint('warning', `The window of the ${whom.kind} ${whom.name} is closed: ${why}. Its code is dead.`));
  const isOwnDoing = news.window === 'closed' && (news.reason === 'withdrawn' || news.reason === 'opened-anew');
  if (!isOwnDoing) terminal.line(`Open another one: npm run pair -- open --${whom.kind} ${whom.name}`);
  return 1;
}
