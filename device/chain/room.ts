/**
 * The chain in a device: its store, the core's host, what clients are shown, and what follows from members that come and go.
 * Specification §11.5, §14.
 */
import { join } from 'node:path';
import { HeadView } from '#protocol/chain/chain-view.ts';
import { encodeBulk } from '#protocol/codec.ts';
import type { Crypto } from '#protocol/crypto.ts';
import type { Member, Network } from '#protocol/network.ts';
import { AnchoredArchive } from './anchored-archive.ts';
import type { Chain, Checkpoints, ShowChain } from './chain-port.ts';
import { headView, showChain, type ShownParts } from './chain-show.ts';
import type { Anchor } from '../consensus/machine.ts';
import { Consensus } from './host.ts';
import type { GossipNetwork } from '../gossip.ts';
import { CHAIN_LIMITS, DEVICE_LIMITS } from '../limits.ts';
import type { Verification } from '../attestation/verification.ts';
import { MembershipDesk } from '../membership/desk.ts';
import type { Log, Publisher } from '../ports.ts';
import { AnchoredStore } from '../store/anchored-store.ts';
import { openChainStore } from '../store/chain-store.ts';
import { openVerdictStore, type VerdictStore } from '../store/verdict-store.ts';
import { TrustHost, type TrustChip } from './trust-host.ts';

export interface ChainRoomRequest {
  readonly stateFolder: string;
  readonly network: Network;
  /** The device's name. */
  readonly device: string;
  readonly crypto: Crypto;
  readonly chip: TrustChip;
  readonly gossip: GossipNetwork;
  readonly publisher: Publisher;
  /** Whether this device has verified the peer with this card (member digest). */
  readonly verificationOf: (card: Uint8Array) => Verification;
  /** These newcomers are for others to verify, in the place of those before. */
  readonly leaveToOthers: (nodes: readonly Uint8Array[]) => void;
  /** A checkpoint that the operator vouches for (§13.7). */
  readonly anchor?: Anchor;
  readonly log: Log;
  /** Members and applicants of the finalised state, when they are others than before. */
  readonly onMembers: (members: readonly Member[]) => void;
  readonly onFailure: (error: unknown) => void;
}

export interface ChainRoom {
  readonly chain: Chain;
  readonly checkpoints: Checkpoints;
  readonly show: ShowChain;
  /** Says the head again: the broker has lost what it retained. */
  republish(): void;
  /** To be called every `DEVICE_LIMITS.dutyIntervalMs`. */
  timePassed(): void;
  stop(): Promise<void>;
}

export function openChainRoom(request: ChainRoomRequest): ChainRoom {
  const { stateFolder, device, network, gossip, publisher, log } = request;
  const store = openChainStore(join(stateFolder, 'chain.sqlite'), log);
  const late: { trust?: TrustHost | undefined } = {};
  const consensus = new Consensus({ ...request, store, onTransaction: (transaction) => late.trust?.heard(transaction) });
  const verdicts = openVerdictStore(join(stateFolder, 'verdicts.sqlite'), log);
  late.trust = trustOf(request, consensus, verdicts, () => store.memory() === 'whole');
  const seats = network.genesis.anchorHeights === undefined ? undefined : new AnchoredStore(join(stateFolder, 'anchored.sqlite'), log);
  const anchored = seats && new AnchoredArchive(consensus, network, seats);
  const parts: ShownParts = { device, network, consensus, store, anchored, isReached: (peer) => gossip.isReached(peer) };
  const desk = new MembershipDesk({ ...request, consensus });
  let saidAtMs = -Infinity;
  let due: NodeJS.Timeout | undefined;
  const say = (): void => {
    due = undefined;
    saidAtMs = performance.now();
    publisher.publish({ to: 'chain', device }, encodeBulk(HeadView, headView(parts)), { retain: true });
  };
  // Whoever watches need not see each of a hundred blocks that come while catching up.
  const waitMs = (): number => Math.max(CHAIN_LIMITS.relayAfterMs, saidAtMs + CHAIN_LIMITS.headSaidEveryMs - performance.now());
  const saySoon = (): void => void (due ??= setTimeout(say, waitMs()));
  let look: NodeJS.Timeout | undefined;
  const lookSoon = (): void => {
    look ??= setTimeout(() => {
      look = undefined;
      desk.look();
    }, DEVICE_LIMITS.membershipLookMs);
  };
  consensus.onChange(() => {
    saySoon();
    lookSoon();
  });
  saySoon();
  lookSoon();
  return {
    chain: consensus,
    checkpoints: consensus,
    show: (question) => showChain(parts, question),
    republish: () => {
      consensus.republish();
      saySoon();
    },
    timePassed: () => {
      lookSoon();
      saySoon();
    },
    stop: async () => {
      clearTimeout(due);
      clearTimeout(look);
      await late.trust?.stop();
      await consensus.stop();
      verdicts.close();
      seats?.close();
      store.close();
    },
  };
}

/** Where the members of this network judge one another. */
function trustOf(request: ChainRoomRequest, consensus: Consensus, store: VerdictStore, isCaughtUp: () => boolean): TrustHost | undefined {
  const { trust } = request.network.genesis;
  return trust && new TrustHost({ ...request, trust, consensus, store, isCaughtUp });
}
