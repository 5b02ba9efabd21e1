/** What a device keeps of layer 1, in its state folder. */
import { join } from 'node:path';

export const LAYER1_FOLDER = 'layer1';

export function payingKeyFile(stateFolder: string): string {
  return join(stateFolder, LAYER1_FOLDER, 'paying-key.cbor');
}

/** The intentions of its key on a chain. */
export function intentionsFile(stateFolder: string, chainId: number): string {
  return join(stateFolder, LAYER1_FOLDER, `intentions-${chainId}.sqlite`);
}
