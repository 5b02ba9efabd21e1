/** One proper value or more of every declared message of the chain. Specification §11 to §15. */
import { Endorsement, EndorsementMessage } from '#protocol/chain/endorsement.ts';
import { Ballot, BallotMessage, Proposal, ProposalMessage } from '#protocol/chain/ballot.ts';
import { Block, encodeBlock, Header, TimeCertificate } from '#protocol/chain/block.ts';
import { ChainQuestion, ChainView } from '#protocol/chain/chain-view.ts';
import { FinalityCertificate } from '#protocol/chain/finality-certificate.ts';
import { FinalityProof } from '#protocol/chain/finality-proof.ts';
import { ChainRequest, ChainResponse, HeadAnnouncement } from '#protocol/chain/gossip-messages.ts';
import { StateProof } from '#protocol/chain/state-root.ts';
import { CapsuleRecord, CoreState, MemberRecord } from '#protocol/chain/state.ts';
import { Action, encodeTransaction, Transaction } from '#protocol/chain/transaction.ts';
import { MemberTrust, SlotDraw } from '#protocol/chain/trust-state.ts';
import { VerdictBallotMessage } from '#protocol/chain/verdict.ts';
import { Voucher } from '#protocol/chain/voucher.ts';
import { decodeStrict, encodeStrict } from '#protocol/codec.ts';
import { AnchorVotesMessage } from '#protocol/layer1/anchor-message.ts';
import { LIMITS } from '#protocol/limits.ts';
import { encodeMemberEvidence, MemberEvidence, memberEvidenceQualifier } from '#protocol/member-evidence.ts';
import type { Schema } from '#protocol/schema.ts';
import { signMessage } from '#protocol/signed.ts';
import {
  blockWith,
  certificateOf,
  changeTo,
  founders,
  networkIdentity as network,
  newcomer,
  proofWith,
  transactions,
} from '../unit/chain/proof-workshop.ts';
import { memberCard } from '../unit/protocol/workshop.ts';
import { sample, type Sample } from './doors.ts';

const [first, second] = [founders[0]!, founders[1]!];
const digest = new Uint8Array(32).fill(7);
const signature = new Uint8Array(64).fill(8);
const capsule = '00112233445566778899aabbccddeeff';
const block = blockWith(10);
const certificate = certificateOf(block, 3, founders);
const change = changeTo([...founders, newcomer], { number: 2, height: 5, voters: founders.slice(0, 3) });
const voucher = first.makeVoucher(network);
export const wholeBlock = plain(encodeBlock({ header: block.headerBytes, end: block.end, transactions: [...transactions] }));
const bareBlock = plain(encodeBlock({ header: block.headerBytes, end: block.end, transactions: [] }));
const round = { network, instance: digest, round: 1 };
const ballot: Ballot = { ...round, step: 'precommit', value: digest, node: first.node };
const none: Ballot = { ...round, step: 'prevote', node: second.node };

export const ballotEnvelopes = [ballot, none].map((value) => signMessage(BallotMessage, value, first.sign));

const proposal: Proposal = {
  ...round,
  value: digest,
  validRound: 0,
  prevotes: ballotEnvelopes.map((envelope) => ({ key: first.operationalKey, envelope: plain(envelope) })),
  node: first.node,
};

export const verdictBallotEnvelope = signMessage(VerdictBallotMessage, ballot, first.sign);

const about = { checkpoint: { number: 3, block: digest }, operationalKey: first.operationalKey };
const { quote, quoteSignature, pcrs, eventLog } = first.makeVoucher(network, {
  qualifier: memberEvidenceQualifier(network, first.node, about),
});
export const memberEvidence: MemberEvidence = { ...about, quote, quoteSignature, pcrs, eventLog };

const endorsement: Endorsement = { network, height: 11, block: digest, node: first.node };
export const endorsementEnvelope = signMessage(EndorsementMessage, endorsement, first.sign);

export const proposalEnvelope = signMessage(ProposalMessage, proposal, first.sign);

/** Long, with a change of seats, so that every part of a proof is in it. */
export const proofs = [proofWith({}), proofWith({ blocks: 2, changes: [change] })];

const actions: Action[] = [
  { action: 'vouch', applicant: newcomer.node },
  { action: 'leave' },
  { action: 'boxes', serial: 2, boxes: [{ name: 'box', key: digest, trust: 'self-reported', runtimes: ['node', 'python'] }] },
  {
    action: 'submission',
    capsule,
    requestDigest: digest,
    digest,
    manifest: digest,
    manifestBytes: 900,
    runtime: 'node',
    trust: 'self-reported',
    acceptedAtMs: 1_000,
    deadlineMs: 9_000,
  },
  { action: 'retry', capsule, attempt: 2 },
  { action: 'receipt', capsule, attempt: 1, receipt: digest, state: 'failed', reason: 'exit-status' },
  { action: 'cancellation', capsule },
  { action: 'attestation', slot: 3, moment: new Uint8Array(256).fill(5), evidence: plain(encodeMemberEvidence(memberEvidence)) },
  { action: 'appeal', subject: second.node, slot: 3, ballots: [] },
  {
    action: 'reveal',
    slot: 3,
    proof: new Uint8Array(256).fill(5),
    wrong: [{ key: first.operationalKey, envelope: plain(verdictBallotEnvelope) }],
  },
];

export const transactionValues: Transaction[] = [
  { kind: 'voucher', voucher },
  { kind: 'finality', certificate },
  { kind: 'equivocation', of: 'block', first: bareBlock, second: bareBlock },
  { kind: 'application', card: memberCard },
  { kind: 'verdict', subject: second.node, slot: 3, level: 1, word: 'disputed', evidence: digest, round: 0, votes: certificate.votes },
  ...actions.map((action) => ({
    kind: 'signed' as const,
    by: first.node,
    key: first.operationalKey,
    body: plain(encodeStrict(Action, action)),
    signature,
  })),
];

const roots = { membersRoot: digest, verdictsRoot: digest, creditsRoot: digest };
const anchorHeader = {
  ...{ epoch: 2, checkpoint: 9, height: 96, blockId: digest, timeMs: 5, seed: digest, ...roots },
  ...{ members: 4, seats: 4, previous: digest },
};
const anchorVotes: AnchorVotesMessage = {
  chains: [{ chainId: 1, anchors: digest.slice(0, 20), votes: [{ header: anchorHeader, vote: new Uint8Array(105).fill(9) }] }],
};

const line = { id: block.id, height: 10, leader: 'alpha', timeMs: 10_000, waitMs: 900, transactions: 3 };

export const chainSamples: readonly Sample[] = [
  sample('TimeCertificate', TimeCertificate, LIMITS.signedBytesMax, block.end),
  sample('Header', Header, LIMITS.headerBytesMax, block.header),
  sample('Block', Block, LIMITS.blockBytesMax, { header: block.headerBytes, end: block.end, transactions: [...transactions] }),
  sample('Voucher', Voucher, LIMITS.voucherBytesMax, voucher),
  sample('FinalityCertificate', FinalityCertificate, LIMITS.transactionBytesMax, certificate),
  sample('Ballot', Ballot, LIMITS.ballotBytesMax, ballot, none),
  sample('Proposal', Proposal, LIMITS.proposalBytesMax, proposal, { ...round, value: digest, prevotes: [], node: first.node }),
  sample('Endorsement', Endorsement, LIMITS.ballotBytesMax, endorsement),
  sample('Action', Action, LIMITS.signedBytesMax, ...actions),
  sample('Transaction', Transaction, LIMITS.transactionBytesMax, ...transactionValues),
  sample('AnchorVotesMessage', AnchorVotesMessage, LIMITS.anchorVotesBytesMax, anchorVotes),
  sample('HeadAnnouncement', HeadAnnouncement, LIMITS.packetBytesMax, {
    checkpoint: { number: 3, block: digest, height: 12 },
    head: { id: digest, height: 14 },
  }),
  sample(
    'ChainRequest',
    ChainRequest,
    LIMITS.packetBytesMax,
    { to: first.node, want: { want: 'block', id: digest, ancestors: 64, above: 3 } },
    { to: first.node, want: { want: 'range', fromHeight: 3 } },
    { to: first.node, want: { want: 'certificates', fromNumber: 3 } },
    { to: first.node, want: { want: 'state', block: digest, offset: 65_536 } },
  ),
  sample(
    'ChainResponse',
    ChainResponse,
    LIMITS.packetBytesMax,
    { response: 'blocks', blocks: [bareBlock, wholeBlock] },
    { response: 'certificates', certificates: [certificate, change.certificate] },
    { response: 'state', block: digest, offset: 0, total: 70_000, piece: digest },
    { response: 'nothing', what: 'state' },
  ),
  sample('FinalityProof', FinalityProof, LIMITS.finalityProofBytesMax, ...proofs.map((proof) => requireDecoded(FinalityProof, proof))),
  sample('MemberEvidence', MemberEvidence, LIMITS.memberEvidenceBytesMax, memberEvidence),
  sample('SlotDraw', SlotDraw, LIMITS.coreBytesMax, {
    slot: 3,
    seed: digest,
    seats: [first.node, second.node],
    weights: Uint8Array.of(0, 4),
  }),
  sample('MemberTrust', MemberTrust, LIMITS.memberRecordBytesMax, {
    ...{ credit: 256, attestedUntil: 30, word: 'unreachable', judgedIn: 4, demotedHeight: 90 },
    slots: [
      {
        ...{ slot: 3, evidence: digest, timeMs: 9_000, boot: { key: digest, resetCount: 3, restartCount: 1 }, log: 'differs' },
        verdict: { word: 'untrusted', height: 31, before: 'trusted', voters: [second.node] },
        ...{ appealedBy: second.node, dissent: [first.node], closed: 'revealed' },
      },
    ],
  }),
  sample('StateProof', StateProof, LIMITS.finalityProofBytesMax, change.state),
  sample('CoreState', CoreState, LIMITS.coreBytesMax, requireDecoded(CoreState, change.state.core)),
  sample(
    'MemberRecord',
    MemberRecord,
    LIMITS.memberRecordBytesMax,
    ...change.state.members.map(({ record }) => requireDecoded(MemberRecord, record)),
  ),
  sample('CapsuleRecord', CapsuleRecord, LIMITS.signedBytesMax, {
    capsule,
    gateway: first.node,
    digest,
    manifest: digest,
    manifestBytes: 900,
    runtime: 'node',
    trust: 'self-reported',
    acceptedAtMs: 1_000,
    orderedHeight: 9,
    attempts: [{ node: second.node, box: 'box', height: 10 }],
    awaitsDraw: 'no',
    end: { state: 'agreed', receipt: digest, height: 12 },
  }),
  sample('ChainQuestion', ChainQuestion, LIMITS.packetBytesMax, { show: 'head' }, { show: 'block', block: { by: 'id', prefix: 'abcd' } }),
  sample('ChainView', ChainView, LIMITS.packetBytesMax, {
    show: 'head',
    device: 'alpha',
    condition: 'finalising',
    head: line,
    checkpoint: { number: 3, height: 12, block: digest, round: 0, votes: 3, voters: 4, afterMs: 90, knownForMs: 800 },
    epoch: 0,
    members: 4,
    seats: 4,
    reached: 4,
    voting: 4,
    targetIntervalMs: 1_000,
    atMs: 12_000,
  }),
];

export const encodedTransactions = transactionValues.map(encodeTransaction);

/** Encoders may give a Node.js Buffer, which is no equal of what readers give. */
function plain(encoded: Uint8Array): Uint8Array {
  return new Uint8Array(encoded);
}

function requireDecoded<T>(schema: Schema<T>, encoded: Uint8Array): T {
  const decoded = decodeStrict(schema, encoded, encoded.length);
  if (decoded.status === 'malformed') throw new Error(decoded.detail);
  return decoded.value;
}
