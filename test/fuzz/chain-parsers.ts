/** Fuzz targets of the chain's doors and judgements: whatever a peer or a gateway sends. Specification §11 to §15. */
import { EndorsementMessage } from '#protocol/chain/endorsement.ts';
import assert from 'node:assert/strict';

import { BallotMessage, ProposalMessage } from '#protocol/chain/ballot.ts';
import { encodeBlock, encodeHeader, readBlock } from '#protocol/chain/block.ts';
import { judgeCertificate, FinalityCertificate } from '#protocol/chain/finality-certificate.ts';
import { judgeFinalityProof } from '#protocol/chain/finality-proof.ts';
import { decodeState, encodeState } from '#protocol/chain/state-encoding.ts';
import { judgeStateProof, StateProof, stateRoot } from '#protocol/chain/state-root.ts';
import { decodeTransaction, encodeTransaction } from '#protocol/chain/transaction.ts';
import { VerdictBallotMessage } from '#protocol/chain/verdict.ts';
import { decodeVoucher, encodeVoucher, judgeVoucher } from '#protocol/chain/voucher.ts';
import { judgeTimeCertificate } from '#protocol/chain/wait-certificate.ts';
import { decodeStrict, encodeStrict } from '#protocol/codec.ts';
import { LIMITS } from '#protocol/limits.ts';
import { encodeMemberEvidence, judgeMemberEvidence } from '#protocol/member-evidence.ts';
import { blockWith, certificateOf, changeTo, crypto, founded, founders, networkIdentity, stateWith } from '../unit/chain/proof-workshop.ts';
import {
  ballotEnvelopes,
  chainSamples,
  encodedTransactions,
  endorsementEnvelope,
  memberEvidence,
  proofs,
  proposalEnvelope,
  verdictBallotEnvelope,
  wholeBlock,
} from './chain-samples.ts';
import { accepted, inCbor, inJson, oneForm, refusing, requireSentence, signed } from './doors.ts';
import type { FuzzTarget } from './tpm-parsers.ts';
import { trustParsers } from './trust-parsers.ts';

const [member] = [founders[0]!];
const qualifier = new Uint8Array(32).fill(3);
const time = member.certifyTime(qualifier);
const voucher = encodeVoucher(member.makeVoucher(networkIdentity));
const certificate = encodeStrict(FinalityCertificate, certificateOf(blockWith(10), 3, founders));
const state = stateWith(founders.map(({ node }) => node));
const change = changeTo(founders, { number: 2, height: 5, voters: founders });
const votersOfChain = founders.map(({ node }) => node);

export const chainParsers: FuzzTarget[] = [
  ...chainSamples.map(inCbor),
  ...chainSamples.filter(({ name }) => name.startsWith('Chain')).map(inJson),
  { name: 'readBlock', seeds: [wholeBlock], run: readsBlock },
  { name: 'decodeTransaction', seeds: encodedTransactions, run: oneForm(decodeTransaction, encodeTransaction) },
  { name: 'decodeVoucher', seeds: [voucher], run: oneForm(decodeVoucher, encodeVoucher) },
  signed('signed ballot', BallotMessage, ...ballotEnvelopes),
  signed('signed proposal', ProposalMessage, proposalEnvelope),
  signed('signed verdict ballot', VerdictBallotMessage, verdictBallotEnvelope),
  signed('signed endorsement', EndorsementMessage, endorsementEnvelope),
  refusing('judgeVoucher', [voucher], judgesVoucher),
  refusing('judgeMemberEvidence', [encodeMemberEvidence(memberEvidence)], judgesMemberEvidence),
  refusing('judgeTimeCertificate, attestation', [time.attestation], (attestation) =>
    judgeTimeCertificate(crypto, member.key, { ...time, attestation }, qualifier),
  ),
  refusing('judgeTimeCertificate, signature', [time.signature], (bytes) => {
    const signature = new Uint8Array(64);
    signature.set(bytes.subarray(0, 64));
    return bytes.length === 64 ? judgeTimeCertificate(crypto, member.key, { ...time, signature }, qualifier) : { status: 'refused' };
  }),
  { name: 'judgeCertificate', seeds: [certificate], run: judgesCertificate },
  { name: 'judgeFinalityProof', seeds: [...proofs], run: judgesProof },
  { name: 'judgeStateProof', seeds: [encodeStrict(StateProof, change.state)], run: judgesStateProof },
  ...trustParsers,
  refusing('decodeState', [encodeState(state)], (bytes) => decodeState(bytes, stateRoot(state)), 'decoded'),
];

function readsBlock(bytes: Uint8Array): void {
  const read = accepted(readBlock(bytes));
  if (!read) return;
  const { header, headerBytes, end, transactions } = read.value;
  assert.equal(encodeHeader(header).toHex(), headerBytes.toHex());
  assert.equal(encodeBlock({ header: headerBytes, end, transactions: [...transactions] }).toHex(), bytes.toHex());
}

function judgesMemberEvidence(bytes: Uint8Array) {
  const verdict = judgeMemberEvidence(bytes, {
    ...{ crypto, network: networkIdentity, member: member.member, checkpointAtMoment: 3, atMs: 0 },
    references: memberEvidence.eventLog.map((event) => ({ ...event, label: '' })),
    checkpointBlock: () => memberEvidence.checkpoint.block,
  });
  return verdict.word === 'trusted' ? { status: 'accepted' } : { status: 'refused', detail: verdict.detail };
}

function judgesVoucher(bytes: Uint8Array): { status: string; detail?: string } {
  const decoded = decodeVoucher(bytes);
  return decoded.status === 'malformed' ? decoded : judgeVoucher(crypto, member.key, networkIdentity, decoded.value);
}

/** Its height is signed by nobody, and fewer votes than all may be a quorum: what is accepted is the same choice. */
function judgesCertificate(bytes: Uint8Array): void {
  const decoded = accepted(decodeStrict(FinalityCertificate, bytes, LIMITS.transactionBytesMax));
  if (!decoded) return;
  const context = { network: networkIdentity, voters: votersOfChain, isKeyOf: () => true };
  const verdict = judgeCertificate(crypto, decoded.value, context);
  if (verdict.status === 'refused') return requireSentence(verdict.detail);
  assert.deepEqual(decoded.value.block, blockWith(10).id);
  assert.equal(decoded.value.number, 3);
}

/** A proof may say more than it must; what it shows is what the members finalised. */
function judgesProof(bytes: Uint8Array): void {
  const verdict = judgeFinalityProof(bytes, { network: founded, crypto });
  if (verdict.status === 'refused') return requireSentence(verdict.detail);
  const shown = proofs.map((proof) => judgeFinalityProof(proof, { network: founded, crypto }));
  const known = shown.map((good) =>
    good.status === 'accepted' ? [good.transaction, good.height, good.timeMs, good.block, good.checkpoint] : [],
  );
  const { transaction, height, timeMs, block, checkpoint } = verdict;
  assert.ok(known.some((good) => JSON.stringify(good) === JSON.stringify([transaction, height, timeMs, block, checkpoint])));
}

function judgesStateProof(bytes: Uint8Array): void {
  const decoded = accepted(decodeStrict(StateProof, bytes, LIMITS.finalityProofBytesMax));
  if (!decoded) return;
  const { header } = blockOf(change);
  const verdict = judgeStateProof(header.state, decoded.value);
  if (verdict.status === 'refused') return requireSentence(verdict.detail);
  const known = judgeStateProof(header.state, change.state);
  assert.ok(known.status === 'accepted');
  assert.deepEqual(verdict.core, known.core);
  for (const record of verdict.members) assert.deepEqual(record, known.members[0]);
}

function blockOf({ block: { header, end } }: typeof change) {
  const read = readBlock(encodeBlock({ header, end, transactions: [] }));
  assert.ok(read.status === 'decoded');
  return read.value;
}
