/**
 * On what terms a network's contracts are made: from its genesis, and the times and amounts that fit the chain. They never change afterwards.
 * Specification §20.1-20.7.
 */
import type { DeploymentTerms } from '#contracts/deployment.ts';
import { nobleCrypto } from '#protocol/crypto-noble.ts';
import { NO_ANCHOR, type AnchorHeader } from '#protocol/layer1/anchor.ts';
import { anchoredState } from '#protocol/layer1/anchored-state.ts';
import { networkId, type Network } from '#protocol/network.ts';
import { abiHeader } from '../../device/layer1/anchors-contract.ts';
import { genesisPosition } from '../../device/ledger/genesis.ts';

/** Times in seconds, amounts in wei. */
export type TimesAndAmounts = Pick<DeploymentTerms, 'anchors' | 'stopS' | 'stakeMin' | 'withdrawalS' | 'releaseDelayS' | 'releaseNoticeS'>;

const DAY_S = 86_400n;
const ETHER = 10n ** 18n;

/** Of a network that lasts. */
export const LASTING: TimesAndAmounts = {
  anchors: {
    windowS: DAY_S / 4n, // a challenger has to be up, to be paid into, and to get into a block of a congested chain
    recoveryS: 7n * DAY_S, // who was cut off from layer 1 for a weekend loses no seat
    showS: 3n * DAY_S, // the same, for those who show life
    bond: ETHER / 10n, // more than a challenge costs on the dearest day
  },
  stopS: 3n * DAY_S, // the owner's timelock can act in it; below half of recoveryS
  stakeMin: ETHER,
  withdrawalS: 14n * DAY_S, // longer than a window and a stop together
  releaseDelayS: 2n * DAY_S, // whoever sees a false release has two days to warn
  releaseNoticeS: 2n * DAY_S, // devices have two days to update
};

/** Of a network on one machine, which lasts for minutes: an anchor is posted and final while somebody looks on. */
export const BENCH: TimesAndAmounts = {
  anchors: {
    windowS: 2n, // a block of the bench chain
    recoveryS: 600n,
    showS: 120n,
    bond: 10n ** 12n, // 32 open ones are far below what a device has for a day
  },
  stopS: 300n,
  stakeMin: 10n ** 15n,
  withdrawalS: 600n,
  releaseDelayS: 60n,
  releaseNoticeS: 60n,
};

export interface Keepers {
  /** The timelock. */
  readonly owner: Uint8Array;
  readonly guardian: Uint8Array;
}

/** Drawn where a network's members don't judge one another yet (§18.1). */
const JUDGES = 7;

export function termsFor(network: Network, { owner, guardian }: Keepers, times: TimesAndAmounts): DeploymentTerms {
  return {
    ...times,
    ...{ networkId: networkId(network), owner, guardian },
    founders: abiHeader(foundersAnchor(network)),
    judges: BigInt(network.genesis.trust?.judges ?? JUDGES),
  };
}

/** Anchor 0: of the genesis state (§20.2). */
function foundersAnchor(network: Network): AnchorHeader {
  const { id, height, timeMs, state } = genesisPosition({ network, networkId: networkId(network), crypto: nobleCrypto });
  const { moment } = anchoredState(network, 0, { number: 0, id, height, timeMs, state });
  return { ...moment, previous: NO_ANCHOR };
}
