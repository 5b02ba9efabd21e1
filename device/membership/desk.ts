/**
 * The firmware's side of membership: it takes what operators ask to the chain and tells them how it goes, gives this member's
 * word for newcomers that it has verified itself, and says what this device is to its network. Specification §11.5.
 */
import { encodeTransaction, transactionId } from '#protocol/chain/transaction.ts';
import { sameBytes } from '#protocol/codec.ts';
import { memberDigest } from '#protocol/network.ts';
import { harmless } from '#protocol/schema.ts';
import type { Verification } from '../attestation/verification.ts';
import type { Consensus } from '../chain/host.ts';
import { makeAction } from '../consensus/machine.ts';
import type { TransactionVerdict } from '../ledger/ledger.ts';
import { branchOf } from '../consensus/tree.ts';
import { DEVICE_LIMITS } from '../limits.ts';
import type { Log } from '../ports.ts';
import { admissionProgress, leaveProgress, leftToOthers, ownStanding, type OwnStanding, type Progress } from './progress.ts';
import { MembershipRequests, type MembershipAnswer, type MembershipRequest, type WaitingRequest } from './requests.ts';

export interface MembershipDeskRequest {
  readonly stateFolder: string;
  readonly consensus: Consensus;
  /** Whether this device has verified the peer with this card (member digest). */
  readonly verificationOf: (card: Uint8Array) => Verification;
  /** These newcomers are for others to verify, in the place of those before. */
  readonly leaveToOthers: (nodes: readonly Uint8Array[]) => void;
  readonly log: Log;
}

export class MembershipDesk {
  readonly #request: MembershipDeskRequest;
  readonly #requests: MembershipRequests;
  /** Height of the block that holds a request, and from where on to look for it. */
  readonly #found = new Map<string, { readonly height?: number; readonly searchedTo: number }>();
  readonly #said = new Map<string, string>();
  #standing: OwnStanding | undefined;

  constructor(request: MembershipDeskRequest) {
    this.#request = request;
    this.#requests = new MembershipRequests(request.stateFolder);
  }

  /** To be called a moment after the chain has changed, and now and then. */
  look(): void {
    this.#requests.dropOld(Date.now());
    for (const waiting of this.#requests.waiting()) this.#deal(waiting);
    this.#vouch();
    this.#sayStanding();
  }

  #deal({ id, request }: WaitingRequest): void {
    const transaction = this.#transactionOf(request);
    const progress = this.#progressOf(request);
    const answer = progress.stage === 'unknown' ? this.#ask(request, transaction, progress) : this.#came(id, transaction, progress);
    // Checkpoints alone are no news, and a file costs the disk a flush. Whoever asks again has taken the last answer away.
    const words = JSON.stringify({ ...answer, checkpoint: 0 });
    if (this.#said.get(id) !== words || !this.#requests.answerTo(id)) {
      this.#requests.answer(id, answer);
      const { stage, member, reason } = answer;
      this.#request.log('membershipAsked', { ask: request.ask, stage, ...(member && { member }), ...(reason && { reason }) });
    }
    this.#said.set(id, words);
    if (answer.stage !== 'refused' && answer.stage !== 'in-force') return;
    this.#requests.settle(id);
    this.#said.delete(id);
    this.#found.delete(id);
  }

  #transactionOf(request: MembershipRequest): Uint8Array {
    if (request.ask === 'admit') return encodeTransaction({ kind: 'application', card: request.card });
    return makeAction(this.#request.consensus.state, { action: 'leave' });
  }

  #progressOf(request: MembershipRequest): Progress {
    const { consensus } = this.#request;
    const sights = { finalised: consensus.finalised().state, head: consensus.head().state };
    return request.ask === 'admit' ? admissionProgress(request.card, sights) : leaveProgress(consensus.node, sights);
  }

  /** What no block may hold as the chain stands is refused; a key of this boot that no block shows yet is waited for. */
  #ask(request: MembershipRequest, transaction: Uint8Array, progress: Progress): MembershipAnswer {
    const { consensus } = this.#request;
    const verdict = judgeForNextBlock(consensus, transaction);
    if (verdict.status === 'refused' && verdict.reason !== 'key-unknown' && verdict.reason !== 'seat-changes-full')
      return { ...this.#about(progress), stage: 'refused', reason: verdict.reason, detail: harmless(verdict.detail, 400) };
    if (request.ask === 'admit') consensus.submit(encodeTransaction({ kind: 'application', card: request.card }));
    else consensus.act({ action: 'leave' });
    return { ...this.#about(progress), stage: 'asked' };
  }

  #came(id: string, transaction: Uint8Array, progress: Progress): MembershipAnswer {
    const stage = progress.stage === 'unknown' ? 'asked' : progress.stage;
    const height = this.#heightOf(id, transaction);
    return {
      ...this.#about(progress),
      stage,
      ...(height === undefined ? {} : { height }),
      ...(stage === 'final' && this.#doubt(progress)),
    };
  }

  /** Why an applicant has not this device's own word. */
  #doubt({ applicant }: Progress): Pick<MembershipAnswer, 'reason' | 'detail'> {
    const verification = applicant && this.#request.verificationOf(applicant);
    if (verification?.status !== 'unverified') return {};
    return { reason: verification.reason, detail: harmless(verification.detail, 400) };
  }

  #about({ member, vouchedBy, needed }: Progress): Omit<MembershipAnswer, 'stage'> {
    const checkpoint = this.#request.consensus.finalised().number;
    return { ...(member === undefined ? {} : { member }), checkpoint, vouchedBy: [...vouchedBy], needed };
  }

  /** Looked for downwards from the head, in the blocks since the last look. */
  #heightOf(id: string, transaction: Uint8Array): number | undefined {
    const { consensus } = this.#request;
    const head = consensus.head().height;
    const known = this.#found.get(id);
    if (known?.height !== undefined) return known.height;
    const wanted = transactionId(transaction);
    const lowest = Math.max(1, head - DEVICE_LIMITS.membershipBlocksSearchedMax, (known?.searchedTo ?? 0) + 1);
    for (let height = head; height >= lowest; height -= 1) {
      const block = consensus.blockOnHead(height);
      if (!block?.transactions.some((held) => sameBytes(transactionId(held), wanted))) continue;
      this.#found.set(id, { height, searchedTo: head });
      return height;
    }
    this.#found.set(id, { searchedTo: Math.min(head, consensus.finalised().height) });
    return undefined;
  }

  /** This member's word, where it admits in this epoch, for applicants that it has activated itself and whose evidence it trusts. */
  #vouch(): void {
    const { consensus, verificationOf, leaveToOthers } = this.#request;
    const { state } = consensus.head();
    const left = leftToOthers(state, consensus.state.networkId, consensus.node);
    leaveToOthers(left);
    if (left.length > 0) return;
    for (const { member, standing, vouchedBy } of state.members.values()) {
      if (standing !== 'applicant' || vouchedBy.some((voucher) => sameBytes(voucher, consensus.node))) continue;
      const applicant = memberDigest(member);
      if (verificationOf(applicant).status === 'verified') consensus.act({ action: 'vouch', applicant });
    }
  }

  #sayStanding(): void {
    const { consensus, log } = this.#request;
    const standing = ownStanding(consensus.node, consensus.finalised().state);
    if (standing === this.#standing) return;
    this.#standing = standing;
    log('membership', { standing, meaning: MEANING[standing] });
  }
}

function judgeForNextBlock({ state }: Consensus, transaction: Uint8Array): TransactionVerdict {
  const { setup, tree, head } = state;
  return setup.ledger.judgeTransaction(transaction, head.position, branchOf(tree, head), Math.max(Date.now(), head.position.timeMs));
}

/** What the operator should know, or do. */
const MEANING: Readonly<Record<OwnStanding, string>> = {
  'no-application':
    'no block that is known here has its application; have a member bring card.cbor before the network: npm run chain -- admit card.cbor',
  applicant: 'it has applied; members vouch for it as they activate its key and trust its evidence',
  'waits-for-seat': 'it is a member; its seat comes with the next checkpoint',
  seated: 'it has a seat',
  demoted: 'all seats have found its evidence bad, so it has none; start firmware and TPM anew, and its next good evidence brings it back',
  left: 'it has left: it neither votes nor leads, and its boxes get no capsules; it may be switched off',
  expelled: 'it was expelled for contradicting itself: it neither votes nor leads, and never comes back with this chip',
};
