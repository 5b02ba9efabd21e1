/**
 * How it stands with a member, and why: what a proven state says of it, with the evidence that its judges had, judged once more by whoever asks.
 * Specification §18.8.
 */
import type { BootKey } from './chain/boot-key.ts';
import { judgesOf } from './chain/judges.ts';
import type { CoreState, MemberRecord } from './chain/state.ts';
import { trustStanding, type JudgedSlot, type MemberTrust, type TrustStanding } from './chain/trust-state.ts';
import { sameBytes } from './codec.ts';
import type { Crypto } from './crypto.ts';
import { hex } from './digest.ts';
import { decodeMemberEvidence, judgeMemberEvidence, memberEvidenceDigest, type MemberEvidenceVerdict } from './member-evidence.ts';
import { networkId, type Network } from './network.ts';

/** A certified checkpoint with what of its state is proven. */
export interface StateInView {
  readonly number: number;
  readonly core: CoreState;
}

export interface ExplainedSlot {
  readonly slot: JudgedSlot;
  /** Judges of level 0 with their weights, by node id in hexadecimal; absent where the state no longer has the draw. */
  readonly judges?: ReadonlyMap<string, number>;
  /** What whoever asks finds the evidence worth; absent where nobody has shown it. */
  readonly found?: MemberEvidenceVerdict;
}

export interface ExplainedTrust {
  readonly standing: TrustStanding;
  /** Checkpoints for which it is still trusted, if nothing else is said; below 0 when that has passed. */
  readonly checkpointsLeft: number;
  readonly hasSeat: boolean;
  readonly trust: MemberTrust;
  /** The newest last. */
  readonly slots: readonly ExplainedSlot[];
}

export type ExplainedTrustVerdict =
  | { readonly status: 'accepted'; readonly explained: ExplainedTrust }
  | { readonly status: 'refused'; readonly reason: 'trust-off' | 'evidence-malformed' | 'evidence-not-in-state'; readonly detail: string };

export interface ExplainingContext {
  /** With the references by which evidence is judged. */
  readonly network: Network;
  readonly crypto: Crypto;
}

/** @param shown encoded evidence of slots that the state keeps: each must have its digest there */
export function explainTrust(
  view: StateInView,
  record: MemberRecord,
  shown: readonly Uint8Array[],
  context: ExplainingContext,
): ExplainedTrustVerdict {
  const { trust } = record;
  const { trust: parameters, name } = context.network.genesis;
  if (!trust || !parameters)
    return refused('trust-off', `the members of network ${name} do not judge one another: its genesis has no \`trust\` (§18)`);
  const evidence = new Map<number, Uint8Array>();
  for (const encoded of shown) {
    const decoded = decodeMemberEvidence(encoded);
    if (decoded.status === 'malformed') return refused('evidence-malformed', decoded.detail);
    const digest = memberEvidenceDigest(decoded.value);
    const slot = trust.slots.find((known) => sameBytes(known.evidence, digest));
    if (!slot) return refused('evidence-not-in-state', `the state has no evidence ${hex(digest).slice(0, 16)} of ${record.member.name}`);
    evidence.set(slot.slot, encoded);
  }
  const slots = trust.slots.map((slot): ExplainedSlot => {
    const draw = view.core.draws?.find((known) => known.slot === slot.slot);
    const about = { subject: record.node, slot: slot.slot, level: 0 };
    const drawn = draw && judgesOf(networkId(context.network), draw, about, parameters.judges).weights;
    const found = foundIn(evidence.get(slot.slot), record, { ...context, slot, boot: bootBefore(trust, slot) });
    return { slot, ...(drawn && { judges: drawn }), ...(found && { found }) };
  });
  const hasSeat = view.core.seats.some((seat) => sameBytes(seat, record.node));
  const checkpointsLeft = trust.attestedUntil - view.number;
  return { status: 'accepted', explained: { standing: trustStanding(trust, view.number), checkpointsLeft, hasSeat, trust, slots } };
}

interface JudgedAgain extends ExplainingContext {
  readonly slot: JudgedSlot;
  readonly boot: BootKey | undefined;
}

function foundIn(
  encoded: Uint8Array | undefined,
  { member }: MemberRecord,
  { network, crypto, slot, boot }: JudgedAgain,
): MemberEvidenceVerdict | undefined {
  if (!encoded) return undefined;
  const evidence = decodeMemberEvidence(encoded);
  if (evidence.status === 'malformed') return undefined;
  const about = { crypto, network: networkId(network), member, references: network.references, atMs: slot.timeMs, boot };
  // Whether the named checkpoint came late the judges saw; a stranger can't.
  return judgeMemberEvidence(encoded, { ...about, checkpointAtMoment: 0, checkpointBlock: () => evidence.value.checkpoint.block });
}

/** The boot that this slot's evidence had to go on from; unknown where later evidence has taken its place. */
function bootBefore({ slots, boot }: MemberTrust, { slot }: JudgedSlot): BootKey | undefined {
  return slots.some((later) => later.slot > slot && (later.closed ?? later.verdict?.word) === 'trusted') ? undefined : boot;
}

type Refused = Extract<ExplainedTrustVerdict, { readonly status: 'refused' }>;

function refused(reason: Refused['reason'], detail: string): Refused {
  return { status: 'refused', reason, detail };
}
