/** What one judge of seven does about a member that shows evidence, from bytes to a checked certificate. Specification §18.2 to §18.5. */
import { judgeVotes } from '#protocol/chain/certified-votes.ts';
import { decodeAction, isSignatureRight } from '#protocol/chain/signed-action.ts';
import { decodeTransaction } from '#protocol/chain/transaction.ts';
import { momentAlpha } from '#protocol/chain/trust-slots.ts';
import { VerdictBallotMessage, verdictInput } from '#protocol/chain/verdict.ts';
import type { Crypto } from '#protocol/crypto.ts';
import { hex } from '#protocol/digest.ts';
import { judgeMemberEvidence } from '#protocol/member-evidence.ts';
import { isSignedBy, readSigned } from '#protocol/signed.ts';
import { judgeVrfProof } from '#protocol/tpm/vrf.ts';
import { identityOf } from '../../device/ledger/member-identity.ts';
import type { CastBallot } from '../../device/votes/decision.ts';
import { startDecision, stepDecision, type DecisionState } from '../../device/votes/machine.ts';
import { ballotBy, WEIGHT, type Judge, type Judged, type Subject } from './reattested-member.ts';

export class JudgeAtWork {
  readonly #crypto: Crypto;
  readonly #subject: Subject;
  readonly #self: Judge;
  readonly #electorate;

  /** The first of the judges. */
  constructor(crypto: Crypto, subject: Subject, judges: readonly Judge[]) {
    const [self] = judges;
    if (!self) throw new Error('a judgement takes judges');
    this.#crypto = crypto;
    this.#subject = subject;
    this.#self = self;
    const keys = new Map(judges.map(({ node, key }) => [hex(node), hex(key)]));
    this.#electorate = {
      weights: new Map(judges.map(({ node }) => [hex(node), WEIGHT])),
      total: judges.length * WEIGHT,
      isKeyOf: (node: Uint8Array, key: Uint8Array) => keys.get(hex(node)) === hex(key),
    };
  }

  /** @throws Error where it is not `trusted` */
  verdict({ encoded, where: { network, checkpoint } }: Judged): void {
    const { member, references } = this.#subject;
    const branch = { checkpointAtMoment: checkpoint.number, checkpointBlock: () => checkpoint.block };
    const said = judgeMemberEvidence(encoded, { crypto: this.#crypto, network, member, references, atMs: 0, ...branch });
    if (said.word !== 'trusted') throw new Error(`good evidence is judged ${said.word}: ${said.reason}, ${said.detail}`);
  }

  /** Evidence heard and judged, the vote with six others, and the certificate in a block. */
  reattestation(judged: Judged): void {
    this.#hear(judged);
    this.verdict(judged);
    this.#vote(judged);
    const { verdict } = judged;
    const votes = judgeVotes(this.#crypto, verdict.votes, this.#electorate, verdictInput(judged.where.network, verdict));
    if (votes.status === 'refused') throw new Error(`a good verdict is refused: ${votes.reason}, ${votes.detail}`);
  }

  /** As the chain looks at it; bytes that came just now, so that nothing is remembered of them. */
  #hear({ transaction, where: { network, slot, seed } }: Judged): void {
    const read = decodeTransaction(transaction.slice());
    if (read.status === 'malformed' || read.value.kind !== 'signed') throw new Error('the action is none');
    const action = decodeAction(read.value.body);
    const vrfModulus = identityOf(this.#crypto, this.#subject.member)?.vrfModulus;
    if (action.status === 'malformed' || action.value.action !== 'attestation' || !vrfModulus)
      throw new Error('there is no evidence in it');
    if (!isSignatureRight(this.#crypto, network, read.value)) throw new Error('the signature on the action is refused');
    const moment = judgeVrfProof(this.#crypto, vrfModulus, momentAlpha(network, { slot, seed }), action.value.moment);
    if (moment.status === 'refused') throw new Error(`the moment is refused: ${moment.reason}`);
  }

  /** @throws Error where seven that say the same decide nothing */
  #vote({ instance, value, ballots, where: { network } }: Judged): void {
    const setup = { instance, voters: this.#electorate, self: hex(this.#self.node), baseMs: 1_000, repeatMs: 1_000 };
    const state = startDecision(setup);
    this.#tell(state, network, { type: 'candidateChosen', value });
    for (const cast of ballots)
      if (cast.key !== this.#self.key) this.#tell(state, network, { type: 'ballotReceived', cast: this.#read(cast) });
    if (!state.decision) throw new Error('seven judges with one word decide nothing');
  }

  #tell(state: DecisionState, network: Uint8Array, event: Told): void {
    for (const effect of stepDecision(state, { ...event, nowMs: 0 })) {
      if (effect.effect !== 'cast') continue;
      const { round, step, value } = effect;
      const { instance } = state.setup;
      const cast = ballotBy(this.#self, { network, instance, round, step, node: this.#self.node, ...(value && { value }) });
      this.#tell(state, network, { type: 'ballotReceived', cast });
    }
  }

  #read({ envelope, key }: CastBallot): CastBallot {
    const read = readSigned(VerdictBallotMessage, envelope);
    if (
      read.status === 'malformed' ||
      !isSignedBy(VerdictBallotMessage, read.value, { algorithm: 'ed25519', publicKey: key }, this.#crypto)
    )
      throw new Error('a good ballot is refused');
    return { ballot: read.value.value, envelope, key };
  }
}

type Told =
  { readonly type: 'candidateChosen'; readonly value: Uint8Array } | { readonly type: 'ballotReceived'; readonly cast: CastBallot };
