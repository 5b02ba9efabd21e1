/** What a grid consists of, and where its parts lie in its state folder. */
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
  /** Of a device or an agent that runs. */
  processId(name: string): string;
  device(name: string): string;
  tpm(device: string): string;
  box(name: string): string;
  client(device: string, name: string): string;
  capsule(id: string): string;
}

export function gridLayout(stateFolder: string): GridLayout {
  const root = resolve(stateFolder);
  return {
    root,
    networkFile: join(root, 'network.cbor'),
    tpmAuthority: join(root, 'tpm-authority'),
    logs: join(root, 'logs'),
    processId: (name) => join(root, 'logs', `${name}.pid`),
    device: (name) => join(root, 'devices', name),
    tpm: (device) => join(root, 'devices', device, 'tpm'),
    box: (name) => join(root, 'boxes', name),
    client: (device, name) => join(root, 'clients', device, name),
    capsule: (id) => join(root, 'capsules', id),
  };
}
