/** Ballots and proposals of other judges: whose they are, whether they are new, and what to do with them. Pure. Specification §13.2, §14.3, §18.5. */
import type { Ballot, Proposal } from '#protocol/chain/ballot.ts';
import { VerdictBallotMessage, VerdictProposalMessage } from '#protocol/chain/verdict.ts';
import { sameBytes } from '#protocol/codec.ts';
import { blobDigest, hex } from '#protocol/digest.ts';
import { isSignedBy, readSigned, type ReadMessage, type SignedKind } from '#protocol/signed.ts';
import type { CastBallot } from '../votes/decision.ts';
import { proposerOf } from '../votes/proposer.ts';
import { isPrevoteQuorum } from '../votes/tally.ts';
import { mayJudge } from './cases.ts';
import { TRUST_LIMITS } from './limits.ts';
import { rememberIn } from './outbox.ts';
import type { Case, TrustState } from './state.ts';
import { countBallot, tellVotes } from './voting.ts';

/** A message, and who published it. */
interface Said {
  readonly from: string;
  readonly payload: Uint8Array;
}

export function messageArrived(state: TrustState, said: Said): void {
  if (state.seen.has(hex(blobDigest(said.payload)))) return;
  const ballot = readSigned(VerdictBallotMessage, said.payload);
  if (ballot.status === 'decoded') return ballotArrived(state, ballot.value, said);
  const proposal = readSigned(VerdictProposalMessage, said.payload);
  if (proposal.status === 'decoded') return proposalArrived(state, proposal.value, said);
  dismiss(state, said.payload);
  noteFailedCheck(state, said.from);
}

/** Those that waited for evidence, or for a key. */
export function takeEarly(state: TrustState): void {
  const waiting = [...state.early.values()];
  state.early.clear();
  for (const said of waiting) messageArrived(state, said);
}

function ballotArrived(state: TrustState, read: ReadMessage<Ballot>, said: Said): void {
  const ballot = read.value;
  const one = caseFor(state, ballot, said);
  if (!one || !isNew(one, ballot)) return;
  const key = signerOf(state, VerdictBallotMessage, read, said);
  if (!key) return;
  dismiss(state, said.payload);
  const slot = slotOf(ballot);
  one.slots.set(slot, [...(one.slots.get(slot) ?? []), valueOf(ballot)]);
  state.outbox.push({ effect: 'broadcast', payload: said.payload });
  countBallot(state, one, { ballot, envelope: said.payload, key });
}

/** By the proposer of its round, and the first one; or of a judge that shows a later quorum than is known. Passed on once all that it shows holds. */
function proposalArrived(state: TrustState, read: ReadMessage<Proposal>, said: Said): void {
  const { round, value, validRound, node } = read.value;
  const one = caseFor(state, read.value, said);
  if (!one || one.closed || !isNewProposal(one, read.value)) return;
  if (!signerOf(state, VerdictProposalMessage, read, said)) return;
  dismiss(state, said.payload);
  one.slots.set(proposalSlot(one, read.value), [hex(value)]);
  const shown = validRound === undefined ? [] : shownQuorum(state, one, { ...read.value, validRound }, said.from);
  if (!shown) return;
  state.outbox.push({ effect: 'broadcast', payload: said.payload });
  const backed = validRound !== undefined && { validRound };
  tellVotes(state, one, { type: 'proposalReceived', from: hex(node), round, value, ...backed, prevotes: shown, nowMs: state.nowMs });
}

/** The judgement that it is about; what is about evidence that nobody has shown yet waits. */
function caseFor(state: TrustState, { network, instance, node }: Ballot | Proposal, said: Said): Case | undefined {
  const isOurs = sameBytes(network, state.networkId) && hex(node) !== state.self;
  const one = state.cases.get(hex(instance));
  if (!isOurs || (one && !one.judges.weights.has(hex(node)))) {
    dismiss(state, said.payload);
    return undefined;
  }
  if (!one) putAside(state, said);
  return one && mayJudge(state, hex(node), one) ? one : undefined;
}

/** A second one for another value is evidence; a third is nothing. */
function isNew({ decision, slots }: Case, ballot: Ballot): boolean {
  const known = slots.get(slotOf(ballot)) ?? [];
  return Math.abs(ballot.round - decision.round) <= TRUST_LIMITS.voteRoundsApart && known.length < 2 && !known.includes(valueOf(ballot));
}

function isNewProposal(one: Case, proposal: Proposal): boolean {
  const { round, prevotes, validRound } = proposal;
  const { decision, judges, slots } = one;
  const isNear = round >= 1 && round >= decision.round && round <= decision.round + TRUST_LIMITS.voteRoundsApart;
  if (!isNear || prevotes.length > judges.weights.size || slots.has(proposalSlot(one, proposal))) return false;
  return isProposed(one, proposal) || (validRound !== undefined && validRound > (decision.valid?.round ?? -1));
}

function isProposed({ instance, decision }: Case, { round, node }: Proposal): boolean {
  return proposerOf(instance, decision.setup.voters, round) === hex(node);
}

function proposalSlot(one: Case, proposal: Proposal): string {
  return isProposed(one, proposal) ? `proposal ${proposal.round}` : `lock ${hex(proposal.node)} ${proposal.round}`;
}

function slotOf({ node, round, step }: Ballot): string {
  return `${hex(node)} ${round} ${step}`;
}

function valueOf({ value }: Ballot): string {
  return value ? hex(value) : 'none';
}

/** One of the keys that the head has of the node; by another key it waits, for a voucher may be on its way. */
function signerOf<T extends { readonly node: Uint8Array }>(
  state: TrustState,
  kind: SignedKind<T>,
  read: ReadMessage<T>,
  said: Said,
): Uint8Array | undefined {
  const keys = state.head?.state.members.get(hex(read.value.node))?.keys ?? [];
  const isHeardOut = (state.failedChecks.get(said.from) ?? 0) < TRUST_LIMITS.failedChecksPerHead;
  const signer = isHeardOut
    ? keys.findLast(({ key: publicKey }) => isSignedBy(kind, read, { algorithm: 'ed25519', publicKey }, state.setup.crypto))
    : undefined;
  if (signer) return signer.key;
  noteFailedCheck(state, said.from);
  putAside(state, said);
  return undefined;
}

/** The quorum that a proposal shows, by keys that the head has; undefined where it is none, or one is not signed, for which who passes it on is charged. */
function shownQuorum(
  state: TrustState,
  { instance, decision }: Case,
  { prevotes, value, validRound }: Proposal & { readonly validRound: number },
  from: string,
): CastBallot[] | undefined {
  const shown = prevotes.flatMap(({ key, envelope }) => {
    const read = readSigned(VerdictBallotMessage, envelope);
    return read.status === 'decoded' ? [{ read: read.value, cast: { ballot: read.value.value, envelope, key } }] : [];
  });
  const casts = shown.map(({ cast }) => cast);
  if (!isPrevoteQuorum(casts, { instance, round: validRound, value }, decision.setup.voters)) return undefined;
  const known = shown.filter(({ cast }) =>
    state.head?.state.members.get(hex(cast.ballot.node))?.keys.some(({ key }) => sameBytes(key, cast.key)),
  );
  const unsigned = known.findIndex(
    ({ read, cast }) => !isSignedBy(VerdictBallotMessage, read, { algorithm: 'ed25519', publicKey: cast.key }, state.setup.crypto),
  );
  if (unsigned < 0) return known.map(({ cast }) => cast);
  noteFailedCheck(state, from, unsigned + 1);
  return undefined;
}

/** What is counted, or never will be, is not looked at again. */
function dismiss({ seen }: TrustState, payload: Uint8Array): void {
  rememberIn(seen, hex(blobDigest(payload)), TRUST_LIMITS.seenMax);
}

function noteFailedCheck({ failedChecks }: TrustState, from: string, checks = 1): void {
  failedChecks.set(from, (failedChecks.get(from) ?? 0) + checks);
}

/** Of each peer the oldest goes, and then of all. */
function putAside({ early }: TrustState, said: Said): void {
  early.set(hex(blobDigest(said.payload)), said);
  const ofPeer = [...early].filter(([, { from }]) => from === said.from);
  if (ofPeer.length > TRUST_LIMITS.earlyPerPeerMax) early.delete(ofPeer[0]?.[0] ?? '');
  const [oldest] = early.keys();
  if (early.size > TRUST_LIMITS.earlyMax && oldest !== undefined) early.delete(oldest);
}
