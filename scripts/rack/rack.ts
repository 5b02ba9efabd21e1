/**
 * The simulated rack: all boxes of a grid in one process, with one socket for people. It has the power: when it dies, so do the
 * agents of its boxes. Specification §16.4.
 */
import { chmodSync, readFileSync, rmSync } from 'node:fs';
import { createServer, type Server, type Socket } from 'node:net';
import { decodeJson, encodeJson } from '#protocol/codec.ts';
import { integer, list, oneOf, struct, text, type Infer } from '#protocol/schema.ts';
import { FrameReader, frameOf } from '../../device/board/simulated/wires.ts';
import { RACK_LIMITS } from './limits.ts';
import { RackBox, type RackLog } from './rack-box.ts';
import { RackReply, RackRequest } from './rack-messages.ts';

const Path = text({ min: 1, max: 4_096 });

/** The file by which a rack is started. */
export const RackFile = struct({
  /** Where people talk to it. */
  socket: Path,
  bootMs: integer({ min: 1, max: 600_000 }),
  afterMains: oneOf('off', 'on', 'last'),
  boxes: list(
    struct({
      name: text({ min: 1, max: 64 }),
      wires: Path,
      /** Arguments of Node: the program of the agent and what it gets. */
      program: list(text({ max: 4_096 }), { min: 1, max: 16 }),
      log: Path,
      processId: Path,
    }),
    { min: 1, max: RACK_LIMITS.boxesMax },
  ),
});
export type RackFile = Infer<typeof RackFile>;

/** @throws Error that names the file and what is wrong with it */
export function readRackFile(file: string): RackFile {
  const decoded = decodeJson(RackFile, readFileSync(file), RACK_LIMITS.messageBytesMax);
  if (decoded.status === 'malformed') throw new Error(`${file}: ${decoded.detail.replaceAll('message.', '')}`);
  return decoded.value;
}

export function rackFileText(rack: RackFile): string {
  return `${encodeJson(RackFile, rack)}\n`;
}

const END_LOOK_MS = 20;

export interface Rack {
  /** Asks the agents to end, waits for them, and cuts the power. */
  stop(): Promise<void>;
}

/** @throws Error with `code` when a socket can't be made */
export async function startRack(file: RackFile, log: RackLog): Promise<Rack> {
  const boxes = file.boxes.map(
    ({ name, wires, program, log: logFile, processId }) =>
      new RackBox({
        ...{ name, wires, log, bootMs: file.bootMs, afterMains: file.afterMains },
        system: { arguments: program, logFile, processIdFile: processId },
      }),
  );
  await Promise.all(boxes.map((box) => box.open()));
  const server = await listenForPeople(file.socket, boxes);
  const ticks = setInterval(() => boxes.forEach((box) => box.happen()), RACK_LIMITS.tickMs);
  const loads = setInterval(() => boxes.forEach((box) => box.measureLoad()), RACK_LIMITS.loadEveryMs);
  log('rackStarted', { boxes: boxes.map(({ name }) => name).join(',') });
  return {
    stop: async () => {
      clearInterval(ticks);
      clearInterval(loads);
      await endBoxes(boxes);
      server.close();
      rmSync(file.socket, { force: true });
    },
  };
}

/** A box that has ended loses its mains at once: its device may want it on again. */
async function endBoxes(boxes: readonly RackBox[]): Promise<void> {
  boxes.forEach((box) => box.askToEnd());
  const latest = performance.now() + RACK_LIMITS.endMs;
  for (let open = boxes; open.length > 0; await new Promise((resolve) => setTimeout(resolve, END_LOOK_MS))) {
    const ended = open.filter(({ processId }) => processId === undefined || performance.now() >= latest);
    ended.forEach((box) => box.close());
    open = open.filter((box) => !ended.includes(box));
  }
}

async function listenForPeople(path: string, boxes: readonly RackBox[]): Promise<Server> {
  const server = createServer((socket) => serve(socket, boxes));
  server.maxConnections = RACK_LIMITS.connectionsMax;
  rmSync(path, { force: true });
  await new Promise<void>((resolve, reject) => {
    server.once('error', reject);
    server.listen(path, resolve);
  });
  chmodSync(path, 0o600);
  return server;
}

function serve(socket: Socket, boxes: readonly RackBox[]): void {
  const reader = new FrameReader(RackRequest, RACK_LIMITS.messageBytesMax);
  socket.on('error', () => socket.destroy());
  socket.on('data', (piece: Uint8Array) => {
    const taken = reader.take(piece);
    for (const request of taken.messages) {
      if (socket.destroyed) return;
      socket.write(frameOf(RackReply, answer(request, boxes)));
    }
    if (taken.status === 'garbage') socket.destroy();
  });
}

function answer(request: RackRequest, boxes: readonly RackBox[]): RackReply {
  if (request.do === 'status') return { is: 'status', boxes: boxes.map((box) => box.status()) };
  const box = boxes.find(({ name }) => name === request.box);
  if (!box) return { is: 'refused', detail: `there is no box "${request.box}" in this rack` };
  return { is: 'done', detail: perform(request, box) };
}

function perform(request: Exclude<RackRequest, { do: 'status' }>, box: RackBox): string {
  switch (request.do) {
    case 'door':
      box.happen({ kind: 'door', isOpen: request.isOpen });
      return `the door of ${box.name} is ${request.isOpen ? 'open' : 'closed'}`;
    case 'fault':
      box.setFault(request.sensor, request.kind, request.permillePerMinute ?? 0);
      return `${request.sensor} of ${box.name} ${FAULT_WORDS[request.kind]}`;
    case 'mains':
      box.hold('mains-relay', 'hand', !request.isThere);
      return `the mains of ${box.name} are ${request.isThere ? 'back' : 'cut'}`;
    case 'press': {
      const button = request.button === 'power' ? 'power-button' : 'reset-button';
      box.hold(button, 'hand', true);
      setTimeout(() => box.hold(button, 'hand', false), request.ms);
      return `the ${request.button} button of ${box.name} is pressed for ${request.ms} ms`;
    }
    case 'sleep':
      box.happen({ kind: 'sleep' });
      return `${box.name} sleeps, if it was running`;
  }
}

const FAULT_WORDS = { failed: 'gives nothing', stuck: 'is stuck', drifting: 'drifts', none: 'is well' } as const;
