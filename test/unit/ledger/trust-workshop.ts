/** A network whose members judge one another, as states and transactions: evidence, votes and whatever is wrong with them. */
import assert from 'node:assert/strict';

import type { Ballot } from '#protocol/chain/ballot.ts';
import { judgesOf } from '#protocol/chain/judges.ts';
import { signAction } from '#protocol/chain/signed-action.ts';
import type { ChainState } from '#protocol/chain/state.ts';
import { encodeTransaction, type Action, type TransactionOf } from '#protocol/chain/transaction.ts';
import { challengeAlpha, momentAlpha, momentHeight, slotOf } from '#protocol/chain/trust-slots.ts';
import type { MemberTrust, SlotDraw } from '#protocol/chain/trust-state.ts';
import { VerdictBallotMessage, verdictInput, verdictInstance, verdictValue, type VerdictWord } from '#protocol/chain/verdict.ts';
import { blobDigest, hex } from '#protocol/digest.ts';
import { expectedRegisters } from '#protocol/measured-boot.ts';
import { encodeMemberEvidence, memberEvidenceQualifier, type MemberEvidence } from '#protocol/member-evidence.ts';
import { networkId, type TrustParameters } from '#protocol/network.ts';
import { signMessage } from '#protocol/signed.ts';
import { vrfOutput } from '#protocol/tpm/vrf.ts';
import { opened } from '../../../device/ledger/block-state.ts';
import { genesisPosition } from '../../../device/ledger/genesis.ts';
import type { LedgerContext, Place } from '../../../device/ledger/position.ts';
import { applyTransaction } from '../../../device/ledger/transaction-rules.ts';
import { stubCrypto } from '../../simulation/stub-crypto.ts';
import { createStubMember, stubEventLog, stubNetwork, type StubMember, type StubReading } from '../../simulation/stub-tpm.ts';

const consensus = { targetIntervalMs: 1_000, minimumWaitMs: 50, epochHeights: 1_000 };
export const parameters: TrustParameters = { slotHeights: 16, judges: 5, trustedCheckpoints: 20, plantedOneIn: 1 };
export const reading: StubReading = { timeMs: 1, resetCount: 3, restartCount: 1 };

/** A branch: the state after the block of a height. */
export interface Trusting {
  readonly context: LedgerContext;
  readonly members: readonly StubMember[];
  readonly height: number;
  readonly state: ChainState;
}

/** @param seats how many; more than `judges` and one are judged by drawn ones */
export function trusting(seats: number, changed: Partial<TrustParameters> = {}): Trusting {
  const members = Array.from({ length: seats }, (_, index) => createStubMember(`member-${index}`));
  return trustingOf(members, { ...parameters, ...changed });
}

export function trustingOf(members: readonly StubMember[], trust: TrustParameters | undefined): Trusting {
  return members.reduce((world, member) => entered(world, voucherOf(world, member)), grownTo(foundedBy(members, trust), 1));
}

/** At height 0, without a key. */
export function foundedBy(members: readonly StubMember[], trust: TrustParameters | undefined): Trusting {
  const network = stubNetwork(members, consensus, trust);
  const context = { network, networkId: networkId(network), crypto: stubCrypto };
  return { context, members, height: 0, state: genesisPosition(context).state };
}

export function voucherOf({ context }: Trusting, member: StubMember, boot: StubReading = reading): Uint8Array {
  return encodeTransaction({ kind: 'voucher', voucher: member.voucher(context.networkId, boot, keyOf(member, boot).publicKey) });
}

export function keyOf(member: StubMember, { resetCount, restartCount }: StubReading = reading) {
  return member.operationalKey(`${resetCount}.${restartCount}`);
}

/** Chain time of a height, Unix ms. */
export function timeAt(height: number): number {
  return 1_700_000_000_000 + 1_000 * height;
}

export function placeOf({ context, height }: Trusting): Place {
  return { context, height, timeMs: timeAt(height), branch: { ancestorAt: () => undefined } };
}

export function entered(world: Trusting, transaction: Uint8Array): Trusting {
  const outcome = applyTransaction(world.state, transaction, placeOf(world));
  assert.ok(outcome.status === 'applied', outcome.status === 'refused' ? `${outcome.reason}: ${outcome.detail}` : '');
  return { ...world, state: outcome.state };
}

export function refusalOf(world: Trusting, transaction: Uint8Array): string {
  const outcome = applyTransaction(world.state, transaction, placeOf(world));
  return outcome.status === 'refused' ? outcome.reason : outcome.status;
}

/** The branch grown to a height by blocks that order nothing. */
export function grownTo(world: Trusting, height: number): Trusting {
  const { genesis } = world.context.network;
  let { state } = world;
  for (let parent = world.height; parent < height; parent += 1) {
    const node = world.members[parent % world.members.length]!.node;
    const opening = { node, output: blobDigest(Uint8Array.of(parent & 255, parent >> 8)), timeMs: timeAt(parent + 1) };
    const waitedUntil = { resetCount: 3, restartCount: 1, timeMs: parent };
    state = opened({ id: node, height: parent, timeMs: timeAt(parent), state }, { ...opening, waitedUntil }, genesis);
  }
  return { ...world, height, state };
}

/** With so many checkpoints more, for which all but the silent have voted; seats that stand by then come into force. */
export function certified(world: Trusting, count = 1, silent: readonly StubMember[] = []): Trusting {
  const { core } = world.state;
  const number = core.checkpoint.number + count;
  const seats = core.seatsToCome.at(-1)!.seats;
  const checkpoint = { number, height: world.height, block: blobDigest(Uint8Array.of(number & 255, number >> 8)) };
  let { members } = world.state;
  for (const [key, record] of members)
    if (!silent.some(({ node }) => hex(node) === key)) members = members.with(key, { ...record, votedIn: number });
  return {
    ...world,
    state: { ...world.state, members, core: { ...core, checkpoint, seats, seatsToCome: [{ fromHeight: world.height, seats }] } },
  };
}

export function trustOf({ state }: Trusting, { node }: StubMember): MemberTrust {
  return state.members.get(hex(node))!.trust!;
}

export function drawOf({ state, context, height }: Trusting, slot = slotOf(height, context.network.genesis.trust!.slotHeights)): SlotDraw {
  return state.core.draws!.find((known) => known.slot === slot)!;
}

/** What a subject shows; `swapped` in the place of the true event log. */
export interface Shown {
  readonly boot?: StubReading;
  readonly eventLog?: MemberEvidence['eventLog'];
  readonly registersOf?: MemberEvidence['eventLog'];
}

export function evidenceOf({ context, state }: Trusting, member: StubMember, shown: Shown = {}): MemberEvidence {
  const boot = shown.boot ?? reading;
  const operationalKey = keyOf(member, boot).publicKey;
  const { number, block } = state.core.checkpoint;
  const eventLog = [...(shown.eventLog ?? stubEventLog)];
  const pcrs = expectedRegisters(shown.registersOf ?? eventLog, operationalKey);
  const about = { checkpoint: { number, block }, operationalKey };
  const quote = member.quote(memberEvidenceQualifier(context.networkId, member.node, about), boot, pcrs);
  return { ...about, ...quote, pcrs, eventLog };
}

/** Bad on its face: the log that is shown does not come to the registers. */
export const plantedLog: Shown = { eventLog: stubEventLog.slice(1), registersOf: stubEventLog };

export function momentOf(world: Trusting, member: StubMember): { readonly proof: Uint8Array; readonly height: number } {
  const { slot, seed } = drawOf(world);
  const proof = member.prove(momentAlpha(world.context.networkId, { slot, seed }));
  return { proof, height: momentHeight(vrfOutput(stubCrypto, proof), slot, world.context.network.genesis.trust!.slotHeights) };
}

export function actionOf({ context }: Trusting, member: StubMember, action: Action, boot: StubReading = reading): Uint8Array {
  const key = keyOf(member, boot);
  return signAction(context.networkId, { by: member.node, key: key.publicKey }, action, key.sign);
}

export function attestationOf(world: Trusting, member: StubMember, shown: Shown = {}): Uint8Array {
  const evidence = encodeMemberEvidence(evidenceOf(world, member, shown));
  const action = { action: 'attestation' as const, slot: drawOf(world).slot, moment: momentOf(world, member).proof, evidence };
  return actionOf(world, member, action, shown.boot);
}

/** The branch at the member's moment of the slot in which it is, or where it is when that is past, with its evidence. */
export function attested(world: Trusting, member: StubMember, shown: Shown = {}): Trusting {
  const at = grownTo(world, Math.max(world.height, momentOf(world, member).height));
  return entered(at, attestationOf(at, member, shown));
}

/** At the beginning of the next slot. */
export function inNextSlot(world: Trusting): Trusting {
  const { slotHeights } = world.context.network.genesis.trust!;
  return grownTo(world, (slotOf(world.height, slotHeights) + 1) * slotHeights);
}

export interface Said {
  readonly word?: VerdictWord;
  readonly level?: number;
  readonly slot?: number;
  /** In the place of all judges. */
  readonly voters?: readonly StubMember[];
  readonly change?: Partial<TransactionOf<'verdict'>>;
}

/** A verdict on what the state knows of the subject's slot. */
export function verdictOf(world: Trusting, subject: StubMember, said: Said = {}): TransactionOf<'verdict'> {
  const { slots } = trustOf(world, subject);
  const slot = said.slot ?? slots.at(-1)?.slot ?? 0;
  const known = slots.find((shown) => shown.slot === slot);
  const about = { subject: subject.node, slot, level: said.level ?? 0 };
  const body = { ...about, word: said.word ?? ('trusted' as const), evidence: known?.evidence ?? subject.node, round: 0, ...said.change };
  const input = verdictInput(world.context.networkId, { ...body, votes: [] });
  const votes = (said.voters ?? judgesFor(world, subject, about))
    .toSorted((left, right) => (hex(left.node) < hex(right.node) ? -1 : 1))
    .map((voter) => ({ node: voter.node, key: keyOf(voter).publicKey, signature: keyOf(voter).sign(input(voter.node)) }));
  return { kind: 'verdict', ...body, votes: said.change?.votes ?? votes };
}

export function judgesFor(world: Trusting, subject: StubMember, { slot, level }: { slot: number; level: number }): StubMember[] {
  const { context, members } = world;
  const judges = judgesOf(
    context.networkId,
    drawOf(world, slot),
    { subject: subject.node, slot, level },
    context.network.genesis.trust!.judges,
  );
  return members.filter(({ node }) => judges.weights.has(hex(node)));
}

export function judged(world: Trusting, subject: StubMember, said: Said = {}): Trusting {
  return entered(world, encodeTransaction(verdictOf(world, subject, said)));
}

export function verdictRefusal(world: Trusting, subject: StubMember, said: Said = {}): string {
  return refusalOf(world, encodeTransaction(verdictOf(world, subject, said)));
}

/** A precommit of one judge on the subject's last slot. */
export function ballotOf(
  world: Trusting,
  judge: StubMember,
  subject: StubMember,
  word: VerdictWord,
  change: Partial<Ballot> = {},
  kind = VerdictBallotMessage,
) {
  const { networkId: network } = world.context;
  const { slot, evidence } = trustOf(world, subject).slots.at(-1)!;
  const instance = verdictInstance(network, { subject: subject.node, slot, level: 0 });
  const ballot = {
    network,
    instance,
    round: 0,
    step: 'prevote' as const,
    value: verdictValue(word, evidence),
    node: judge.node,
    ...change,
  };
  return { key: keyOf(judge).publicKey, envelope: Uint8Array.from(signMessage(kind, ballot, keyOf(judge).sign)) };
}

export function revealOf(
  world: Trusting,
  subject: StubMember,
  wrong: { key: Uint8Array; envelope: Uint8Array }[] = [],
  slot?: number,
): Uint8Array {
  const draw = drawOf(world, slot);
  const proof = subject.prove(challengeAlpha(world.context.networkId, draw));
  return actionOf(world, subject, { action: 'reveal', slot: draw.slot, proof, wrong });
}
