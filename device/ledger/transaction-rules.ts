/** What each kind of transaction needs and does. Pure. Specification §11.3. */
import { decodeAction, isSignatureRight, type Author } from '#protocol/chain/signed-action.ts';
import type { ChainState } from '#protocol/chain/state.ts';
import { decodeTransaction, type Action, type TransactionOf } from '#protocol/chain/transaction.ts';
import { hex } from '#protocol/digest.ts';
import { applyApplication } from './applications.ts';
import { applyAnswer, applyCancellation, applyReceipt, applyRetry, applySubmission } from './capsule-rules.ts';
import { applyAppeal } from './appeals.ts';
import { applyAttestation } from './attestations.ts';
import { applyFinality } from './checkpoints.ts';
import { applyEquivocation } from './equivocation.ts';
import { recordOf } from './member-identity.ts';
import { applyLeave, applyVouch } from './membership.ts';
import { applyBoxes } from './offered-boxes.ts';
import { applyVoucher } from './operational-keys.ts';
import type { Place } from './position.ts';
import { applyReveal } from './reveals.ts';
import { refused, type Outcome, type Refusal } from './transaction-refusal.ts';
import { applyVerdict } from './verdicts.ts';

export function applyTransaction(state: ChainState, encoded: Uint8Array, place: Place): Outcome {
  const decoded = decodeTransaction(encoded);
  if (decoded.status === 'malformed') return refused('malformed', decoded.detail);
  const transaction = decoded.value;
  switch (transaction.kind) {
    case 'voucher':
      return applyVoucher(state, transaction, place);
    case 'finality':
      return applyFinality(state, transaction, place);
    case 'equivocation':
      return applyEquivocation(state, transaction, place);
    case 'application':
      return applyApplication(state, transaction, place);
    case 'verdict':
      return applyVerdict(state, transaction, place);
    case 'signed':
      return applySigned(state, transaction, place);
  }
}

/** The rules come before the signature, because they cost less. */
function applySigned(state: ChainState, transaction: TransactionOf<'signed'>, place: Place): Outcome {
  const stranger = authorFault(state, transaction);
  if (stranger) return stranger;
  const action = decodeAction(transaction.body);
  if (action.status === 'malformed') return refused('malformed', action.detail);
  const outcome = applyAction(state, transaction, action.value, place);
  if (outcome.status === 'refused' || isSignatureRight(place.context.crypto, place.context.networkId, transaction)) return outcome;
  return refused('signature-wrong', 'the signature is not by this key over this network, author and action');
}

/** A key of an earlier boot may have outlived it in other hands. */
function authorFault(state: ChainState, { by, key }: TransactionOf<'signed'>): Refusal | undefined {
  const record = recordOf(state, by);
  if (record?.standing !== 'member') return refused('not-a-member', `${hex(by)} is not a member`);
  const name = hex(key);
  const index = record.keys.findIndex((known) => hex(known.key) === name);
  if (index < 0) return refused('key-unknown', `no voucher shows the key ${name} of ${record.member.name}`);
  if (index < record.keys.length - 1) return refused('key-superseded', `${record.member.name} has a key of a later boot than ${name}`);
  return undefined;
}

/** Of an author whose key and standing were looked at. */
export function applyAction(state: ChainState, { by, key }: Author, action: Action, place: Place): Outcome {
  switch (action.action) {
    case 'vouch':
      return applyVouch(state, by, action, place);
    case 'leave':
      return applyLeave(state, by, place);
    case 'boxes':
      return applyBoxes(state, by, action);
    case 'submission':
      return applySubmission(state, by, action, place);
    case 'retry':
      return applyRetry(state, by, action, place);
    case 'answer':
      return applyAnswer(state, by, action, place);
    case 'receipt':
      return applyReceipt(state, by, action, place);
    case 'cancellation':
      return applyCancellation(state, by, action, place);
    case 'attestation':
      return applyAttestation(state, { by, key }, action, place);
    case 'appeal':
      return applyAppeal(state, by, action, place);
    case 'reveal':
      return applyReveal(state, by, action, place);
  }
}
