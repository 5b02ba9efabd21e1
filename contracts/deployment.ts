/**
 * The contracts of a network on a chain: where each will be, and the transactions that put them there. Every address follows from the network's id
 * and the code (EIP-1014), so whoever deploys again finds what is there, and nothing is made twice. Specification §20.
 */
import type { ConstructorArguments } from './abi.ts';
import { encodeCreation } from './evm.ts';
import { abi as anchorsAbi, bytecode as anchorsCode } from './generated/anchors.ts';
import { abi as nodeRegistryAbi, bytecode as nodeRegistryCode } from './generated/node-registry.ts';
import { abi as releasesAbi, bytecode as releasesCode } from './generated/releases.ts';
import { abi as stopSwitchAbi, bytecode as stopSwitchCode } from './generated/stop-switch.ts';
import { abi as verdictDisputesAbi, bytecode as verdictDisputesCode } from './generated/verdict-disputes.ts';
import { planNodeDisputes } from './node-disputes.ts';
import { planContract, type ContractName, type PlannedContract } from './planned-contract.ts';

type AnchorsArguments = ConstructorArguments<typeof anchorsAbi>;

export interface DeploymentTerms {
  readonly networkId: Uint8Array;
  /** The timelock. */
  readonly owner: Uint8Array;
  readonly guardian: Uint8Array;
  readonly founders: AnchorsArguments[1];
  readonly anchors: AnchorsArguments[2];
  readonly stopS: bigint;
  /** In wei. */
  readonly stakeMin: bigint;
  readonly withdrawalS: bigint;
  readonly releaseDelayS: bigint;
  readonly releaseNoticeS: bigint;
  /** Drawn for a verdict (§18.1). */
  readonly judges: bigint;
}

/** In the order in which they must be made: each is given the addresses of those before. */
export function planDeployment(terms: DeploymentTerms): PlannedContract[] {
  const { networkId, owner, guardian, founders } = terms;
  const plan = (name: ContractName, creation: Uint8Array): PlannedContract => planContract(networkId, name, creation);
  const stopSwitch = plan('stop-switch', encodeCreation(stopSwitchAbi, stopSwitchCode, [owner, guardian, terms.stopS]));
  const anchors = plan('anchors', encodeCreation(anchorsAbi, anchorsCode, [networkId, founders, terms.anchors, stopSwitch.address]));
  const disputes = planNodeDisputes(networkId, anchors.address);
  const registryArguments = [anchors.address, disputes.address, terms.stakeMin, terms.withdrawalS] as const;
  const registry = plan('node-registry', encodeCreation(nodeRegistryAbi, nodeRegistryCode, registryArguments));
  const releases = plan('releases', encodeCreation(releasesAbi, releasesCode, [owner, terms.releaseDelayS, terms.releaseNoticeS]));
  const verdicts = plan(
    'verdict-disputes',
    encodeCreation(verdictDisputesAbi, verdictDisputesCode, [anchors.address, releases.address, terms.judges]),
  );
  return [stopSwitch, anchors, disputes, registry, releases, verdicts];
}
