/** Certificates of finality, own and others': judged, kept until their block is here, and then final. Pure. Specification §13.4-13.5. */
import { judgeCertificate, type FinalityCertificate } from '#protocol/chain/finality-certificate.ts';
import { decodeTransaction } from '#protocol/chain/transaction.ts';
import { sameBytes } from '#protocol/codec.ts';
import { hex } from '#protocol/digest.ts';
import { certificateVotes } from '../votes/certificate-votes.ts';
import { CONSENSUS_LIMITS } from '../limits.ts';
import { isKeyOf, noteVouchers } from './keys.ts';
import { persist, report } from './outbox.ts';
import { refuseMessage } from './refusal.ts';
import type { ConsensusState, PastCheckpoint, PendingCertificate } from './state.ts';
import { missingBelowOrphan, waitingFrom } from './orphans.ts';
import { blockArrived } from './taking.ts';
import { askForBlock, askForCertificates } from './wants.ts';
import type { TakenBlock } from './tree.ts';

/** @param from the peer that said it; its votes are judged when the checkpoint before it is known */
export function certificateArrived(state: ConsensusState, certificate: FinalityCertificate, from: string): void {
  noteCertificate(state, { certificate, from, judged: false });
}

/** Those that a taken block carries: the ledger has judged them on their branch. */
export function certificatesOf(state: ConsensusState, { block }: TakenBlock): void {
  if (!block) return;
  for (const encoded of block.transactions) {
    const decoded = decodeTransaction(encoded);
    if (decoded.status === 'decoded') noteVouchers(state, decoded.value);
    if (decoded.status === 'decoded' && decoded.value.kind === 'finality')
      noteCertificate(state, { certificate: decoded.value.certificate, from: state.self, judged: true });
  }
}

/** The certificate by which the next checkpoint is final, with its block, as soon as both are here. */
export function nextFinal(state: ConsensusState): { certificate: FinalityCertificate; block: TakenBlock } | undefined {
  const { finality, tree } = state;
  for (const key of finality.backed) if (!tree.blocks.has(key)) fetchUnheld(state, { block: Uint8Array.fromHex(key) }, 'half');
  const certificate = ownCertificate(state) ?? judgedCertificate(state);
  if (!certificate) return undefined;
  const block = tree.blocks.get(hex(certificate.block));
  if (!block) {
    fetchUnheld(state, certificate, 'certificate');
    return undefined;
  }
  if (block.position.height === certificate.height && block !== tree.root) return { certificate, block };
  const height = `certificate ${certificate.number} says height ${certificate.height}; its block has ${block.position.height}`;
  const pending = finality.pending.get(certificate.number);
  if (pending) refuseCertificate(state, pending, { reason: 'other-height', detail: height });
  return undefined;
}

/** Own votes are as good as anybody's; the certificate waits for its block, whose height it names. */
function ownCertificate(state: ConsensusState): FinalityCertificate | undefined {
  const { decided, last } = state.finality;
  if (!decided) return undefined;
  const block = state.tree.blocks.get(hex(decided.value));
  if (!block) {
    fetchUnheld(state, { block: decided.value }, 'certificate');
    return undefined;
  }
  const { id, height } = block.position;
  return {
    number: last.number + 1,
    previous: last.block.position.id,
    block: id,
    height,
    round: decided.round,
    votes: certificateVotes(decided.precommits),
  };
}

function judgedCertificate(state: ConsensusState): FinalityCertificate | undefined {
  const { pending, last, voters } = state.finality;
  const number = last.number + 1;
  const next = pending.get(number);
  if (!next) {
    const [anyPeer] = state.sync.peers.keys();
    if (pending.size > 0 && anyPeer !== undefined) askForCertificates(state, anyPeer);
    return undefined;
  }
  const verdict = next.judged ? ({ status: 'accepted' } as const) : judge(state, next.certificate, voters, last.block.position.id);
  if (verdict.status === 'accepted') {
    pending.set(number, { ...next, judged: true });
    return next.certificate;
  }
  refuseCertificate(state, next, verdict);
  return undefined;
}

/** Whoever sent it is not asked again for a while. */
function refuseCertificate(
  { finality, sync, at, ...state }: ConsensusState,
  { from, certificate }: PendingCertificate,
  why: { readonly reason: string; readonly detail: string },
): void {
  finality.pending.delete(certificate.number);
  report(state.outbox, { report: 'messageRefused', from, kind: 'response', reason: why.reason, detail: why.detail });
  const peer = sync.peers.get(from);
  if (peer) peer.restUntilMs = at.monotonicMs + CONSENSUS_LIMITS.wantRestMs;
}

export function noteCertificate(state: ConsensusState, news: PendingCertificate): void {
  const { number, block } = news.certificate;
  const { pending, last, history } = state.finality;
  if (number <= last.number) {
    const past = history.get(number);
    if (past && !sameBytes(past.certificate.block, block)) considerConflict(state, past, news);
    return;
  }
  const known = pending.get(number);
  if (!known || (news.judged && !known.judged)) pending.set(number, news);
  else if (known.judged && number === last.number + 1 && !sameBytes(known.certificate.block, block)) {
    considerConflict(state, { certificate: known.certificate, voters: state.finality.voters }, news);
  }
  if (pending.size > CONSENSUS_LIMITS.pendingCertificatesMax) pending.delete([...pending.keys()].reduce((a, b) => Math.max(a, b)));
}

/** Two certificates for one number: more than a third have voted twice. Nothing can be trusted then; the proof is kept. */
function considerConflict(state: ConsensusState, past: PastCheckpoint, { certificate, judged, from }: PendingCertificate): void {
  const verdict = judged ? ({ status: 'accepted' } as const) : judge(state, certificate, past.voters, past.certificate.previous);
  if (verdict.status === 'refused') {
    refuseMessage(state, { from, kind: 'response' }, verdict);
    return;
  }
  stop(state, past.certificate, certificate);
}

/** This member stops, and keeps both. */
export function stop(state: ConsensusState, first: FinalityCertificate, second: FinalityCertificate): void {
  if (state.conflict) return;
  state.conflict = { first, second };
  persist(state.outbox, { record: 'certificate', certificate: first });
  persist(state.outbox, { record: 'certificate', certificate: second });
  report(state.outbox, { report: 'conflictingCertificates', first, second });
}

type Verdict = { readonly status: 'accepted' } | { readonly status: 'refused'; readonly reason: string; readonly detail: string };

function judge(state: ConsensusState, certificate: FinalityCertificate, voters: readonly Uint8Array[], previous: Uint8Array): Verdict {
  if (!sameBytes(certificate.previous, previous)) {
    const detail = `certificate ${certificate.number} follows ${hex(certificate.previous)}; the checkpoint before it is ${hex(previous)}`;
    return { status: 'refused', reason: 'other-previous', detail };
  }
  return judgeCertificate(state.setup.crypto, certificate, {
    network: state.networkId,
    voters,
    isKeyOf: (node, key) => isKeyOf(state, node, key),
  });
}

/** Its block, and what is below it, is taken whether due or not (§12.4), by a certificate whatever its date; it is asked for where it is not here. */
function fetchUnheld(
  state: ConsensusState,
  final: { readonly block: Uint8Array; readonly height?: number },
  wantedBy: 'half' | 'certificate',
): void {
  const { arrivals, sync } = state;
  const waiting = waitingFrom(state, hex(final.block));
  for (const key of waiting) {
    arrivals.forced.add(key);
    if (wantedBy === 'certificate') arrivals.certified.add(key);
  }
  const anyPeer = sync.peers.keys().next().value;
  if (waiting.length > 0) {
    const missing = missingBelowOrphan(state, waiting.at(-1) ?? '');
    if (missing && !isStored(state, missing.id) && anyPeer !== undefined) askForBlock(state, missing, anyPeer);
    return;
  }
  arrivals.refused.delete(hex(final.block));
  if (!isStored(state, final.block) && anyPeer !== undefined)
    askForBlock(state, { id: final.block, ...(final.height !== undefined && { height: final.height }) }, anyPeer);
}

/** More blocks may have been stored than wait in memory for one that is missing. */
function isStored(state: ConsensusState, id: Uint8Array): boolean {
  const stored = state.setup.archive.block(id);
  if (stored) blockArrived(state, stored, state.self, 'kept');
  return stored !== undefined;
}
