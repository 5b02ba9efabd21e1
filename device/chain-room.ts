/**
 * The chain in a device: its store, the core's host, what clients are shown, and what follows from members that come and go.
 * Specification §11.5, §14.
 */
import { readdirSync, readFileSync, rmSync, mkdirSync } from 'node:fs';
import { join } from 'node:path';
import { HeadView } from '#protocol/chain/chain-view.ts';
import { encodeBulk, sameBytes } from '#protocol/codec.ts';
import type { Crypto } from '#protocol/crypto.ts';
import { LIMITS } from '#protocol/limits.ts';
import type { Member, Network } from '#protocol/network.ts';
import type { Chain, ShowChain } from './consensus/chain-port.ts';
import { headView, showChain, type ShownParts } from './consensus/chain-show.ts';
import type { Anchor } from './consensus/machine.ts';
import type { ConsensusChip } from './consensus/chip-tasks.ts';
import { Consensus } from './consensus/host.ts';
import type { GossipNetwork } from './gossip.ts';
import { CHAIN_LIMITS } from './limits.ts';
import type { Log, Publisher } from './ports.ts';
import { openChainStore } from './store/chain-store.ts';

export interface ChainRoomRequest {
  readonly stateFolder: string;
  readonly network: Network;
  /** The device's name. */
  readonly device: string;
  readonly crypto: Crypto;
  readonly chip: ConsensusChip;
  readonly gossip: GossipNetwork;
  readonly publisher: Publisher;
  /** Peers whose attestation key this device has activated and whose evidence it trusts now, by node id. */
  readonly trustedActivated: () => readonly Uint8Array[];
  /** A checkpoint that the operator vouches for (§13.7). */
  readonly anchor?: Anchor;
  readonly log: Log;
  /** Members and applicants of the finalised state, when they are others than before. */
  readonly onMembers: (members: readonly Member[]) => void;
  readonly onFailure: (error: unknown) => void;
}

export interface ChainRoom {
  readonly chain: Chain;
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
  const consensus = new Consensus({ ...request, store });
  const parts: ShownParts = { device, network, consensus, store, isReached: (peer) => gossip.isReached(peer) };
  const applications = join(stateFolder, 'applications');
  mkdirSync(applications, { recursive: true, mode: 0o700 });
  let saidAtMs = -Infinity;
  let due: NodeJS.Timeout | undefined;
  const say = (): void => {
    due = undefined;
    saidAtMs = performance.now();
    publisher.publish({ to: 'chain', device }, encodeBulk(HeadView, headView(parts)), { retain: true });
  };
  // Whoever watches need not see each of a hundred blocks that come while catching up.
  const saySoon = (): void => void (due ??= setTimeout(say, Math.max(0, saidAtMs + CHAIN_LIMITS.headSaidEveryMs - performance.now())));
  consensus.onChange(saySoon);
  saySoon();
  return {
    chain: consensus,
    show: (question) => showChain(parts, question),
    republish: () => {
      consensus.republish();
      saySoon();
    },
    timePassed: () => {
      vouch(consensus, request.trustedActivated());
      submitApplications(consensus, applications, log);
      saySoon();
    },
    stop: async () => {
      clearTimeout(due);
      await consensus.stop();
      store.close();
    },
  };
}

/** This member's word for applicants that it has activated itself and whose evidence it trusts (§11.5). */
function vouch(consensus: Consensus, trusted: readonly Uint8Array[]): void {
  const { core, members } = consensus.head().state;
  if (!core.seats.some((seat) => sameBytes(seat, consensus.node))) return;
  for (const { node, standing, vouchedBy } of members.values()) {
    if (standing !== 'applicant' || vouchedBy.some((voucher) => sameBytes(voucher, consensus.node))) continue;
    if (trusted.some((activated) => sameBytes(activated, node))) consensus.act({ action: 'vouch', applicant: node });
  }
}

/** Member cards that the operator has laid into the folder: each is brought before the network once. */
function submitApplications(consensus: Consensus, folder: string, log: Log): void {
  for (const name of readdirSync(folder).filter((file) => file.endsWith('.cbor'))) {
    const file = join(folder, name);
    const card = new Uint8Array(readFileSync(file));
    rmSync(file, { force: true });
    if (card.length > LIMITS.signedBytesMax) {
      log('applicationIgnored', { file: name, bytes: card.length });
      continue;
    }
    consensus.submit({ kind: 'application', card });
    log('applicationSubmitted', { file: name });
  }
}
