/** Ballots and proposals of others: whose they are, whether they are new, and what to do with them. Pure. Specification §13.2, §14.3. */
import { BallotMessage, ProposalMessage, type Ballot, type Proposal } from '#protocol/chain/ballot.ts';
import { EndorsementMessage, type Endorsement } from '#protocol/chain/endorsement.ts';
import { sameBytes } from '#protocol/codec.ts';
import { blobDigest, hex } from '#protocol/digest.ts';
import { isSignedBy, readSigned, type ReadMessage, type SignedKind } from '#protocol/signed.ts';
import { CONSENSUS_LIMITS, DEVICE_LIMITS } from '../limits.ts';
import type { CastBallot } from '../votes/decision.ts';
import { proposerOf } from '../votes/proposer.ts';
import { remember } from './bounded.ts';
import { isEndorsementNew, noteEndorsement } from './endorsing.ts';
import { isKeyOf, keysOf } from './keys.ts';
import { broadcast } from './outbox.ts';
import { refuseMessage } from './refusal.ts';
import { isHeardOut, noteFailedChecks } from './scrutiny.ts';
import type { ConsensusState, Finality } from './state.ts';
import { tellVotes } from './votes.ts';

export function ballotArrived(state: ConsensusState, payload: Uint8Array, from: string): void {
  if (!state.early.seen.has(hex(blobDigest(payload)))) takeSigned(state, payload, from);
}

/** Those that waited for a key of this node, or for this instance. */
export function takeEarly(state: ConsensusState, who: 'everyone' | { readonly node: string }): void {
  const { waiting } = state.early;
  const ready = [...waiting].filter(([source]) => who === 'everyone' || source.startsWith('unknown ') || source === who.node);
  for (const [source, ballots] of ready) {
    waiting.delete(source);
    state.early.count -= ballots.length;
    for (const { payload, from } of ballots) takeSigned(state, payload, from);
  }
}

function takeSigned(state: ConsensusState, payload: Uint8Array, from: string): void {
  const ballot = readSigned(BallotMessage, payload);
  if (ballot.status === 'decoded') {
    if (isNeedless(state, ballot.value.value)) return;
    const key = keyFor(state, BallotMessage, ballot.value, { payload, from });
    if (key) takeBallot(state, { ballot: ballot.value.value, envelope: payload, key });
    return;
  }
  const proposal = readSigned(ProposalMessage, payload);
  if (proposal.status === 'malformed') {
    const endorsement = readSigned(EndorsementMessage, payload);
    if (endorsement.status === 'decoded') return takeEndorsement(state, endorsement.value, { payload, from });
    dismiss(state, payload);
    refuseMessage(state, { from, kind: 'ballot' }, ballot.reason === 'not-as-declared' ? proposal : ballot);
    return;
  }
  if (isProposalNew(state, proposal.value.value)) {
    const key = keyFor(state, ProposalMessage, proposal.value, { payload, from });
    if (key) takeProposal(state, proposal.value.value, payload);
  }
}

/** Of this decision, and yet nothing that its signature could make count: no voter's, of a round that is over, or said before. */
function isNeedless({ finality, early }: ConsensusState, ballot: Ballot): boolean {
  const { instance, decision } = finality;
  const node = hex(ballot.node);
  if (!sameBytes(ballot.instance, instance)) return false;
  if (!decision.setup.voters.weights.has(node) || ballot.round < decision.round - DEVICE_LIMITS.voteRoundsBehind) return true;
  if (ballot.round > decision.round + DEVICE_LIMITS.voteRoundsAhead) return ballot.round <= (decision.reached.get(node) ?? 0);
  const said = early.slots.get(slotOf(ballot)) ?? [];
  return said.length >= 2 || said.includes(valueOf(ballot));
}

function slotOf({ node, round, step }: Ballot): string {
  return `${hex(node)} ${round} ${step}`;
}

function valueOf({ value }: Ballot): string {
  return value ? hex(value) : 'none';
}

/** The key that signed it; what can't be counted yet waits, and so does what is not checked (§14.3). */
function keyFor<T extends Ballot | Proposal>(
  state: ConsensusState,
  kind: SignedKind<T>,
  read: ReadMessage<T>,
  message: { readonly payload: Uint8Array; readonly from: string },
): Uint8Array | undefined {
  const said = read.value;
  if (!sameBytes(said.network, state.networkId) || hex(said.node) === state.self || state.finality.past.has(hex(said.instance))) {
    dismiss(state, message.payload);
    return undefined;
  }
  const publicKey = isHeardOut(state, message.from) ? signerOf(state, kind, read, message.from) : undefined;
  if (publicKey && sameBytes(said.instance, state.finality.instance)) return publicKey;
  putAside(state, publicKey ? hex(said.node) : `unknown ${message.from}`, message);
  return undefined;
}

function signerOf<T extends { readonly node: Uint8Array }>(
  state: ConsensusState,
  kind: SignedKind<T>,
  read: ReadMessage<T>,
  from: string,
): Uint8Array | undefined {
  const keys = keysOf(state, read.value.node);
  const signer = keys.find((publicKey) => isSignedBy(kind, read, { algorithm: 'ed25519', publicKey }, state.setup.crypto));
  if (!signer) noteFailedChecks(state, from, keys.length);
  return signer;
}

/** Of a head (§12.8); a contradictory second one is passed on too, so that everybody leaves both out. */
function takeEndorsement(
  state: ConsensusState,
  read: ReadMessage<Endorsement>,
  message: { readonly payload: Uint8Array; readonly from: string },
): void {
  const { network, node, height, block } = read.value;
  const isOurs = sameBytes(network, state.networkId) && hex(node) !== state.self;
  if (!isOurs || !isEndorsementNew(state, read.value)) return dismiss(state, message.payload);
  const isSigned = isHeardOut(state, message.from) && signerOf(state, EndorsementMessage, read, message.from);
  if (!isSigned) return putAside(state, `unknown ${message.from}`, message);
  dismiss(state, message.payload);
  noteEndorsement(state, hex(node), height, hex(block));
  broadcast(state.outbox, 'ballot', message.payload);
}

/** What is counted, or never will be, is not looked at again. */
function dismiss({ early }: ConsensusState, payload: Uint8Array): void {
  remember(early.seen, hex(blobDigest(payload)), CONSENSUS_LIMITS.seenMax);
}

/** A node fills only its own share with what it signed, and a peer only its own with what nobody can check. */
function putAside({ early }: ConsensusState, source: string, message: { readonly payload: Uint8Array; readonly from: string }): void {
  const before = early.waiting.get(source) ?? [];
  if (before.some(({ payload }) => sameBytes(payload, message.payload))) return;
  const waiting = [...before, message];
  early.count += 1;
  while (waiting.length > CONSENSUS_LIMITS.earlyBallotsPerNode || early.count > CONSENSUS_LIMITS.earlyBallotsMax) {
    if (waiting.shift() === undefined) break;
    early.count -= 1;
  }
  early.waiting.set(source, waiting);
}

/** Counted and passed on: one, and a contradictory second, which is evidence. */
function takeBallot(state: ConsensusState, cast: CastBallot): void {
  const { round } = cast.ballot;
  const { finality, early, at } = state;
  // Not kept, and not passed on; but where more than a third has got, this voter has to follow (§13.3).
  if (round > finality.decision.round + DEVICE_LIMITS.voteRoundsAhead) {
    tellVotes(state, { type: 'ballotReceived', cast, nowMs: at.monotonicMs });
    return;
  }
  const slot = slotOf(cast.ballot);
  dismiss(state, cast.envelope);
  early.slots.set(slot, [...(early.slots.get(slot) ?? []), valueOf(cast.ballot)]);
  broadcast(state.outbox, 'ballot', cast.envelope);
  tellVotes(state, { type: 'ballotReceived', cast, nowMs: at.monotonicMs });
}

/** By the proposer of its round, and the first one; or of a voter that shows a later quorum than is known. Nobody else makes signatures be checked. */
function isProposalNew({ finality, early }: ConsensusState, proposal: Proposal): boolean {
  const { instance, round, prevotes, validRound } = proposal;
  const { decision, voters } = finality;
  if (!sameBytes(instance, finality.instance) || voters.length === 0 || prevotes.length > voters.length) return false;
  if (round < 1 || round < decision.round || round > decision.round + DEVICE_LIMITS.voteRoundsAhead) return false;
  const isOfUse = isProposed(finality, proposal) || (validRound !== undefined && validRound > (decision.valid?.round ?? -1));
  return isOfUse && !early.slots.has(proposalSlot(finality, proposal));
}

function isProposed({ decision, instance }: Finality, { round, node }: Proposal): boolean {
  return proposerOf(instance, decision.setup.voters, round) === hex(node);
}

function proposalSlot(finality: Finality, proposal: Proposal): string {
  return isProposed(finality, proposal) ? `proposal ${proposal.round}` : `lock ${hex(proposal.node)} ${proposal.round}`;
}

function takeProposal(state: ConsensusState, proposal: Proposal, envelope: Uint8Array): void {
  const { round, value, validRound, node } = proposal;
  state.early.slots.set(proposalSlot(state.finality, proposal), [hex(value)]);
  broadcast(state.outbox, 'ballot', envelope);
  const prevotes = proposal.prevotes.flatMap((prevote) => castOf(state, prevote) ?? []);
  const backed = validRound !== undefined && { validRound };
  tellVotes(state, { type: 'proposalReceived', from: hex(node), round, value, ...backed, prevotes, nowMs: state.at.monotonicMs });
}

function castOf(state: ConsensusState, shown: { readonly key: Uint8Array; readonly envelope: Uint8Array }): CastBallot | undefined {
  const { key, envelope } = shown;
  const read = readSigned(BallotMessage, envelope);
  if (read.status === 'malformed') return undefined;
  const ballot = read.value.value;
  if (!sameBytes(ballot.network, state.networkId) || !isKeyOf(state, ballot.node, key)) return undefined;
  const isSigned = isSignedBy(BallotMessage, read.value, { algorithm: 'ed25519', publicKey: key }, state.setup.crypto);
  return isSigned ? { ballot, envelope, key } : undefined;
}
