/** The state before the first block: the founders, and nothing else. Pure. Specification §11.1, §11.5, §12.1. */
import { emptyGathering, genesisSeed } from '#protocol/chain/epoch-seed.ts';
import { StateMap } from '#protocol/chain/state-map.ts';
import { stateRoot } from '#protocol/chain/state-root.ts';
import type { ChainState, MemberRecord } from '#protocol/chain/state.ts';
import { domainDigest, hex } from '#protocol/digest.ts';
import { foundersOf, nodeIdOf, type Member, type TrustParameters } from '#protocol/network.ts';
import { founderTrust } from './member-trust.ts';
import type { LedgerContext, Position } from './position.ts';
import { withSlotDrawn } from './slots.ts';

export function genesisPosition({ network, networkId }: LedgerContext): Position {
  const founders = foundersOf(network)
    .map((member) => recordOf(member, network.genesis.trust))
    .sort((left, right) => (hex(left.node) < hex(right.node) ? -1 : 1));
  const seats = founders.map(({ node }) => node);
  const seed = genesisSeed(
    networkId,
    founders.map(({ member }) => member.vrfKey),
  );
  const members = StateMap.of(founders.map((record) => [hex(record.node), record] as const));
  const noBlock = new Uint8Array(32);
  const core = {
    epoch: { number: 0, seed, gathered: emptyGathering, gathering: emptyGathering },
    checkpoint: { number: 0, height: 0, block: noBlock },
    seats,
    seatsToCome: [{ fromHeight: 0, seats }],
    seeds: [{ fromHeight: 0, seed }],
  };
  const founded: ChainState = { core, members, boxes: StateMap.of(), capsules: StateMap.of() };
  const first = network.genesis.trust ? withSlotDrawn(founded, 0) : founded;
  const id = domainDigest('genesis-block', networkId, stateRoot(first));
  const state = { ...first, core: { ...first.core, checkpoint: { number: 0, height: 0, block: id } } };
  return { id, height: 0, timeMs: 0, state };
}

function recordOf(member: Member, trust: TrustParameters | undefined): MemberRecord {
  return {
    node: nodeIdOf(member.endorsementKey),
    member,
    standing: 'member',
    drawsFromEpoch: 0,
    vouchedBy: [],
    keys: [],
    votedIn: 0,
    boxesSerial: 0,
    ...(trust && { trust: founderTrust(trust) }),
  };
}
