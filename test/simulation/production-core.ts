/** The core that devices run, with its ledger, started in a simulated world. */
import type { Crypto } from '#protocol/crypto.ts';
import { networkId, type Network } from '#protocol/network.ts';
import { createLedger } from '../../device/ledger/ledger.ts';
import { startConsensus, step } from '../../device/consensus/machine.ts';
import type { StartCore } from './core.ts';

export function productionCore(network: Network, crypto: Crypto): StartCore {
  return ({ identity, operational, kept, archive, at }) => {
    const ledger = createLedger({ network, networkId: networkId(network), crypto });
    const { state, effects } = startConsensus({
      network,
      node: identity.node,
      operationalKey: operational.publicKey,
      sign: (input) => operational.sign(input),
      crypto: ledger.crypto,
      ledger,
      archive,
      kept,
      at,
    });
    return { core: { state, step: (event) => step(state, event) }, effects };
  };
}
