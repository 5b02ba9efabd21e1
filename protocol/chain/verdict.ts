/** What judges say of a member's evidence: words, ballots, and the votes that make a verdict. Specification §18.5. */
import { encodeStrict } from '../codec.ts';
import { Digest, domainDigest, uint64 } from '../digest.ts';
import { LIMITS } from '../limits.ts';
import { integer, list, oneOf, struct, type Infer } from '../schema.ts';
import { signedKind, signingInput } from '../signed.ts';
import { Ballot, Proposal, Round } from './ballot.ts';
import { CertificateVote } from './certified-votes.ts';
import { Height } from './finality-certificate.ts';

export const VERDICT_WORDS = ['trusted', 'untrusted', 'disputed'] as const;
export const VerdictWord = oneOf(...VERDICT_WORDS);
export type VerdictWord = Infer<typeof VerdictWord>;

export const Verdict = struct({
  subject: Digest,
  slot: Height,
  /** 0: drawn judges; 1: all seats. */
  level: integer({ min: 0, max: 1 }),
  word: VerdictWord,
  /** `memberEvidenceDigest`. */
  evidence: Digest,
  round: Round,
  /** Precommits, in the order of nodes. */
  votes: list(CertificateVote, { min: 1, max: LIMITS.committeeSize }),
});
export type Verdict = Infer<typeof Verdict>;

/** A ballot of §13.2 on a verdict: a domain of its own, so that no vote on a checkpoint is one on a member. */
export const VerdictBallotMessage = signedKind('verdict-ballot', Ballot, LIMITS.ballotBytesMax);
/** A proposal of §13.2 of a verdict, with the prevotes of such ballots. */
export const VerdictProposalMessage = signedKind('verdict-proposal', Proposal, LIMITS.proposalBytesMax);

export interface JudgedSlot {
  readonly subject: Uint8Array;
  readonly slot: number;
  readonly level: number;
}

export function verdictInstance(network: Uint8Array, { subject, slot, level }: JudgedSlot): Uint8Array {
  return domainDigest('verdict', network, subject, uint64(slot), uint64(level));
}

export function verdictValue(word: VerdictWord, evidence: Uint8Array): Uint8Array {
  return domainDigest('verdict-value', encoder.encode(word), evidence);
}

/** What each judge of a verdict has signed: its precommit, made anew. */
export function verdictInput(network: Uint8Array, verdict: Verdict): (node: Uint8Array) => Uint8Array {
  const [instance, value] = [verdictInstance(network, verdict), verdictValue(verdict.word, verdict.evidence)];
  return (node) => {
    const ballot = { network, instance, round: verdict.round, step: 'precommit' as const, value, node };
    return signingInput(VerdictBallotMessage.domain, encodeStrict(VerdictBallotMessage.body, ballot));
  };
}

const encoder = new TextEncoder();
