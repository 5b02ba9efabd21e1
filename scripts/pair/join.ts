/** `pair join`: types the code of a window that is open at a device, and keeps what the device certifies. Specification §5.6. */
import { join as joinPath } from 'node:path';
import { createInterface } from 'node:readline/promises';
import { parsePairingCode, parseWindowAddress, type PairingCode, type WindowAddress } from '#protocol/pairing-code.ts';
import { commandOf, UsageError } from '../arguments.ts';
import { openTerminal } from '../terminal.ts';
import { showPasteLines } from './client.ts';
import { showComparison } from './comparison.ts';
import { defaultState, PairFailure, requirePlace, stateOption } from './device-folder.ts';
import { pairInto } from './holder.ts';
import { shellQuoted } from './paste-lines.ts';
import { throughOf, throughOptions } from './through.ts';

export const join = commandOf(
  {
    name: 'join',
    summary: 'Pairs this machine with a device that has a window open: makes keys here and fetches the certificate.',
    operands: ['ADDRESS', '[CODE]', '[DIR]'],
    options: {
      address: { value: 'URL', help: 'where to reach the device afterwards, where a forwarder stands in between (mqtts://host:port)' },
      ...throughOptions,
      state: stateOption,
    },
    notes:
      'ADDRESS and CODE are those that npm run pair -- open shows; the address may carry the code, as a QR code does. Without CODE it is asked for. Keys and certificate go into DIR, or inside the state folder; the same DIR again keeps its keys and gets a new certificate.\n\nA box that reaches another MQTT broker only pairs through it, where the device has that broker as its relay: ADDRESS is then mqtts://host:port/DEVICE/box/NAME, and --authority or --fingerprint says by what the broker is known. What the box and its device say stays closed to it; the agent comes the same way afterwards.',
  },
  async ({ operands: [typedAddress = '', typedCode, typedFolder], options }) => {
    const { code: scanned, ...address } = required(parseWindowAddress(typedAddress));
    const folderInPlaceOfCode = scanned !== undefined && typedFolder === undefined ? typedCode : undefined;
    const code = scanned ?? (await codeFrom(typedCode));
    const folder = typedFolder ?? folderInPlaceOfCode ?? ((device: string) => folderFor(options.state ?? defaultState, device, address));
    if (options.address !== undefined && !/^mqtts:\/\/[^\s/]+:[0-9]+$/.test(options.address))
      throw new UsageError(`--address is "${options.address}"; it must be mqtts://host:port`);
    const through = throughOf(address, options);
    if (through && options.address !== undefined) throw new UsageError('--address is of a forwarder; through a broker there is none');
    requirePlace(typeof folder === 'string' ? folder : (options.state ?? defaultState));
    const reached = options.address === undefined ? {} : { reachedAt: options.address };
    const terminal = openTerminal(process.stdout, process.env);
    terminal.show(
      `  asking ${address.through === undefined ? 'at' : `device ${address.through} through`} ${address.url} for the ${address.kind} ${address.name}…`,
    );
    const paired = await pairInto({ address, code, folder, ...reached, ...(through ? { through } : {}) }).finally(() => terminal.settle());
    terminal.line(
      `${terminal.paint('good', `The ${paired.kind} ${paired.name} is paired`)} with device ${paired.device}: ${paired.folder}`,
    );
    showComparison(terminal, paired);
    terminal.line('');
    if (paired.kind === 'client') showPasteLines(terminal, paired.folder);
    else
      terminal.line(
        `Run its agent; one that runs with an earlier certificate has to be ended first:\n\n  npm run agent -- --state ${shellQuoted(paired.folder)}`,
      );
    return 0;
  },
);

/** A slip of the finger is asked for again: it costs nothing. */
async function codeFrom(typed: string | undefined): Promise<PairingCode> {
  if (typed !== undefined) return required(parsePairingCode(typed));
  const lines = createInterface({ input: process.stdin });
  process.stderr.write('Code: ');
  for await (const line of lines) {
    const read = parsePairingCode(line);
    if (read.status === 'read') return read.value;
    process.stderr.write(`${read.detail}\nCode: `);
  }
  throw new PairFailure('no code was typed');
}

function required<T>(read: { status: 'read'; value: T } | { status: 'unreadable'; detail: string }): T {
  if (read.status === 'unreadable') throw new UsageError(read.detail);
  return read.value;
}

function folderFor(state: string, device: string, { kind, name }: WindowAddress): string {
  return kind === 'client' ? joinPath(state, 'clients', device, name) : joinPath(state, 'boxes', name);
}
