/** A contract of a network before it is made: its address follows from the network's id and the code (EIP-1014), on every chain alike. */
import { create2Address } from './evm.ts';

/** The factory at one address on every chain that anybody brought it to: it takes a salt and creation code. Arachnid's deterministic deployment proxy. */
export const FACTORY = Uint8Array.fromHex('4e59b44847b379578588920ca78fbf26c0b4956c');

export type ContractName = 'stop-switch' | 'anchors' | 'node-disputes' | 'node-registry' | 'releases' | 'verdict-disputes';

export interface PlannedContract {
  readonly name: ContractName;
  readonly address: Uint8Array;
  /** What the factory is sent. */
  readonly data: Uint8Array;
}

export function planContract(networkId: Uint8Array, name: ContractName, creation: Uint8Array): PlannedContract {
  return { name, address: create2Address(FACTORY, networkId, creation), data: Uint8Array.of(...networkId, ...creation) };
}
