/** What a grid consists of, and where its parts lie in its state folder. */
import { createHash } from 'node:crypto';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';

export const GRID_DEVICES = ['alpha', 'bravo', 'charlie', 'delta'] as const;

/** The client that the grid makes for whoever started it; it knows the first device. */
export const GRID_CLIENT = { device: GRID_DEVICES[0], name: 'you' } as const;

export interface GridLayout {
  readonly root: string;
  readonly networkFile: string;
  /** Of the software TPMs of this grid. */
  readonly tpmAuthority: string;
  readonly logs: string;
  /** The state of the chains below, which run on this machine. */
  readonly layer1: string;
  /** Of a device or an agent that runs. */
  processId(name: string): string;
  device(name: string): string;
  tpm(device: string): string;
  box(name: string): string;
  client(device: string, name: string): string;
  capsule(id: string): string;
  /** Of the rack that powers the boxes (§16.4): its file, and the sockets. */
  readonly rackSockets: string;
  rackFile(rack: string): string;
  rackSocket(rack: string): string;
  wires(box: string): string;
}

/** The path of a Unix socket has to fit `sockaddr_un` with its final zero; names of boxes have up to 36 characters. */
const SOCKET_FOLDER_BYTES_MAX = 107 - '/.rack.sock'.length - 36;

/** The rack of the grid's own boxes; a newcomer has one under its own name. */
export const GRID_RACK = 'grid';

export function boxOf(device: string): string {
  return `${device}-box`;
}

export function gridLayout(stateFolder: string): GridLayout {
  const root = resolve(stateFolder);
  const rackSockets = socketFolder(root);
  return {
    root,
    networkFile: join(root, 'network.cbor'),
    tpmAuthority: join(root, 'tpm-authority'),
    logs: join(root, 'logs'),
    layer1: join(root, 'layer1'),
    processId: (name) => join(root, 'logs', `${name}.pid`),
    device: (name) => join(root, 'devices', name),
    tpm: (device) => join(root, 'devices', device, 'tpm'),
    box: (name) => join(root, 'boxes', name),
    client: (device, name) => join(root, 'clients', device, name),
    capsule: (id) => join(root, 'capsules', id),
    rackSockets,
    rackFile: (rack) => join(root, 'logs', `${rack}-rack.json`),
    rackSocket: (rack) => join(rackSockets, `${rack}${RACK_SOCKET_END}`),
    wires: (box) => join(rackSockets, `${box}.wires`),
  };
}

/** By which the sockets of racks are known among those of boxes. */
export const RACK_SOCKET_END = '.rack.sock';

/** In the state folder, or where its path is too long in one that belongs to it. */
function socketFolder(root: string): string {
  const near = join(root, 'rack');
  if (Buffer.byteLength(near) <= SOCKET_FOLDER_BYTES_MAX) return near;
  return join(tmpdir(), `capstan-rack-${createHash('sha256').update(root).digest('hex').slice(0, 16)}`);
}
