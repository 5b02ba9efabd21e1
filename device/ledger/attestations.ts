/** Evidence of a member in a block: in its form, from its author, at its moment. What it is worth is the judges' to say. Pure. Specification §18.2. */
import type { ChainState } from '#protocol/chain/state.ts';
import type { Author } from '#protocol/chain/signed-action.ts';
import type { ActionOf } from '#protocol/chain/transaction.ts';
import { momentAlpha, momentHeight, slotOf } from '#protocol/chain/trust-slots.ts';
import { sameBytes } from '#protocol/codec.ts';
import { hex } from '#protocol/digest.ts';
import { claimedBoot, decodeMemberEvidence, doesLogReplay, memberEvidenceDigest } from '#protocol/member-evidence.ts';
import type { TrustParameters } from '#protocol/network.ts';
import { judgeVrfProof, vrfOutput } from '#protocol/tpm/vrf.ts';
import { identityOf } from './member-identity.ts';
import { judgedMember, slotIn, withTrust, type JudgedMember } from './member-trust.ts';
import type { Place } from './position.ts';
import { applied, refused, type Outcome, type Refusal } from './transaction-refusal.ts';

/** @param author a member, whose key was looked at */
export function applyAttestation(state: ChainState, author: Author, action: ActionOf<'attestation'>, place: Place): Outcome {
  const { trust: parameters } = place.context.network.genesis;
  const subject = judgedMember(state, author.by);
  if (!parameters || !subject) return trustOff();
  const fault = timeFault(state, subject, action, { parameters, place });
  if (fault) return fault;
  const decoded = decodeMemberEvidence(action.evidence);
  if (decoded.status === 'malformed') return refused('malformed', decoded.detail);
  const boot = claimedBoot(decoded.value);
  if (!boot) return refused('malformed', 'the quote of the evidence is none');
  if (!sameBytes(boot.key, author.key))
    return refused('evidence-key-differs', `evidence about the key ${hex(boot.key)} in an action by ${hex(author.key)}`);
  const shown = {
    slot: action.slot,
    evidence: memberEvidenceDigest(decoded.value),
    timeMs: place.timeMs,
    boot,
    log: doesLogReplay(decoded.value) ? ('replays' as const) : ('differs' as const),
  };
  return applied(withTrust(state, author.by, { slots: [...subject.trust.slots, shown] }));
}

export function trustOff(): Refusal {
  return refused('trust-off', 'the members of this network do not judge one another: its genesis has no `trust`');
}

interface Given {
  readonly parameters: TrustParameters;
  readonly place: Place;
}

/** In its slot, from its moment on, once; the proof comes last, because it costs most. */
function timeFault(
  { core }: ChainState,
  subject: JudgedMember,
  { slot, moment }: ActionOf<'attestation'>,
  { parameters, place: { context, height } }: Given,
): Refusal | undefined {
  const current = slotOf(height, parameters.slotHeights);
  if (slot < current) return refused('slot-over', `evidence of slot ${slot} in slot ${current}`);
  const draw = core.draws?.find((known) => known.slot === slot);
  if (!draw || slot > current) return refused('moment-not-come', `evidence of slot ${slot}, which has not begun`);
  if (slotIn(subject.trust, slot)) return refused('slot-known', `${subject.member.name} has shown evidence of slot ${slot}`);
  const from = momentHeight(vrfOutput(context.crypto, moment), slot, parameters.slotHeights);
  if (height < from) return refused('moment-not-come', `height ${height}; the moment is at height ${from}`);
  const identity = identityOf(context.crypto, subject.member);
  if (!identity) return refused('member-keys-unusable', `the keys of ${subject.member.name} have not the templates`);
  const proof = judgeVrfProof(context.crypto, identity.vrfModulus, momentAlpha(context.networkId, draw), moment);
  return proof.status === 'refused' ? refused('moment-wrong', proof.detail) : undefined;
}
