/** `capsule logs`: what the program of a capsule wrote, whole after its end, live before. */
import { createReadStream } from 'node:fs';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { pipeline } from 'node:stream/promises';

import { hasEnded } from '#protocol/capsule.ts';
import type { ResultNews } from '#protocol/client-messages.ts';
import type { Client } from '../client/client.ts';
import { commandOf } from '../arguments.ts';
import { harmless } from '../terminal.ts';
import { chooseCapsule } from './chosen-capsule.ts';
import { endingText, isSuccess } from './ending.ts';
import { follow } from './follow.ts';
import { clientOption, defaultState, deviceOption, stateOption } from './options.ts';
import { withSession } from './session.ts';
import { openView } from './view.ts';

export const logs = commandOf(
  {
    name: 'logs',
    summary: "Prints a capsule's standard output and standard error.",
    operands: ['ID'],
    options: {
      follow: { help: 'for a capsule that has not ended: show what it writes from now on, to its end' },
      device: deviceOption,
      client: clientOption,
      state: stateOption,
    },
    notes: 'Of a capsule that has ended the whole log is printed, its standard error to standard error. Ctrl-C leaves a capsule running.',
  },
  async ({ operands: [id = ''], options }) => {
    const state = options.state ?? defaultState;
    const { capsule, profile } = await chooseCapsule(state, id, options);
    return withSession(state, profile, async ({ client }) => {
      const line = await client.status(capsule);
      if (hasEnded(line.state)) return printWhole(client, await client.result(capsule));
      if (options.follow) return followLog(client, capsule);
      process.stderr.write(
        `The capsule is ${line.state}. --follow shows what it writes from now on; the whole log can be had when it has ended.\n`,
      );
      return 0;
    });
  },
);

async function followLog(client: Client, capsule: string): Promise<number> {
  const view = openView(false);
  const followed = await follow({ client, capsule, view });
  if (followed.status === 'left') return 0;
  view.explain(endingText(followed.result));
  return isSuccess(followed.result) ? 0 : 1;
}

/** Exact bytes where they go to a file or program; without control sequences where they go to a terminal. */
async function printWhole(client: Client, { stdout, stderr }: ResultNews): Promise<number> {
  const folder = await mkdtemp(join(tmpdir(), 'capstan-logs-'));
  try {
    for (const [name, blob, stream] of [['stdout', stdout, process.stdout] as const, ['stderr', stderr, process.stderr] as const]) {
      if (!blob) continue;
      await client.fetchOutput(blob.digest, blob.bytes, join(folder, name));
      await print(join(folder, name), stream);
    }
  } finally {
    await rm(folder, { recursive: true, force: true });
  }
  return 0;
}

async function print(file: string, stream: NodeJS.WriteStream): Promise<void> {
  if (!stream.isTTY) return pipeline(createReadStream(file), stream, { end: false });
  for await (const chunk of createReadStream(file, 'utf8')) stream.write(harmless(String(chunk)));
}
