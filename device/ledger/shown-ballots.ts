/** Ballots of drawn judges that somebody shows: words that no certificate holds. Pure. Specification §18.6, §18.7. */
import type { ShownBallot } from '#protocol/chain/ballot.ts';
import { judgesOf } from '#protocol/chain/judges.ts';
import type { ChainState } from '#protocol/chain/state.ts';
import type { JudgedSlot, SlotDraw } from '#protocol/chain/trust-state.ts';
import { VerdictBallotMessage, verdictInstance, verdictValue, type VerdictWord } from '#protocol/chain/verdict.ts';
import { sameBytes } from '#protocol/codec.ts';
import { hex } from '#protocol/digest.ts';
import { openSigned, peekSigned } from '#protocol/signed.ts';
import { isKeyOf } from './member-identity.ts';
import type { LedgerContext } from './position.ts';
import { refused, type Refusal } from './transaction-refusal.ts';

/** Evidence that was judged, and the words for it that are looked for. */
export interface Sought {
  readonly context: LedgerContext;
  readonly subject: Uint8Array;
  readonly judged: JudgedSlot;
  readonly draw: SlotDraw;
  readonly words: readonly VerdictWord[];
}

export type ShownJudges = { readonly status: 'shown'; readonly nodes: Uint8Array[] } | Refusal;

/** An honest judge never votes for what it has not found itself, so its ballot is its word, in either step. */
export function judgesShown(state: ChainState, ballots: readonly ShownBallot[], sought: Sought): ShownJudges {
  const { crypto, network, networkId } = sought.context;
  const about = { subject: sought.subject, slot: sought.judged.slot, level: 0 };
  const judges = judgesOf(networkId, sought.draw, about, network.genesis.trust?.judges ?? 0);
  const instance = verdictInstance(networkId, about);
  const values = sought.words.map((word) => hex(verdictValue(word, sought.judged.evidence)));
  const nodes: Uint8Array[] = [];
  for (const { key, envelope } of ballots) {
    const ballot = peekSigned(VerdictBallotMessage, envelope);
    if (ballot.status === 'malformed') return refused('malformed', ballot.detail);
    const { node, value } = ballot.value;
    const isOurs =
      sameBytes(ballot.value.network, networkId) && sameBytes(ballot.value.instance, instance) && judges.weights.has(hex(node));
    if (!isOurs || !value || !values.includes(hex(value)))
      return refused(
        'ballot-not-contrary',
        `the ballot of ${hex(node)} is not for ${sought.words.join(' or ')} by a judge of this evidence`,
      );
    const last = nodes.at(-1);
    if (last && hex(last) >= hex(node)) return refused('ballots-out-of-order', 'ballots are in the order of nodes, each once');
    const isSigned = openSigned(VerdictBallotMessage, envelope, { algorithm: 'ed25519', publicKey: key }, crypto).status === 'authentic';
    if (!isKeyOf(state, node, key) || !isSigned)
      return refused('ballot-not-contrary', `the ballot of ${hex(node)} is not by a key of its own`);
    nodes.push(node);
  }
  return { status: 'shown', nodes };
}
