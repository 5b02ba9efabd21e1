/** The chain as people are shown it: lines made from what this member knows. Specification §14.5. */
import type { ReadBlock } from '#protocol/chain/block.ts';
import type {
  BlockChoice,
  BlockLine,
  BlockView,
  ChainQuestion,
  ChainView,
  CheckpointLine,
  HeadView,
  PeerView,
} from '#protocol/chain/chain-view.ts';
import { waitMsOf } from '#protocol/chain/elapsed-draw.ts';
import { decodeAction } from '#protocol/chain/signed-action.ts';
import type { MemberRecord } from '#protocol/chain/state.ts';
import { decodeTransaction, transactionId, type Action } from '#protocol/chain/transaction.ts';
import { readBlock } from '#protocol/chain/block.ts';
import { sameBytes } from '#protocol/codec.ts';
import { hex } from '#protocol/digest.ts';
import { LIMITS } from '#protocol/limits.ts';
import type { Network } from '#protocol/network.ts';
import { harmless } from '#protocol/schema.ts';
import { decodeAttestOf } from '#protocol/tpm/attest.ts';
import { vrfOutput } from '#protocol/tpm/vrf.ts';
import { higherLevel } from '#protocol/trust-level.ts';
import { CHAIN_LIMITS } from '../limits.ts';
import type { ChainStore } from '../store/chain-store.ts';
import { isAwayTooLong } from '../consensus/away.ts';
import type { AnchoredArchive } from './anchored-archive.ts';
import type { ShowChain } from './chain-port.ts';
import { dueForMs, isOverdue } from './due-votes.ts';
import type { Consensus } from './host.ts';
import { showAnchor, showEvidence, showLink, showState } from './proof-show.ts';

export interface ShownParts {
  /** The device's name. */
  readonly device: string;
  readonly network: Network;
  readonly consensus: Consensus;
  readonly store: ChainStore;
  /** Where the network has anchors on layer 1. */
  readonly anchored?: AnchoredArchive | undefined;
  readonly isReached: (peerName: string) => boolean;
}

export function showChain(parts: ShownParts, question: ChainQuestion): ReturnType<ShowChain> {
  switch (question.show) {
    case 'head':
      return shown({ show: 'head', ...headView(parts) });
    case 'peers':
      return shown({ show: 'peers', ...peersView(parts) });
    case 'block': {
      const block = chosenBlock(parts, question.block);
      if (!block) return { status: 'refused', reason: 'unknown-block', detail: whyUnknown(parts, question.block) };
      return shown({ show: 'block', ...blockView(parts, block) });
    }
    case 'state':
      return showState(parts.consensus, question);
    case 'evidence':
      return showEvidence(parts, question);
    case 'anchor':
      return showAnchor(parts.anchored, question.height);
    case 'link':
      return showLink(parts.consensus, question);
  }
}

export function headView({ device, network, consensus, isReached }: ShownParts): HeadView {
  const { core, members } = consensus.finalised().state;
  const seats = core.seats.map(hex);
  const reached = seats.filter((seat) => seat === hex(consensus.node) || isReached(consensus.nameOf(seat))).length;
  return {
    device,
    condition: conditionOf(consensus, network),
    head: headLine(consensus),
    checkpoint: checkpointLine(consensus),
    epoch: core.epoch.number,
    members: [...members.values()].filter(({ standing }) => standing === 'member').length,
    seats: seats.length,
    reached,
    voting: consensus.state.finality.decision.reached.size,
    targetIntervalMs: network.genesis.consensus.targetIntervalMs,
    atMs: Date.now(),
  };
}

function shown(view: ChainView): ReturnType<ShowChain> {
  return { status: 'shown', view };
}

function conditionOf({ state, due }: Consensus, { genesis }: Network): HeadView['condition'] {
  if (state.conflict) return 'stopped';
  if (state.anchorFault) return 'other-checkpoint';
  if (state.joining) return 'joining';
  if (isAwayTooLong(state)) return 'away-too-long';
  const { height } = state.head.position;
  const claimed = [...state.sync.peers.values()].map(({ announcement }) => announcement?.head.height ?? 0).sort((low, high) => high - low);
  // As many as may lie are passed over.
  const credible = claimed[Math.floor((state.finality.voters.length - 1) / 3)] ?? 0;
  if (credible > height + CHAIN_LIMITS.behindHeights) return 'behind';
  return dueForMs(due, performance.now()) > silenceMsOf(genesis) ? 'not-finalising' : 'finalising';
}

function headLine(consensus: Consensus): BlockLine {
  const { head } = consensus.state;
  if (head.block) return { ...blockLine(consensus, head.block), waitMs: head.waitMs };
  const { id, height, timeMs } = head.position;
  const read = consensus.blockOnHead(height);
  return read ? blockLine(consensus, read) : { id, height, leader: 'genesis', timeMs, transactions: 0 };
}

function checkpointLine(consensus: Consensus): CheckpointLine {
  const { number, height, id, certificate } = consensus.finalised();
  const { afterMs, atMs } = consensus.lastFinality;
  return {
    number,
    height,
    block: id,
    voters: consensus.state.finality.voters.length,
    ...(certificate && { round: certificate.round, votes: certificate.votes.length }),
    ...(afterMs === undefined ? {} : { afterMs: Math.round(afterMs) }),
    knownForMs: Math.max(0, Math.round(performance.now() - atMs)),
  };
}

function blockLine(consensus: Consensus, { id, header, transactions }: ReadBlock): BlockLine {
  const leader = consensus.nameOf(hex(header.node));
  const { height, parent, timeMs } = header;
  return { id, height, parent, leader, timeMs, transactions: transactions.length };
}

function chosenBlock({ consensus, store }: ShownParts, choice: BlockChoice): ReadBlock | undefined {
  if (choice.by === 'height') return consensus.blockOnHead(choice.height);
  const [only, another] = store.idsWith(choice.prefix);
  const encoded = only && !another ? store.block(only) : undefined;
  const read = encoded && readBlock(encoded);
  return read?.status === 'decoded' ? read.value : undefined;
}

function whyUnknown({ consensus, store }: ShownParts, choice: BlockChoice): string {
  const { height } = consensus.head();
  if (choice.by === 'height') return `there is no block of height ${choice.height} here; the head is at ${height}`;
  if (store.idsWith(choice.prefix).length > 1) return `more than one block begins with ${choice.prefix}; give more digits`;
  return `no block that is kept here begins with ${choice.prefix}`;
}

function blockView(parts: ShownParts, block: ReadBlock): BlockView {
  const { consensus, network } = parts;
  const { header, end, transactions, encoded } = block;
  const { height } = header;
  const isFinal = height <= consensus.finalised().height && sameBytes(consensus.blockOnHead(height)?.id ?? new Uint8Array(), block.id);
  const waitMs = waitOf(parts, block);
  const checkpoint = isFinal ? holdingCheckpoint(parts, height) : undefined;
  return {
    block: { ...blockLine(consensus, block), ...(waitMs === undefined ? {} : { waitMs }) },
    bytes: encoded.length,
    epoch: Math.floor(height / network.genesis.consensus.epochHeights),
    standing: isFinal ? 'final' : 'not-final',
    ...(checkpoint && { checkpoint }),
    startedAtTpmMs: chipMs(header.start.attestation),
    endedAtTpmMs: chipMs(end.attestation),
    transactions: transactions.slice(0, LIMITS.chainLinesMax).map((transaction) => transactionLine(consensus, transaction)),
  };
}

/** Of a block that is no longer in the tree it is made again from the draw, unless seats have changed since the genesis. */
function waitOf({ consensus, network, store }: ShownParts, { id, header }: ReadBlock): number | undefined {
  const taken = consensus.state.tree.blocks.get(hex(id));
  if (taken?.block) return taken.waitMs;
  if (store.changesUpTo(consensus.finalised().number).length > 0) return undefined;
  const { members, consensus: parameters } = network.genesis;
  return waitMsOf(vrfOutput(consensus.state.setup.crypto, header.draw), members.length, parameters);
}

function holdingCheckpoint({ consensus, store }: ShownParts, height: number): BlockView['checkpoint'] {
  const certificate = store.certificateFrom(height);
  if (!certificate) return undefined;
  const { number, height: at, round, votes } = certificate;
  return { number, height: at, round, votes: votes.map(({ node }) => consensus.nameOf(hex(node))) };
}

function chipMs(attestation: Uint8Array): number {
  const attest = decodeAttestOf('time', attestation);
  return attest.status === 'decoded' ? Number(attest.value.attested.timeInfo.time) : 0;
}

function transactionLine(consensus: Consensus, encoded: Uint8Array): BlockView['transactions'][number] {
  const id = transactionId(encoded);
  const transaction = decodeTransaction(encoded);
  if (transaction.status === 'malformed') return { id, kind: 'malformed', about: '' };
  const { value } = transaction;
  const name = (node: Uint8Array): string => consensus.nameOf(hex(node));
  switch (value.kind) {
    case 'voucher':
      return {
        id,
        kind: 'voucher',
        about: `operational key ${hex(value.voucher.operationalKey).slice(0, 8)} of ${name(value.voucher.node)}`,
      };
    case 'finality': {
      const { number, height, votes } = value.certificate;
      return { id, kind: 'finality', about: `checkpoint ${number} at height ${height}, ${votes.length} votes` };
    }
    case 'equivocation':
      return { id, kind: 'equivocation', about: `two ${value.of.replace('-', ' ')}s of one member` };
    case 'application':
      return { id, kind: 'application', about: `a member card of ${value.card.length} bytes` };
    case 'verdict':
      return { id, kind: 'verdict', about: `${name(value.subject)} ${value.word} in slot ${value.slot}, ${value.votes.length} votes` };
    case 'signed': {
      const action = decodeAction(value.body);
      if (action.status === 'malformed') return { id, kind: 'signed', about: '' };
      return { id, kind: action.value.action, about: harmless(`${aboutAction(action.value)}by ${name(value.by)}`, 160) };
    }
  }
}

function aboutAction(action: Action): string {
  switch (action.action) {
    case 'vouch':
      return `for the card ${hex(action.applicant).slice(0, 8)}, `;
    case 'leave':
      return '';
    case 'boxes':
      return `${action.boxes.length === 0 ? 'none' : action.boxes.map(({ name, trust }) => `${name} (${trust})`).join(', ')}, `;
    case 'submission':
      return `capsule ${action.capsule.slice(0, 8)}, ${action.runtime}, `;
    case 'retry':
      return `capsule ${action.capsule.slice(0, 8)}, attempt ${action.attempt}, `;
    case 'answer':
      return `capsule ${action.capsule.slice(0, 8)}, attempt ${action.attempt} ${action.run}, `;
    case 'receipt':
      return `capsule ${action.capsule.slice(0, 8)}, ${action.state}, `;
    case 'cancellation':
      return `capsule ${action.capsule.slice(0, 8)}, `;
    case 'attestation':
    case 'appeal':
    case 'reveal':
      return `slot ${action.slot}, `;
  }
}

function peersView(parts: ShownParts): Omit<Extract<ChainView, { show: 'peers' }>, 'show'> {
  const { consensus } = parts;
  const { state, number } = consensus.finalised();
  const seats = state.core.seats.map(hex);
  const peers = [...state.members.values()]
    .map((record) => peerView(parts, record))
    .sort((left, right) => (left.name < right.name ? -1 : 1))
    .slice(0, LIMITS.chainLinesMax);
  const voting = seats.filter((seat) => voiceOf(parts, seat) === 'votes').length;
  return { window: consensus.audit.window, certificates: number, seats: seats.length, voting, peers };
}

function peerView(parts: ShownParts, { node, member, standing, votedIn }: MemberRecord): PeerView {
  const { consensus, isReached } = parts;
  const { state, certificate, number } = consensus.finalised();
  const key = hex(node);
  const wins = consensus.audit.wins(key);
  const rate = consensus.audit.rate(key);
  const isSelf = sameBytes(node, consensus.node);
  const boxes = [...state.boxes.values()].filter((offered) => sameBytes(offered.node, node));
  const inLast = certificate?.votes.some((vote) => sameBytes(vote.node, node)) === true;
  return {
    name: member.name,
    node,
    standing,
    seat: state.core.seats.some((seat) => sameBytes(seat, node)) ? 'in-force' : 'none',
    reach: isSelf ? 'self' : isReached(member.name) ? 'connected' : 'lost',
    ...lastWord(consensus, key),
    voice: voiceOf(parts, key),
    votedIn: inLast ? number : votedIn,
    boxes: boxes.length,
    ...(boxes[0] && { firstBox: boxes[0].box.name, boxTrust: boxes.map(({ box }) => box.trust).reduce(higherLevel) }),
    blocks: wins?.wins ?? 0,
    ...(wins && { expectedBlocksMilli: Math.round(wins.expected * 1_000), winsMilli: bounded(wins.evidence * 1_000) }),
    wins: wins?.verdict ?? 'too-little-data',
    ...(rate?.rate === undefined ? {} : { ratePpm: Math.max(-1_000_000, Math.min(1_000_000, Math.round((rate.rate - 1) * 1_000_000))) }),
    ...(rate?.rate === undefined ? {} : { rateOverMs: rate.overMs }),
    rate: rate?.verdict ?? 'too-little-data',
  };
}

/** A member says where it stands whenever its head moves, so who is silent on a living broker is seen by this alone. */
function lastWord(consensus: Consensus, node: string): Pick<PeerView, 'heardMs' | 'headHeight'> {
  if (node === hex(consensus.node)) return { heardMs: 0, headHeight: consensus.head().height };
  const peer = consensus.state.sync.peers.get(node);
  if (!peer?.announcement) return {};
  return { heardMs: Math.max(0, Math.round(performance.now() - peer.announcedMs)), headHeight: peer.announcement.head.height };
}

/** While checkpoints come, the quickest votes make them: whose vote is not in one may still be there. */
function voiceOf({ consensus, network }: ShownParts, node: string): PeerView['voice'] {
  if (!consensus.finalised().state.core.seats.some((seat) => hex(seat) === node)) return 'none';
  if (conditionOf(consensus, network) === 'not-finalising') return consensus.state.finality.decision.reached.has(node) ? 'votes' : 'silent';
  if (node === hex(consensus.node)) return 'votes';
  const peer = consensus.state.sync.peers.get(node);
  const said = peer?.announcement && { atMs: peer.announcedMs, height: peer.announcement.head.height };
  const at = { nowMs: performance.now(), silenceMs: silenceMsOf(network.genesis) };
  return isOverdue(consensus.due, said, at) ? 'silent' : 'votes';
}

function silenceMsOf({ consensus }: Network['genesis']): number {
  return CHAIN_LIMITS.notFinalisingIntervals * consensus.targetIntervalMs;
}

function bounded(value: number): number {
  return Math.min(Number.MAX_SAFE_INTEGER, Math.round(value));
}
