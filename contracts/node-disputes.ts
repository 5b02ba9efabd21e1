/** Where contradictions of a chip are proven (Specification §20.6): known to whoever knows where a network's anchors are. */
import { encodeCreation } from './evm.ts';
import { abi, bytecode } from './generated/node-disputes.ts';
import { planContract, type PlannedContract } from './planned-contract.ts';

/** @param anchors address of the contract Anchors */
export function planNodeDisputes(networkId: Uint8Array, anchors: Uint8Array): PlannedContract {
  return planContract(networkId, 'node-disputes', encodeCreation(abi, bytecode, [anchors]));
}
