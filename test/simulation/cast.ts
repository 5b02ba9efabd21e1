/** Who takes part in a world: founders and joiners with their chips, the network that the founders make, its cryptography. */
import type { Crypto } from '#protocol/crypto.ts';
import { createNodeCrypto } from '../../device/crypto-node.ts';
import { networkId, type Network } from '#protocol/network.ts';
import { identityOf, type Identity } from './identity.ts';
import { realKeySource } from './real-keys.ts';
import type { Scenario } from './scenario.ts';
import { stubCrypto } from './stub-crypto.ts';
import { createStubMember, memberWith, stubNetwork } from './stub-tpm.ts';

export interface Cast {
  readonly network: Network;
  readonly networkId: Uint8Array;
  readonly crypto: Crypto;
  readonly founders: readonly Identity[];
  readonly joiners: readonly Identity[];
}

export function castOf(scenario: Scenario): Cast {
  const name = (index: number): string => `member-${index}`;
  const real = scenario.signatures === 'real';
  const chips = Array.from({ length: scenario.members + scenario.joiners }, (_, index) =>
    real ? memberWith(name(index), realKeySource(name(index))) : createStubMember(name(index)),
  );
  const founding = chips.slice(0, scenario.members);
  const { targetIntervalMs, minimumWaitMs, epochHeights } = scenario;
  const network = stubNetwork(founding, { targetIntervalMs, minimumWaitMs, epochHeights }, scenario.trust);
  const id = networkId(network);
  const identities = chips.map((chip) => identityOf(chip, id, network.genesis.salt));
  return {
    network,
    networkId: id,
    crypto: real ? createNodeCrypto() : stubCrypto,
    founders: identities.slice(0, scenario.members),
    joiners: identities.slice(scenario.members),
  };
}
