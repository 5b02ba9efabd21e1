/** The racks that run on the state folder of a grid, and which of them has a box. */
import { existsSync, readdirSync } from 'node:fs';
import { join } from 'node:path';
import { nearestAdvice, UsageError } from '../arguments.ts';
import { gridLayout, boxOf, RACK_SOCKET_END } from '../grid/layout.ts';
import { askRack, NoRack } from './ask-rack.ts';
import type { BoxStatus, RackRequest } from './rack-messages.ts';

export interface FoundBox {
  /** Of its rack. */
  readonly socket: string;
  readonly status: BoxStatus;
}

/** Every box of every rack that answers, in the order of their names. @throws NoRack when none does */
export async function findBoxes(state: string): Promise<FoundBox[]> {
  const { root, rackSockets } = gridLayout(state);
  const names = existsSync(rackSockets) ? readdirSync(rackSockets).filter((name) => name.endsWith(RACK_SOCKET_END)) : [];
  const sockets = names.map((name) => join(rackSockets, name));
  const found = await Promise.all(sockets.map((socket) => boxesAt(socket).catch(() => [])));
  const boxes = found.flat().sort((left, right) => (left.status.box < right.status.box ? -1 : 1));
  if (boxes.length === 0) throw new NoRack(`no rack runs on ${root}: \`npm start\` starts one with its grid; --state names another folder`);
  return boxes;
}

/** @param name of a box, or of its device. @throws UsageError that names those there are */
export async function findBox(state: string, name: string): Promise<FoundBox> {
  const boxes = await findBoxes(state);
  const found = boxes.find(({ status }) => status.box === name || status.box === boxOf(name));
  if (found) return found;
  const known = boxes.map(({ status }) => status.box);
  throw new UsageError(`there is no box "${name}"; ${nearestAdvice(name, known)}`);
}

/** @returns what was done. @throws NoRack @throws UsageError when the rack refuses */
export async function tell(socket: string, request: RackRequest): Promise<string> {
  const reply = await askRack(socket, request);
  if (reply.is === 'done') return reply.detail;
  throw new UsageError(reply.is === 'refused' ? reply.detail : 'the rack answered something else');
}

async function boxesAt(socket: string): Promise<FoundBox[]> {
  const reply = await askRack(socket, { do: 'status' });
  return reply.is === 'status' ? reply.boxes.map((status) => ({ socket, status })) : [];
}
