/** A subject reveals that its evidence was a planted challenge, and who took it for good. Pure. Specification §18.7. */
import type { ChainState } from '#protocol/chain/state.ts';
import type { ActionOf } from '#protocol/chain/transaction.ts';
import { challengeAlpha, isPlanted } from '#protocol/chain/trust-slots.ts';
import type { JudgedSlot, SlotDraw } from '#protocol/chain/trust-state.ts';
import { hex } from '#protocol/digest.ts';
import { judgeVrfProof, vrfOutput } from '#protocol/tpm/vrf.ts';
import { trustOff } from './attestations.ts';
import { identityOf } from './member-identity.ts';
import { judgedMember, laterVerdict, slotIn, slotsWith, withCredit, withTrust, type JudgedMember } from './member-trust.ts';
import type { Place } from './position.ts';
import { judgesShown } from './shown-ballots.ts';
import { applied, refused, type Outcome, type Refusal } from './transaction-refusal.ts';

/** @param by the subject, whose key was looked at */
export function applyReveal(state: ChainState, by: Uint8Array, action: ActionOf<'reveal'>, place: Place): Outcome {
  const subject = judgedMember(state, by);
  if (!place.context.network.genesis.trust || !subject) return trustOff();
  const judged = slotIn(subject.trust, action.slot);
  const draw = state.core.draws?.find(({ slot }) => slot === action.slot);
  if (!judged || !draw) return refused('evidence-unknown', `the state has no evidence of ${subject.member.name} of slot ${action.slot}`);
  if (judged.closed) return refused('verdict-known', `slot ${action.slot} has been judged by all, or was revealed`);
  const unplanted = challengeFault(subject, judged, { action, draw, place });
  if (unplanted) return unplanted;
  const shown = judgesShown(state, action.wrong, { context: place.context, subject: by, judged, draw, words: ['trusted', 'disputed'] });
  return shown.status === 'refused' ? shown : applied(withRevealed(state, subject, judged, shown.nodes));
}

interface Given {
  readonly action: ActionOf<'reveal'>;
  readonly draw: SlotDraw;
  readonly place: Place;
}

/** The chain itself sees that the log was bad, and the VRF says that this was the slot for it. */
function challengeFault({ member }: JudgedMember, { log }: JudgedSlot, { action, draw, place: { context } }: Given): Refusal | undefined {
  const oneIn = context.network.genesis.trust?.plantedOneIn ?? 0;
  if (log !== 'differs')
    return refused('not-planted', 'the event log of the evidence comes to PCR 14; that of a planted challenge does not');
  if (!isPlanted(vrfOutput(context.crypto, action.proof), oneIn)) return refused('not-planted', 'the slot is not one in which to plant');
  const identity = identityOf(context.crypto, member);
  if (!identity) return refused('member-keys-unusable', `the keys of ${member.name} have not the templates`);
  const proof = judgeVrfProof(context.crypto, identity.vrfModulus, challengeAlpha(context.networkId, draw), action.proof);
  return proof.status === 'refused' ? refused('challenge-wrong', proof.detail) : undefined;
}

/** As if there had been no verdict, but for the credit of those who gave it. */
function withRevealed(state: ChainState, { node, trust }: JudgedMember, judged: JudgedSlot, shown: readonly Uint8Array[]): ChainState {
  const { verdict } = judged;
  const isLast = !laterVerdict(trust, judged.slot);
  const revealed = withTrust(state, node, {
    ...(verdict && isLast && { word: verdict.before }),
    slots: slotsWith(trust, { ...judged, closed: 'revealed' }),
  });
  const isRight = verdict?.word === 'untrusted';
  const credited = withCredit(revealed, verdict?.voters ?? [], isRight ? 'right' : 'wrong');
  const charged = new Set(isRight ? [] : verdict?.voters.map(hex));
  return withCredit(
    credited,
    shown.filter((judge) => !charged.has(hex(judge))),
    'wrong',
  );
}
